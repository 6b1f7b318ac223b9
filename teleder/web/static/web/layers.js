// What the AI marked on the photo: outline, boxes, heat. All is off until asked for, and stays so chosen for the next photo.
import * as viewer from "./viewer.js";

const LESION = 2;
const FILL = [77, 227, 255, 26]; // of --layer-lesion: a filled mask hides redness
const EDGE = [77, 227, 255, 255];
const EDGE_PX = 3; // of the analysis copy
const HEAT = [255, 220, 0];
const CHANNELS = { map: 0, "area-map": 1 }; // of the heat map image: red is of the photo, green of the area
const MOST_OUTSIDE = 0.5; // share of the heat: more is a warning
const shown = { mask: false, boxes: false, map: false, "area-map": false, distances: false, wide: false, opacity: 50 };

// --- Painting ---------------------------------------------------------------------------------------------------
function drawn(image, width, height, smooth) {
  const canvas = Object.assign(document.createElement("canvas"), { width, height });
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.imageSmoothingEnabled = smooth;
  context.drawImage(image, 0, 0, width, height);
  return context.getImageData(0, 0, width, height);
}

function paintMask(pixels, width) {
  const map = Uint8Array.from({ length: pixels.data.length / 4 }, (_, at) => pixels.data[at * 4]);
  const steps = Array.from({ length: EDGE_PX }, (_, n) => [n + 1, -n - 1, (n + 1) * width, -(n + 1) * width]).flat();
  map.forEach((kind, at) => {
    const isEdge = kind === LESION && steps.some((step) => map[at + step] !== LESION);
    pixels.data.set(isEdge ? EDGE : kind === LESION ? FILL : [0, 0, 0, 0], at * 4);
  });
}

function paintHeat(pixels, channel) {
  for (let at = 0; at < pixels.data.length; at += 4) pixels.data.set([...HEAT, pixels.data[at + channel]], at);
}

const loaded = (src) =>
  new Promise((resolve, reject) => {
    const image = Object.assign(new Image(), { onload: () => resolve(image), onerror: reject });
    image.src = src;
  });

// How much of the heat lies where no lesion was marked, 0 to 1.
function shareOutside(heat, mask) {
  let [all, outside] = [0, 0];
  for (let at = 0; at < heat.data.length; at += 4) {
    all += heat.data[at + 3];
    if (mask.data[at] !== LESION) outside += heat.data[at + 3];
  }
  return all && outside / all;
}

async function warnOfHeat(heat, { width, height }) {
  const mask = document.querySelector("canvas[data-of=mask]");
  const words = document.getElementById("heat-outside");
  if (!mask || !words) return;
  const share = shareOutside(heat, drawn(await loaded(mask.dataset.src), width, height, false));
  words.textContent = share > MOST_OUTSIDE ? words.dataset.words : "";
}

const begun = new WeakSet();

async function paint(canvas) {
  if (begun.has(canvas)) return;
  begun.add(canvas);
  const isHeat = canvas.dataset.of in CHANNELS;
  const pixels = drawn(await loaded(canvas.dataset.src), canvas.width, canvas.height, isHeat);
  if (isHeat) paintHeat(pixels, CHANNELS[canvas.dataset.of]);
  else paintMask(pixels, canvas.width);
  canvas.getContext("2d", { willReadFrequently: true }).putImageData(pixels, 0, 0);
  canvas.dataset.painted = "true";
  if (isHeat) await warnOfHeat(pixels, canvas);
}

// --- Showing ----------------------------------------------------------------------------------------------------
const press = (button, isOn) => button.setAttribute("aria-pressed", String(isOn));

export function apply() {
  const photo = document.getElementById("photo");
  photo.querySelectorAll(".tools").forEach((tools) => (tools.hidden = false));
  photo.querySelectorAll("[data-layer]").forEach((button) => press(button, shown[button.dataset.layer]));
  photo.querySelectorAll("canvas.layer").forEach((canvas) => {
    const isOn = shown[canvas.dataset.of];
    if (isOn) paint(canvas);
    canvas.toggleAttribute("hidden", !isOn);
    canvas.style.opacity = shown.opacity / 100;
  });
  photo.querySelectorAll("[data-key-of]").forEach((key) => (key.hidden = !key.dataset.keyOf.split(" ").some((of) => shown[of])));
  photo.querySelectorAll("[data-opacity]").forEach((slider) => (slider.value = shown.opacity));
  photo.querySelector("svg.boxes")?.toggleAttribute("hidden", !shown.boxes);
  const strip = photo.querySelector("[data-distance-strip]");
  if (strip) strip.hidden = !shown.distances;
  photo.querySelectorAll("[data-distance-switch]").forEach((button) => press(button, shown.distances));
  document.querySelector(".case").classList.toggle("is-wide", shown.wide);
  photo.querySelectorAll("[data-wide]").forEach((button) => press(button, shown.wide));
  viewer.show();
}

function showBox(number) {
  shown.boxes = true;
  apply();
  document.querySelectorAll("[data-box]").forEach((box) => box.classList.toggle("is-shown", box.dataset.box === number));
  document.querySelectorAll("[data-show-box]").forEach((button) => press(button, button.dataset.showBox === number));
  const { x, y, width, height } = document.querySelector(`[data-box="${number}"] .edge`);
  const whole = document.querySelector("svg.boxes").viewBox.baseVal;
  const share = (length, side) => length.baseVal.value / side;
  viewer.frame({
    x: share(x, whole.width),
    y: share(y, whole.height),
    width: share(width, whole.width),
    height: share(height, whole.height),
  });
}

export function setOpacity(percent) {
  shown.opacity = Math.min(100, Math.max(10, percent));
  apply();
}

export const changeOpacity = (step) => setOpacity(shown.opacity + step);

export function onClick({ target }) {
  const button = target.closest("button");
  if (!button) return;
  const { layer, showBox: box } = button.dataset;
  if (box) return showBox(box);
  if (layer) shown[layer] = !shown[layer];
  else if ("distanceSwitch" in button.dataset) shown.distances = !shown.distances;
  else if ("wide" in button.dataset) shown.wide = !shown.wide;
  else return;
  apply();
}
