// The review page: photo, layers, answer, drafts, shortcuts. Every action works without this script.
import * as answers from "./answer.js";
import * as correct from "./correct.js";
import * as decide from "./decide.js";
import * as drafts from "./drafts.js";
import * as keys from "./keys.js";
import * as layers from "./layers.js";
import * as polling from "./polling.js";
import * as viewer from "./viewer.js";

// --- What arrives while the page is open ------------------------------------------------------------------------
// A photo, a finding or a note of a colleague shows itself; focus, scroll and typed text stay.
const stamps = () => ({ ...document.querySelector("#state [data-photos]")?.dataset });
let known = stamps();
let news = "";

function refreshWhenNew() {
  const now = stamps();
  const { photoNews, aiNews, colleagueNews } = document.getElementById("news").dataset;
  const hasPhoto = now.photos !== known.photos;
  const isRead = now.ai !== known.ai;
  const hasNote = now.colleagues !== known.colleagues;
  known = now;
  const said = [hasPhoto ? photoNews : isRead && aiNews, hasNote && colleagueNews];
  if (hasPhoto || isRead || hasNote) news = said.filter(Boolean).join(" ");
  if (hasPhoto || isRead) window.htmx.trigger(document.getElementById("refresh"), "refresh");
  if (hasNote) window.htmx.trigger(document.getElementById("among-colleagues"), "refresh");
}

function announce() {
  if (news) document.getElementById("news").textContent = news;
  news = "";
}

// --- Focus ------------------------------------------------------------------------------------------------------
// What a swap takes away hands focus to what stands in its place; a panel that opens takes it, and gives it back at Esc.
let swapped = ""; // the id of the target, where something had focus

function keepFocus(target) {
  if (!target.id || target.id !== swapped || document.activeElement !== document.body) return;
  const place = document.getElementById(target.id)?.querySelector(".view[tabindex], [tabindex='-1']");
  (place ?? document.getElementById("case")).focus({ preventScroll: true });
}

document.addEventListener("htmx:beforeSwap", ({ target }) => (swapped = document.activeElement === document.body ? "" : target.id));
document.addEventListener(
  "toggle",
  ({ target }) => {
    if (target.matches("details.case-pop[open]")) target.querySelector("select, button")?.focus();
  },
  true, // it does not bubble
);
document.addEventListener("keydown", (event) => {
  const panel = event.target.closest?.("details.case-pop[open]");
  if (event.key !== "Escape" || !panel) return;
  event.preventDefault();
  panel.open = false;
  panel.querySelector("summary").focus();
});

// A layer that the photo does not have (yet) says so when its key is pressed.
function sayNoLayer(event) {
  const { noLayer } = document.getElementById("news").dataset;
  const name = keys.nameOf(event);
  if (!["m", "b", "h"].includes(name) || document.querySelector(`[data-layer][data-key="${name}"]`)) return;
  document.getElementById("news").textContent = noLayer;
}

// --- Wiring ---------------------------------------------------------------------------------------------------
function prepare(how) {
  layers.apply();
  correct.prepare();
  for (const section of document.querySelectorAll("[data-draft]")) drafts.bringBack(section, how);
  answers.showReason();
  answers.showRefusal();
}

document.addEventListener("click", layers.onClick);
document.addEventListener("keydown", (event) => {
  if (!keys.keysAreOn() || keys.isBusy(event)) return;
  if (event.key === ",") layers.changeOpacity(-10);
  else if (event.key === ".") layers.changeOpacity(10);
  else viewer.onArrow(event);
  sayNoLayer(event);
});
document.addEventListener("input", ({ target }) => {
  const section = target.closest("[data-draft]");
  if (section) drafts.keep(section);
  if (target.matches("[data-opacity]")) layers.setOpacity(Number(target.value));
});
document.addEventListener("htmx:beforeSwap", ({ detail }) => {
  if (![409, 422].includes(detail.xhr.status)) return;
  detail.shouldSwap = true;
  detail.isError = false; // a refusal is an answer
});
document.addEventListener("htmx:afterSettle", ({ target }) => {
  keepFocus(target);
  if (target.id === "state") refreshWhenNew();
  if (["photo", "among-colleagues"].includes(target.id)) announce();
  if (!["photo", "answer"].includes(target.id)) return;
  prepare();
  const section = document.querySelector("#answer[data-draft]");
  if (section) drafts.keep(section);
  if (target.id === "answer") decide.prepare();
  document.querySelector("#answer .preview [data-focus]")?.focus();
});

drafts.forgetOld();
const isRefused = document.getElementById("not-signed");
if (!location.hash && !isRefused) document.getElementById("case").focus({ preventScroll: true });
drafts.forgetDone();
viewer.start();
correct.start();
prepare({ isOpened: true });
decide.start();
keys.start();
polling.start();
