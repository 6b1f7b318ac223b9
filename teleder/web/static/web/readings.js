// Texts that scripts write, with readings above their kanji where the server has added them: base《reading》, or ｜base《reading》.
const READING = /(?:｜([^《｜]+)|([\u3005\u3006\u3400-\u4dbf\u4e00-\u9fffヶ]+))《([^》]+)》/;

// Puts a text into an element. Only text is written, never markup.
export function write(element, text) {
  const parts = text.split(READING); // text, base, base, reading, text …
  const nodes = [];
  for (let n = 0; n < parts.length; n += 4) {
    nodes.push(parts[n]);
    if (n + 1 === parts.length) break;
    const ruby = document.createElement("ruby");
    ruby.append(parts[n + 1] ?? parts[n + 2], Object.assign(document.createElement("rt"), { textContent: parts[n + 3] }));
    nodes.push(ruby);
  }
  element.replaceChildren(...nodes);
}

// The same for what is spoken, or is an attribute: without readings.
export const plain = (text) => text.replace(new RegExp(READING, "g"), "$1$2");

// The text of an element with its readings, to be written elsewhere.
export function read(element) {
  const copy = element.cloneNode(true);
  for (const ruby of copy.querySelectorAll("ruby")) {
    const reading = ruby.querySelector("rt");
    reading.remove();
    ruby.replaceWith(`｜${ruby.textContent}《${reading.textContent}》`);
  }
  return copy.textContent.trim();
}
