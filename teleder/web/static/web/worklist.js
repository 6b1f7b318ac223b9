// The worklist by keyboard: j and k walk the rows, c claims, Enter opens. Focus survives the refresh.
import * as drafts from "./drafts.js";
import * as keys from "./keys.js";
import * as polling from "./polling.js";

let current = 0;
const links = () => [...document.querySelectorAll("[data-row] .row-link")];

function walk(step) {
  const all = links();
  current = Math.max(0, Math.min(all.length - 1, current + step));
  all[current]?.focus();
}

function claim() {
  links()[current]?.closest("[data-row]").querySelector("[data-claim]")?.click();
}

const verbs = { j: () => walk(1), k: () => walk(-1), c: claim };

function onKey(event) {
  const typing = event.target.matches("input, textarea, select") || document.querySelector("dialog[open]");
  if (!keys.keysAreOn() || typing || event.ctrlKey || event.metaKey || event.altKey || !verbs[event.key]) return;
  event.preventDefault();
  verbs[event.key]();
}

function remember({ target }) {
  const row = target.closest("[data-row]");
  if (row) current = links().indexOf(row.querySelector(".row-link"));
}

// A refresh replaces the rows: keep the focus on the submission, not on its position.
let focused = null;
document.addEventListener("htmx:beforeSwap", () => {
  const row = document.activeElement.closest("[data-row]");
  focused = row ? row.querySelector(".row-link").id : null;
});
document.addEventListener("htmx:afterSwap", () => {
  if (!focused) return;
  const same = document.getElementById(focused) ?? links()[Math.min(current, links().length - 1)];
  if (document.activeElement === document.body) same?.focus();
  current = Math.max(0, links().indexOf(same));
});

document.addEventListener("keydown", onKey);
document.addEventListener("focusin", remember);
keys.start();
polling.start();
drafts.forgetOld();
drafts.forgetDone();
