// The worklist by keyboard: j and k walk the rows, c claims, u brings back what is snoozed, x selects, h and Shift+A ask, Enter opens.
// Focus, selection and scroll survive the refresh, and a row's photo and history appear beside it.
import * as drafts from "./drafts.js";
import * as keys from "./keys.js";
import * as polling from "./polling.js";

const PREVIEW_MS = 200; // who walks on does not look at it
const list = document.querySelector(".list");
const dialog = document.getElementById("ask");
const heading = document.getElementById("list-title");
let now = null; // the id of the row's link
let at = -1; // and where it stood
let lastPicked = null;
const picked = new Set();

const links = () => [...list.querySelectorAll("[data-row] .row-link")];
const rowOf = (link) => link?.closest("[data-row]");
const current = () => document.getElementById(now ?? "") ?? null;
const boxOf = (link) => rowOf(link).querySelector("[name=case]");

// --- Rows -----------------------------------------------------------------------------------------------------
function walk(step) {
  const all = links();
  const from = current() ? all.indexOf(current()) : at;
  const next = from < 0 ? 0 : Math.max(0, Math.min(all.length - 1, from + step));
  all[next]?.focus();
}

function press(button) {
  rowOf(current())?.querySelector(button)?.click();
}

function pick({ through = false } = {}) {
  const all = links();
  if (!current()) return;
  const here = all.indexOf(current());
  const there = through && lastPicked ? all.findIndex((link) => link.id === lastPicked) : here;
  const wanted = through ? true : !boxOf(current()).checked;
  for (const link of all.slice(Math.min(here, there < 0 ? here : there), Math.max(here, there) + 1)) boxOf(link).checked = wanted;
  lastPicked = now;
  showPicked();
}

function showPicked() {
  picked.clear();
  for (const box of list.querySelectorAll("[name=case]:checked")) picked.add(box.value);
  const text = document.querySelector("#bulk [data-number]");
  text.textContent = text.dataset.number.replace("{n}", picked.size);
}

function clear() {
  list.querySelectorAll("[name=case]:checked").forEach((box) => (box.checked = false));
  showPicked();
}

// --- Asking: to whom, how long --------------------------------------------------------------------------------
function ask(word, cases) {
  if (!cases.length) return;
  const inputs = cases.map((pk) => Object.assign(document.createElement("input"), { name: "case", value: pk }));
  document.getElementById("asked").replaceChildren(...inputs);
  window.htmx.trigger(document.getElementById(`ask-${word}`), "ask");
}

function showAsked() {
  if (!dialog.open) dialog.showModal();
  // On the first choice: the keys of the choices do not work in a field.
  (dialog.querySelector("[data-key]") ?? dialog.querySelector("select, button"))?.focus();
}

const chosen = () => (picked.size ? [...picked] : current() ? [boxOf(current()).value] : []);

const verbs = {
  j: () => walk(1),
  k: () => walk(-1),
  c: () => press("[data-claim]"),
  u: () => press("[data-back]"),
  x: () => pick(),
  "Shift+X": () => pick({ through: true }),
  "Shift+A": () => ask("assign", chosen()),
  h: () => ask("snooze", chosen()),
  Escape: clear,
};

function onKey(event) {
  const verb = verbs[keys.nameOf(event)];
  if (!keys.keysAreOn() || keys.isBusy(event) || dialog.open || document.querySelector("dialog[open]") || !verb) return;
  if (event.repeat && !["j", "k"].includes(keys.nameOf(event))) return;
  event.preventDefault();
  verb();
}

// --- The row in focus -----------------------------------------------------------------------------------------
let timer = 0;

function mark() {
  for (const row of list.querySelectorAll("[data-row].is-now")) row.classList.remove("is-now");
  rowOf(current())?.classList.add("is-now");
}

function unveil(row) {
  const veil = row.querySelector("[data-sharp]");
  if (!veil || veil.querySelector(".sharp")) return;
  const image = Object.assign(new Image(48, 48), { alt: "", className: "sharp", src: veil.dataset.sharp });
  veil.append(image);
}

function veil(row) {
  row.querySelector("[data-sharp] .sharp")?.remove();
}

function preview(row) {
  clearTimeout(timer);
  const pane = document.getElementById("preview");
  if (!pane.checkVisibility() || pane.dataset.of === now) return;
  timer = setTimeout(() => {
    pane.dataset.of = now;
    window.htmx.trigger(row, "look");
  }, PREVIEW_MS);
}

function choose({ target }) {
  const row = target.closest?.("[data-row]");
  if (!row) return;
  const before = rowOf(current());
  if (before && before !== row) veil(before);
  const link = row.querySelector(".row-link");
  [now, at] = [link.id, links().indexOf(link)];
  mark();
  if (before !== row) unveil(row);
  preview(row);
}

// A refresh replaces the rows: the focus stays on the submission, not on its position.
let hadFocus = false;
document.addEventListener("htmx:beforeSwap", () => {
  hadFocus = Boolean(document.activeElement.closest?.("[data-row]"));
});
document.addEventListener("htmx:afterSettle", ({ target }) => {
  if (target === dialog) return showAsked();
  if (target.id === "preview") return;
  for (const box of list.querySelectorAll("[name=case]")) box.checked = picked.has(box.value);
  showPicked();
  const all = links();
  const same = current() ?? all[Math.min(Math.max(at, 0), all.length - 1)];
  if (hadFocus && document.activeElement === document.body) (same ?? heading).focus();
  mark();
  if (current()) unveil(rowOf(current()));
});
// What was asked is answered: the list has it.
document.addEventListener("htmx:afterRequest", ({ detail }) => {
  if (!detail.successful || !dialog.contains(detail.elt)) return;
  dialog.close();
  clear();
  hadFocus = true; // the dialog is closed: focus goes to the row, or to the one in its place
  delete document.getElementById("preview").dataset.of;
});

document.addEventListener("keydown", onKey);
document.addEventListener("focusin", choose);
list.addEventListener("change", showPicked);
document.addEventListener("reset", () => setTimeout(showPicked));
document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-ask]");
  if (!button) return;
  event.preventDefault();
  const one = button.form.querySelector("[type=hidden][name=case]");
  ask(button.dataset.ask, one ? [one.value] : chosen());
});
if (!location.hash) heading.focus({ preventScroll: true }); // after a case or a search the list begins here
keys.start();
polling.start();
drafts.forgetOld();
drafts.forgetDone();
