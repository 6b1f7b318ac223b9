// What is typed and not stored yet. It is kept in this browser, for one person and one form (`data-words="KEY"`), so that it
// outlasts the session: after the log-in it is in the form again. It goes when the server has it, when the draft is sent, when
// the person logs out, and when somebody else uses the browser.
const PREFIX = "teleder.words.";
const KEPT_MS = 7 * 24 * 3600_000;
const person = document.body.dataset.person; // undefined: nobody is logged in

const keys = () => Object.keys(localStorage).filter((key) => key.startsWith(PREFIX));

// Deletes what is kept, or of a logged-in person the forms of which `isOver(key)` is true.
export function forget(isOver) {
  const mine = `${PREFIX}${person}.`;
  try {
    for (const key of keys()) if (!isOver || (key.startsWith(mine) && isOver(key.slice(mine.length)))) localStorage.removeItem(key);
  } catch {
    // This browser stores nothing, for example in a private window.
  }
}

const valuesOf = (form) => JSON.stringify([...new FormData(form)].filter(([name]) => name !== "csrfmiddlewaretoken"));

function fill(form, values) {
  const left = JSON.parse(values);
  for (const field of form.elements) {
    const isChoice = field.type === "checkbox" || field.type === "radio";
    if (!field.name || !(isChoice || field.matches("textarea, [type=text], select"))) continue;
    const at = left.findIndex(([name, value]) => name === field.name && (!isChoice || value === field.value));
    if (isChoice) field.checked = at >= 0;
    else field.value = at < 0 ? "" : left[at][1];
    if (at >= 0) left.splice(at, 1);
  }
  // Fields that were added to a list.
  for (const [name, value] of left) {
    const last = [...form.querySelectorAll(`[type=text][name="${name}"]`)].at(-1);
    if (last) last.after(Object.assign(last.cloneNode(), { value }));
  }
}

function watch(form) {
  const key = `${PREFIX}${person}.${form.dataset.words}`;
  // A question that was sent: its form had another number (ask.ID.NUMBER).
  const thread = form.dataset.words.match(/^ask\.[^.]+\./)?.[0];
  if (thread) for (const old of keys()) if (old !== key && old.startsWith(`${PREFIX}${person}.${thread}`)) localStorage.removeItem(old);
  const kept = JSON.parse(localStorage.getItem(key));
  // What the server had when the typing began. A form that was refused shows what was typed, not what is stored.
  let base = form.hasAttribute("data-refused") ? kept?.base : valuesOf(form);
  let sent;
  const keep = () => {
    const values = valuesOf(form);
    if (values === base) localStorage.removeItem(key);
    else localStorage.setItem(key, JSON.stringify({ at: Date.now(), base, values }));
  };
  // Stored since, here or on another device: what the server has is newer.
  if (kept && kept.base !== base) localStorage.removeItem(key);
  else if (kept && !form.hasAttribute("data-refused") && kept.values !== valuesOf(form)) {
    fill(form, kept.values);
    const note = form.querySelector("[data-brought-back]");
    if (note) note.hidden = false;
    // Where a script stores the form, it does so now; htmx listens from "load" on.
    addEventListener("load", () => form.dispatchEvent(new Event("change", { bubbles: true })));
  }
  form.addEventListener("input", keep);
  form.addEventListener("change", keep);
  form.addEventListener("submit", keep); // what was typed before this script was there
  form.addEventListener("htmx:beforeRequest", () => (sent = valuesOf(form)));
  form.addEventListener("htmx:afterRequest", ({ detail: { xhr } }) => {
    if (xhr.status !== 204 || xhr.getResponseHeader("HX-Redirect")) return;
    base = sent;
    keep();
  });
}

try {
  const isOld = (key) => !(Date.now() - JSON.parse(localStorage.getItem(key)).at < KEPT_MS);
  const isOthers = (key) => person && !key.startsWith(`${PREFIX}${person}.`);
  for (const key of keys()) if (isOthers(key) || isOld(key)) localStorage.removeItem(key);
  if (person) for (const form of document.querySelectorAll("form[data-words]")) watch(form);
} catch {
  // This browser stores nothing, for example in a private window.
}
