// Keeps a dermatologist's unsigned text on the server every few seconds, for them and for whoever holds the case next.
// Until the server has it, it is on this device too, so that a closed browser or a lost network loses nothing.
const PREFIX = "teleder.draft.";
const KEPT_MS = 24 * 3600 * 1000;
const SAVE_MS = 3000;
const NAMES = ["impression", "diagnosis", "confidence", "disposition", "text", "template", "plan_template", "template_language", "today", "this_week", "next_photo", "next_photo_date", "reason", "amends"];

let timer = null;

const formOf = (section) => section.querySelector("form");

// Stores the form on this device at once, and on the server soon.
export function keep(section) {
  const form = formOf(section);
  const values = Object.fromEntries(new FormData(form));
  const kept = { at: Date.now() };
  for (const name of NAMES.filter((each) => each in form.elements)) kept[name] = values[name] ?? "";
  localStorage.setItem(PREFIX + section.dataset.draft, JSON.stringify(kept));
  timer ??= setTimeout(save, SAVE_MS);
}

// Sends what is on this device only. Where the claim is lost, the server keeps the text and says so (409).
export async function save() {
  clearTimeout(timer);
  timer = null;
  const section = document.querySelector("#answer[data-draft]");
  const key = section && PREFIX + section.dataset.draft;
  const sent = section && localStorage.getItem(key);
  if (!sent) return;
  let answer;
  try {
    answer = await fetch(formOf(section).dataset.draftUrl, { method: "POST", body: new FormData(formOf(section)), keepalive: true });
  } catch {
    timer ??= setTimeout(save, SAVE_MS);
    return;
  }
  if (answer.redirected || (!answer.ok && answer.status !== 409)) return; // to the log-in: the server does not have it
  if (localStorage.getItem(key) === sent) localStorage.removeItem(key);
  const text = await answer.text();
  if (answer.status === 409) document.dispatchEvent(new CustomEvent("claim-lost", { detail: text }));
  else document.getElementById("draft-state").textContent = text.trim();
}

// After signing: an answer that was signed has no draft.
export function stop() {
  clearTimeout(timer);
  timer = null;
}

// A newly opened page restores a correction too, if it corrects the answer that is still in force.
export function bringBack(section, { isOpened = false } = {}) {
  const stored = localStorage.getItem(PREFIX + section.dataset.draft);
  const form = formOf(section);
  if (!stored) return;
  const kept = JSON.parse(stored);
  const isOfThisAnswer = kept.amends === form.elements.amends?.value;
  if (form.elements.text.value && !(isOpened && isOfThisAnswer)) return;
  const names = NAMES.filter((each) => each !== "amends" && each in form.elements);
  // While the AI's opinion is covered, the impression must be chosen again: that opens it.
  const asked = document.querySelector("#opinion .cover") ? names.filter((each) => each !== "impression") : names;
  for (const name of asked) form.elements[name].value = kept[name] ?? ""; // of an older release: not all
  section.querySelector(":scope > details")?.setAttribute("open", "");
  timer ??= setTimeout(save, SAVE_MS);
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
