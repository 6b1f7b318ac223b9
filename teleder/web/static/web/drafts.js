// What a dermatologist is writing, kept on this device until it is signed: a closed browser loses no text.
const PREFIX = "teleder.draft.";
const KEPT_MS = 24 * 3600 * 1000;

export function keep(section) {
  const form = section.querySelector("form");
  const values = Object.fromEntries(new FormData(form));
  const kept = { at: Date.now() };
  for (const name of ["impression", "disposition", "text", "reason"]) kept[name] = values[name] ?? "";
  localStorage.setItem(PREFIX + section.dataset.draft, JSON.stringify(kept));
}

export function bringBack(section) {
  const stored = localStorage.getItem(PREFIX + section.dataset.draft);
  const form = section.querySelector("form");
  if (!stored || form.elements.text.value) return;
  const kept = JSON.parse(stored);
  for (const name of ["impression", "disposition", "text", "reason"]) form.elements[name].value = kept[name];
}

export function forget(submission) {
  localStorage.removeItem(PREFIX + submission);
}

export function forgetOld() {
  for (const key of Object.keys(localStorage).filter((name) => name.startsWith(PREFIX))) {
    if (Date.now() - JSON.parse(localStorage.getItem(key)).at > KEPT_MS) localStorage.removeItem(key);
  }
}

// After signing, the page that follows names what is done; its draft goes, and the name leaves the address.
export function forgetDone() {
  const done = document.querySelector("[data-done]")?.dataset.done;
  if (!done) return;
  forget(done);
  const address = new URL(location);
  address.searchParams.delete("done");
  history.replaceState(null, "", address);
}
