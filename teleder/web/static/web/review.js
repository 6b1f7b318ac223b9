// The review page: layers that stay off until asked for, zoom, drafts, keys. Every verb works without this.
import * as drafts from "./drafts.js";
import * as keys from "./keys.js";
import * as polling from "./polling.js";

const SKIN = 1;
const LESION = 2;
const COLOURS = { [SKIN]: [0, 110, 200, 70], [LESION]: [214, 0, 92, 190] };
const EDGE = [255, 255, 255, 255];
const shown = { mask: false, boxes: false, zoom: "fit", opacity: 50 };

// --- Layers ---------------------------------------------------------------------------------------------------
function classes(image, canvas) {
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.imageSmoothingEnabled = false;
  context.drawImage(image, 0, 0, canvas.width, canvas.height);
  const pixels = context.getImageData(0, 0, canvas.width, canvas.height);
  return [context, pixels];
}

function isEdge(map, at, width) {
  return map[at] === LESION && [at - 1, at + 1, at - width, at + width].some((next) => map[next] !== LESION);
}

function paint(canvas, image) {
  const [context, pixels] = classes(image, canvas);
  const map = Uint8Array.from({ length: pixels.data.length / 4 }, (_, at) => pixels.data[at * 4]);
  map.forEach((kind, at) => {
    const colour = isEdge(map, at, canvas.width) ? EDGE : (COLOURS[kind] ?? [0, 0, 0, 0]);
    pixels.data.set(colour, at * 4);
  });
  context.putImageData(pixels, 0, 0);
  canvas.dataset.painted = "true";
}

function loadMask(canvas) {
  if (canvas.dataset.painted) return;
  const image = new Image();
  image.addEventListener("load", () => paint(canvas, image));
  image.src = canvas.dataset.src;
}

function apply() {
  const photo = document.getElementById("photo");
  const canvas = photo.querySelector("canvas.mask");
  photo.querySelectorAll("[data-layer]").forEach((b) => b.setAttribute("aria-pressed", String(shown[b.dataset.layer])));
  if (canvas) {
    if (shown.mask) loadMask(canvas);
    canvas.toggleAttribute("hidden", !shown.mask);
    canvas.style.opacity = shown.opacity / 100;
    photo.querySelector("[data-mask-key]").hidden = !shown.mask;
    photo.querySelector("[data-opacity]").value = shown.opacity;
  }
  photo.querySelector("svg.boxes")?.toggleAttribute("hidden", !shown.boxes);
  photo.querySelectorAll("[data-zoom]").forEach((b) => b.setAttribute("aria-pressed", String(b.dataset.zoom === shown.zoom)));
  zoom(photo.querySelector(".stage"));
}

function zoom(stage) {
  if (!stage) return;
  stage.classList.toggle("is-fit", shown.zoom === "fit");
  stage.style.width = shown.zoom === "fit" ? "" : `${stage.dataset.width * Number(shown.zoom)}px`;
}

function showBox(number) {
  shown.boxes = true;
  apply();
  document.querySelectorAll("[data-box]").forEach((g) => g.classList.toggle("is-shown", g.dataset.box === number));
  document.querySelector(`[data-box="${number}"] rect`).scrollIntoView({ block: "center", inline: "center" });
}

function onClick({ target }) {
  const button = target.closest("button");
  if (!button) return;
  if (button.dataset.layer) shown[button.dataset.layer] = !shown[button.dataset.layer];
  else if (button.dataset.zoom) shown.zoom = button.dataset.zoom;
  else if (button.dataset.showBox) return showBox(button.dataset.showBox);
  else return;
  apply();
}

function nextZoom() {
  const steps = [...document.querySelectorAll("[data-zoom]")];
  const at = steps.findIndex((b) => b.dataset.zoom === shown.zoom);
  steps[(at + 1) % steps.length].click();
}

function onKey(event) {
  const typing = event.target.matches("input:not([type=radio], [type=range]), textarea, select");
  if (event.key === "Enter" && event.ctrlKey && event.target.closest("#answer")) {
    document.querySelector("[data-sign]").click();
  } else if (event.key === "z" && keys.keysAreOn() && !typing && !event.ctrlKey && !event.metaKey) nextZoom();
}

// --- Wiring ---------------------------------------------------------------------------------------------------
function prepare() {
  document.querySelectorAll(".tools").forEach((tools) => (tools.hidden = false));
  apply();
  const section = document.querySelector("[data-draft]");
  if (section) drafts.bringBack(section);
}

document.addEventListener("click", onClick);
document.addEventListener("keydown", onKey);
document.addEventListener("input", ({ target }) => {
  const section = target.closest("[data-draft]");
  if (section) drafts.keep(section);
  if (target.matches("[data-opacity]")) {
    shown.opacity = Number(target.value);
    apply();
  }
});
document.addEventListener("htmx:beforeSwap", ({ detail }) => {
  if ([409, 422].includes(detail.xhr.status)) detail.shouldSwap = true;
});
document.addEventListener("htmx:afterSettle", ({ target }) => {
  if (!["photo", "answer"].includes(target.id)) return;
  prepare();
  const section = document.querySelector("[data-draft]");
  if (section) drafts.keep(section);
  document.querySelector("#answer [data-focus]")?.focus();
});

drafts.forgetOld();
if (document.querySelector("[data-done]").dataset.done) document.getElementById("case").focus();
drafts.forgetDone();
prepare();
keys.start();
polling.start();
