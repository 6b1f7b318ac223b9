// Keeps a dermatologist's text on this device until it is signed, so that closing the browser loses nothing.
const PREFIX = "teleder.draft.";
const KEPT_MS = 24 * 3600 * 1000;
const NAMES = ["impression", "disposition", "text", "reason", "amends"];

export function keep(section) {
  const form = section.querySelector("form");
  const values = Object.fromEntries(new FormData(form));
  const kept = { at: Date.now() };
  for (const name of NAMES) kept[name] = values[name] ?? "";
  localStorage.setItem(PREFIX + section.dataset.draft, JSON.stringify(kept));
}

// A newly opened page restores a correction too, if it corrects the answer that is still in force.
export function bringBack(section, { isOpened = false } = {}) {
  const stored = localStorage.getItem(PREFIX + section.dataset.draft);
  const form = section.querySelector("form");
  if (!stored) return;
  const kept = JSON.parse(stored);
  const isOfThisAnswer = kept.amends === form.elements.amends.value;
  if (form.elements.text.value && !(isOpened && isOfThisAnswer)) return;
  const names = NAMES.filter((each) => each !== "amends");
  // While the AI's opinion is covered, the impression must be chosen again: that opens it.
  const asked = document.querySelector("#opinion .cover") ? names.filter((each) => each !== "impression") : names;
  for (const name of asked) form.elements[name].value = kept[name];
  section.querySelector("details")?.setAttribute("open", "");
}

export function forget(submission) {
  localStorage.removeItem(PREFIX + submission);
}

export function forgetOld() {
  for (const key of Object.keys(localStorage).filter((name) => name.startsWith(PREFIX))) {
    if (Date.now() - JSON.parse(localStorage.getItem(key)).at > KEPT_MS) localStorage.removeItem(key);
  }
}

// After signing, the next page names the finished submission: delete its draft and remove the name from the URL.
export function forgetDone() {
  const done = document.querySelector("[data-done]")?.dataset.done;
  if (!done) return;
  forget(done);
  const address = new URL(location);
  address.searchParams.delete("done");
  history.replaceState(null, "", address);
}
