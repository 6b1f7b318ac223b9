// The review page: layers (off at first), zoom, drafts, shortcuts. Every action works without this script.
import * as drafts from "./drafts.js";
import * as keys from "./keys.js";
import * as polling from "./polling.js";

const SKIN = 1;
const LESION = 2;
const COLOURS = { [SKIN]: [0, 110, 200, 70], [LESION]: [214, 0, 92, 190] };
const EDGE = [255, 255, 255, 255];
const CHANNELS = { map: 0, "area-map": 1 }; // of the heat map image: red is of the photo, green of the area
const MAP_COLOUR = [255, 220, 0];
const shown = { mask: false, boxes: false, map: false, "area-map": false, zoom: "fit", opacity: 50 };

// --- Layers ---------------------------------------------------------------------------------------------------
function drawn(image, canvas, { smooth }) {
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.imageSmoothingEnabled = smooth;
  context.drawImage(image, 0, 0, canvas.width, canvas.height);
  const pixels = context.getImageData(0, 0, canvas.width, canvas.height);
  return [context, pixels];
}

function isEdge(map, at, width) {
  return map[at] === LESION && [at - 1, at + 1, at - width, at + width].some((next) => map[next] !== LESION);
}

function paintMask(canvas, image) {
  const [context, pixels] = drawn(image, canvas, { smooth: false });
  const map = Uint8Array.from({ length: pixels.data.length / 4 }, (_, at) => pixels.data[at * 4]);
  map.forEach((kind, at) => {
    const colour = isEdge(map, at, canvas.width) ? EDGE : (COLOURS[kind] ?? [0, 0, 0, 0]);
    pixels.data.set(colour, at * 4);
  });
  context.putImageData(pixels, 0, 0);
}

function paintMap(canvas, image) {
  const [context, pixels] = drawn(image, canvas, { smooth: true });
  const channel = CHANNELS[canvas.dataset.of];
  for (let at = 0; at < pixels.data.length; at += 4) {
    pixels.data.set([...MAP_COLOUR, pixels.data[at + channel]], at);
  }
  context.putImageData(pixels, 0, 0);
}

function load(canvas) {
  if (canvas.dataset.painted) return;
  const image = new Image();
  image.addEventListener("load", () => {
    (canvas.dataset.of in CHANNELS ? paintMap : paintMask)(canvas, image);
    canvas.dataset.painted = "true";
  });
  image.src = canvas.dataset.src;
}

function applyLayer(canvas) {
  const isShown = shown[canvas.dataset.of];
  if (isShown) load(canvas);
  canvas.toggleAttribute("hidden", !isShown);
  canvas.style.opacity = shown.opacity / 100;
}

function apply() {
  const photo = document.getElementById("photo");
  photo.querySelectorAll("[data-layer]").forEach((b) => b.setAttribute("aria-pressed", String(shown[b.dataset.layer])));
  photo.querySelectorAll("canvas.layer").forEach(applyLayer);
  photo.querySelectorAll("[data-key-of]").forEach((key) => (key.hidden = !key.dataset.keyOf.split(" ").some((of) => shown[of])));
  photo.querySelectorAll("[data-opacity]").forEach((slider) => (slider.value = shown.opacity));
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
function prepare(how) {
  document.querySelectorAll(".tools").forEach((tools) => (tools.hidden = false));
  apply();
  const section = document.querySelector("[data-draft]");
  if (section) drafts.bringBack(section, how);
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
prepare({ isOpened: true });
keys.start();
polling.start();
