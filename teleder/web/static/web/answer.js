// The answer form: the reason beside the action, a refusal that cannot be missed, and a claim that is lost while typing.
import * as drafts from "./drafts.js";

const title = document.title;
let byArrow = false;

const answer = () => document.querySelector("#answer[data-draft]");

// --- The reason for a lower urgency ---------------------------------------------------------------------------
const chosenAction = () => document.querySelector("#answer input[name=disposition]:checked");

function isLower() {
  const chosen = chosenAction();
  return Boolean(chosen) && Number(chosen.dataset.urgency) < Number(present());
}

const nameOf = (urgency) => document.querySelector(`#answer input[data-urgency="${urgency}"]`).parentElement.querySelector("span:not([class])").textContent;

function present() {
  return document.querySelector("#state [data-level]")?.dataset.level ?? document.getElementById("answer-form").dataset.level;
}

export function showReason({ takeFocus = false } = {}) {
  const row = document.querySelector("[data-reason]");
  if (!row) return;
  const reason = row.querySelector("textarea");
  const wasHidden = row.hidden;
  const isLow = isLower();
  row.hidden = row.dataset.reason !== "always" && !isLow;
  const fromTo = row.querySelector("[data-from-to]");
  if (fromTo) fromTo.textContent = isLow ? `${nameOf(present())} → ${nameOf(chosenAction().dataset.urgency)}` : "";
  reason.required = isLow || row.dataset.reason === "always";
  // On the first of the ready reasons: the keys 7, 8, 9 work there.
  if (wasHidden && !row.hidden && takeFocus) (row.querySelector("[data-reason-text]") ?? reason).focus();
}

// --- A refusal ------------------------------------------------------------------------------------------------
export function showRefusal() {
  const refused = document.getElementById("not-signed");
  document.title = refused ? `${refused.dataset.title} · ${title}` : title;
  if (!refused) return;
  // The block stands on top of the column, the bar of Sign below: between both the field that it names is in view.
  document.querySelector("#answer [aria-invalid]")?.closest("fieldset, .reply, .field, .diagnosis")?.scrollIntoView({ block: "center" });
  refused.focus({ preventScroll: true });
  refused.scrollIntoView({ block: "nearest" });
}

// --- A lost claim ---------------------------------------------------------------------------------------------
// The form stops, its text can still be read and copied.
async function stopForm() {
  const form = document.getElementById("answer-form");
  if (!form || form.dataset.stopped) return;
  form.dataset.stopped = "true";
  await drafts.save();
  for (const element of form.elements) {
    if (element.matches("textarea")) element.readOnly = true;
    else if (element.type !== "hidden") element.disabled = true;
  }
  const lost = document.getElementById("lost");
  lost?.focus({ preventScroll: true });
  lost?.scrollIntoView({ block: "nearest" });
}

// A colleague's correction was sent or undone: the form goes on by itself. Whether the answer has changed, the server says at the signing.
function goOn() {
  const [form, lost] = [document.getElementById("answer-form"), document.querySelector("#lost[data-waits]")];
  if (!form?.dataset.stopped || !lost || document.querySelector("#state [data-held]")) return;
  delete form.dataset.stopped;
  for (const element of form.elements) {
    element.readOnly = false;
    element.disabled = false;
  }
  document.getElementById("news").textContent = lost.dataset.waits;
  const hadFocus = lost.contains(document.activeElement);
  document.getElementById("claim-lost").replaceChildren();
  if (hadFocus) document.getElementById("id_text").focus({ preventScroll: true });
}

document.addEventListener("claim-lost", ({ detail }) => {
  const place = document.getElementById("claim-lost");
  if (!document.getElementById("lost")) place.innerHTML = detail;
  stopForm();
});
document.addEventListener("htmx:afterSettle", ({ target }) => {
  if (document.getElementById("lost")) stopForm();
  // Polled: the claim went to somebody else, or the urgency rose.
  if (target.id === "state" || target.querySelector?.("#state")) {
    const hadClaim = document.getElementById("keep-claim");
    const isLost = hadClaim && !document.querySelector("#state [data-mine]");
    if (isLost && !document.getElementById("lost")) window.htmx.trigger(hadClaim, "lost");
    goOn();
    showReason();
  }
});

// --- Wiring ---------------------------------------------------------------------------------------------------
document.addEventListener("keydown", ({ key }) => (byArrow = key.startsWith("Arrow")), { capture: true });
document.addEventListener("pointerdown", () => (byArrow = false), { capture: true });
document.addEventListener("change", ({ target }) => {
  if (target.closest("#answer")) drafts.keep(answer());
  if (target.matches("input[name=disposition]")) showReason({ takeFocus: !byArrow });
});
document.addEventListener("htmx:configRequest", ({ detail }) => {
  if (detail.elt.matches("[data-sign]")) drafts.stop();
});
document.addEventListener("visibilitychange", () => {
  if (document.hidden) drafts.save();
});
