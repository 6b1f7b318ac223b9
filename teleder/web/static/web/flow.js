// Place and history. The drawing of the body only sets the list beside it, which is the real control.
import { read, write } from "./readings.js";

const site = document.getElementById("site");
const map = site?.querySelector("[data-map]");
const valueOf = ({ dataset }) => (dataset.side ? `${dataset.site}.${dataset.side}` : dataset.site);

// A side is named by its place: "inside of the elbow (left)".
function nameOf(choice) {
  const own = read(choice.parentElement);
  const heading = document.getElementById(choice.dataset.place ?? "");
  const place = heading && read(heading);
  return place ? map.dataset.sideOf.replace("{site}", place).replace("{side}", own.toLowerCase()) : own;
}

function show() {
  const chosen = [...site.querySelectorAll("[name=places]:checked")];
  const values = chosen.map((choice) => choice.value);
  for (const part of map.querySelectorAll("[data-site]")) part.classList.toggle("on", values.includes(valueOf(part)) || values.includes(`${part.dataset.site}.both`));
  const words = site.querySelector("[data-chosen]");
  write(words, chosen.map(nameOf).map((name, n) => (n ? name[0].toLowerCase() + name.slice(1) : name)).join(map.dataset.between));
  words.parentElement.hidden = !chosen.length;
}

const placeOf = (value) => site.querySelector(`[name=places][value="${value}"]`);

// "Both" stands for the two sides: neither of them is chosen beside it.
function settle({ value, checked }) {
  const [place, side] = value.split(".");
  const others = side === "both" ? ["left", "right"] : side ? ["both"] : [];
  if (checked) for (const other of others) placeOf(`${place}.${other}`).checked = false;
}

if (map) {
  map.hidden = false;
  map.addEventListener("click", ({ target }) => {
    const part = target.closest("[data-site]");
    let choice = part && placeOf(valueOf(part));
    if (!choice) return;
    // A side that is tapped while both are chosen is taken away: the other one stays.
    const isOneOfBoth = placeOf(`${part.dataset.site}.both`)?.checked;
    if (isOneOfBoth) choice = placeOf(`${part.dataset.site}.${part.dataset.side === "left" ? "right" : "left"}`);
    choice.checked = isOneOfBoth || !choice.checked;
    choice.dispatchEvent(new Event("change", { bubbles: true }));
  });
  // Before htmx reads the form.
  site.addEventListener("change", ({ target }) => target.name === "places" && settle(target), true);
  site.addEventListener("change", show);
  site.addEventListener("change", () => site.querySelectorAll(".err").forEach((said) => (said.hidden = true)));
  show();
}

// "None of these" stands alone; before htmx reads the form.
const symptoms = [...document.querySelectorAll("[name=symptoms]")];
for (const choice of symptoms) {
  choice.addEventListener("change", () => {
    if (choice.checked) for (const other of symptoms) if (other !== choice && (choice.value === "none" || other.value === "none")) other.checked = false;
  });
}

// "None" of a list goes where something is written.
for (const list of document.querySelectorAll("[data-entries]")) {
  const none = list.querySelector("[data-none]");
  const settle = () => {
    none.disabled = [...list.querySelectorAll("[type=text]")].some(({ value }) => value.trim());
    if (none.disabled) none.checked = false;
  };
  if (none) list.addEventListener("input", settle);
  if (none) settle();
}

// "Saved" is shown only while it is true: not between a change and the server's answer to it.
const form = document.querySelector("[data-keep]");
const saved = form?.querySelector("[data-saved]");
if (saved) {
  form.addEventListener("input", () => (saved.hidden = true));
  form.addEventListener("htmx:afterRequest", ({ detail }) => (saved.hidden = detail.xhr.status !== 204 || Boolean(detail.xhr.getResponseHeader("HX-Redirect"))));
}

// What the chosen number of a scale means.
const readout = form?.querySelector("[data-readout]");
if (readout) {
  const show = () => {
    const chosen = form.querySelector("[data-word]:checked");
    readout.hidden = !chosen;
    if (!chosen) return;
    readout.firstChild.textContent = chosen.value;
    write(readout.lastChild, chosen.dataset.word);
  };
  form.addEventListener("change", show);
  show();
}

// A list of entries, one field each: more fields where the last ones are filled.
for (const more of document.querySelectorAll("[data-add-entry]")) {
  more.hidden = false;
  more.addEventListener("click", () => {
    const last = [...more.parentElement.querySelectorAll("input")].at(-1);
    const added = last.cloneNode();
    added.value = "";
    added.removeAttribute("id");
    added.setAttribute("aria-label", last.getAttribute("aria-label").replace(/\d+$/, (n) => Number(n) + 1));
    last.after(added);
    added.focus();
  });
}
