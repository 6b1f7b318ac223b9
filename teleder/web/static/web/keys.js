// Shortcuts: the keys in data-key ("n", "Shift+A", "g w") click an element, or focus a text field. Letters and digits are told by their
// place on the keyboard: with a Japanese input method on, `key` is no letter. None works in a field, or while text is composed.
// They can be switched off (WCAG 2.1.4); the choice is kept on this device.
const SWITCH = "teleder.keys";
const CHORD_MS = 1500;
const WRITES = "textarea, select, input:not([type=radio], [type=checkbox], [type=range])";

export const keysAreOn = () => localStorage.getItem(SWITCH) !== "off";

// Also of Ctrl and Alt: they belong to the browser.
export function isBusy(event) {
  const typing = event.target.matches?.(WRITES) || event.target.isContentEditable || event.isComposing;
  return Boolean(typing || event.ctrlKey || event.metaKey || event.altKey);
}

export function nameOf(event) {
  const [, letter, digit] = /^(?:Key([A-Z])|Digit(\d))$/.exec(event.code) ?? [];
  if (letter) return event.shiftKey ? `Shift+${letter}` : letter.toLowerCase();
  return digit && !event.shiftKey ? digit : event.key;
}

const openDialog = () => document.querySelector("dialog[open]");
const canPress = (element) => !element.disabled && (element.checkVisibility() || "keyAlways" in element.dataset);

function targetOf(keys) {
  const within = openDialog() ?? document;
  return [...within.querySelectorAll("[data-key]")].find((e) => e.dataset.key === keys && canPress(e));
}

function press(element) {
  if (element.matches(WRITES)) element.focus();
  else element.click();
  if (element.matches("input[type=radio]")) element.focus();
}

let first = ""; // of two keys
let since = 0;

function onKey(event) {
  if (!keysAreOn() || isBusy(event) || event.repeat || event.defaultPrevented) return;
  const name = nameOf(event);
  const both = first && event.timeStamp - since < CHORD_MS ? `${first} ${name}` : "";
  const target = (both && targetOf(both)) || targetOf(name);
  [first, since] = both && target ? ["", 0] : [name, event.timeStamp];
  if (!target) return;
  event.preventDefault();
  press(target);
}

function show(box) {
  box.checked = keysAreOn();
  for (let hidden; (hidden = box.closest("[hidden]")); ) hidden.hidden = false;
}

let isStarted = false;

export function start() {
  if (isStarted) return;
  isStarted = true;
  document.addEventListener("keydown", onKey);
  const boxes = document.querySelectorAll("[data-keys-switch]");
  boxes.forEach((box) => {
    show(box);
    box.addEventListener("change", () => {
      localStorage.setItem(SWITCH, box.checked ? "on" : "off");
      boxes.forEach(show);
    });
  });
  document.querySelectorAll("[data-open]").forEach((button) => {
    button.hidden = false;
    button.addEventListener("click", () => document.getElementById(button.dataset.open).showModal());
  });
}
