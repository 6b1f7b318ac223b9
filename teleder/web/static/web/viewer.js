// The photo: zoom and pan by wheel, drag, pinch, keys and buttons, 25 to 800 % of the original's pixels, to the pointer.
// Each photo keeps its place while the page is open. Without this script the whole photo is shown.
const LEAST = 0.25;
const MOST = 8;
const STEP = 1.25; // of a key or button
const MOVE = 80; // px of an arrow key
const places = new Map(); // by photo: {scale, x, y}; none is the whole photo
const pointers = new Map(); // those that are down, by id
let pinch = null;

let watched = null; // the stage whose size is watched: what stands below it may grow after it was placed
const resized = new ResizeObserver(() => show());

const view = () => document.querySelector("[data-viewer]");

function sizes() {
  const { clientWidth: width, clientHeight: height, dataset } = view();
  const photo = { width: Number(dataset.width), height: Number(dataset.height) };
  return { width, height, photo, fit: Math.min(width / photo.width, height / photo.height) };
}

// A large photo may fit below 25 %, a small one above 800 %: the whole photo can always be seen.
const bounds = (fit) => [Math.min(LEAST, fit), Math.max(MOST, fit)];

function whole({ width, height, photo, fit }) {
  return { scale: fit, x: (width - photo.width * fit) / 2, y: (height - photo.height * fit) / 2 };
}

// A side that is smaller than the stage stays in its middle; a larger one leaves no gap.
function inside(at, size, room) {
  return size <= room ? (room - size) / 2 : Math.min(0, Math.max(room - size, at));
}

export function show() {
  if (!view()?.clientWidth) return;
  if (watched !== view()) resized.observe((watched = view()));
  const all = sizes();
  const place = places.get(view().dataset.viewer) ?? whole(all);
  const [width, height] = [all.photo.width * place.scale, all.photo.height * place.scale];
  place.x = inside(place.x, width, all.width);
  place.y = inside(place.y, height, all.height);
  const pic = view().querySelector(".pic");
  pic.classList.add("is-placed");
  Object.assign(pic.style, { width: `${width}px`, height: `${height}px`, transform: `translate(${place.x}px, ${place.y}px)` });
  const value = document.querySelector("[data-zoom-value]");
  if (value) value.textContent = `${Math.round(place.scale * 100)} %`;
  showOriginal(place.scale, pic.querySelector(".original"));
}

// Past the pixels of the copy that is shown, those of the original are fetched; the picture stays where it is.
async function showOriginal(scale, picture) {
  const copy = document.getElementById("full-copy");
  if (!copy || scale <= Number(copy.dataset.enough) + 0.001) return;
  const { state, src } = copy.dataset;
  if (!["not_asked", "done"].includes(state)) return;
  copy.dataset.state = "begun";
  if (state === "not_asked") return copy.querySelector("form").requestSubmit();
  const [words, full] = [copy.querySelector("[data-words]"), Object.assign(new Image(), { src })];
  const isLoaded = await full.decode().then(() => true, () => false);
  if (isLoaded) picture.src = src;
  words.textContent = isLoaded ? words.dataset.words : words.dataset.lost;
}

function now() {
  return places.get(view().dataset.viewer) ?? whole(sizes());
}

function keep(place) {
  places.set(view().dataset.viewer, place);
  show();
}

// Zooms by a factor; the point of the photo that is at (x, y) of the stage stays there.
function zoom(factor, x = view().clientWidth / 2, y = view().clientHeight / 2) {
  const before = now();
  const [least, most] = bounds(sizes().fit);
  const scale = Math.min(most, Math.max(least, before.scale * factor));
  const by = scale / before.scale;
  keep({ scale, x: x - (x - before.x) * by, y: y - (y - before.y) * by });
}

function move(x, y) {
  const { scale, x: left, y: top } = now();
  keep({ scale, x: left + x, y: top + y });
}

function fit() {
  places.delete(view().dataset.viewer);
  show();
}

// Brings a rectangle, in shares of the photo, to the middle and as large as is useful.
export function frame({ x, y, width, height }) {
  const all = sizes();
  const [least, most] = bounds(all.fit);
  const wanted = 0.6 * Math.min(all.width / (width * all.photo.width), all.height / (height * all.photo.height));
  const scale = Math.min(most, Math.max(least, all.fit, wanted));
  const middle = [(x + width / 2) * all.photo.width * scale, (y + height / 2) * all.photo.height * scale];
  keep({ scale, x: all.width / 2 - middle[0], y: all.height / 2 - middle[1] });
}

// --- Pointer ----------------------------------------------------------------------------------------------------
const inView = (event) => event.target.closest?.("[data-viewer]");

function at(event) {
  const box = view().getBoundingClientRect();
  return [event.clientX - box.left, event.clientY - box.top];
}

function between() {
  const [one, other] = [...pointers.values()];
  return { apart: Math.hypot(one[0] - other[0], one[1] - other[1]), middle: [(one[0] + other[0]) / 2, (one[1] + other[1]) / 2] };
}

function onDown(event) {
  if (!inView(event) || event.button > 0) return;
  pointers.set(event.pointerId, at(event));
  view().setPointerCapture(event.pointerId);
  pinch = pointers.size === 2 ? between() : null;
}

function onMove(event) {
  const before = pointers.get(event.pointerId);
  if (!before || !view()) return;
  const here = at(event);
  pointers.set(event.pointerId, here);
  if (pointers.size === 1) move(here[0] - before[0], here[1] - before[1]);
  if (pointers.size !== 2 || !pinch) return;
  const { apart, middle } = between();
  move(middle[0] - pinch.middle[0], middle[1] - pinch.middle[1]);
  zoom(apart / pinch.apart, ...middle);
  pinch = { apart, middle };
}

function onUp(event) {
  pointers.delete(event.pointerId);
  pinch = null;
}

function onWheel(event) {
  if (!inView(event)) return;
  event.preventDefault();
  const lines = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? 16 : 1;
  zoom(Math.exp(-Math.max(-240, Math.min(240, event.deltaY * lines)) / 400), ...at(event));
}

// --- Keys and buttons -------------------------------------------------------------------------------------------
const ARROWS = { ArrowLeft: [MOVE, 0], ArrowRight: [-MOVE, 0], ArrowUp: [0, MOVE], ArrowDown: [0, -MOVE] };

// Arrows move the photo from the stage and the heading; elsewhere they choose and scroll.
export function onArrow(event) {
  if (!ARROWS[event.key] || !view() || !(inView(event) || event.target.matches("body, h1"))) return;
  event.preventDefault();
  move(...ARROWS[event.key]);
}

const ZOOMS = { fit, original: () => zoom(1 / now().scale), in: () => zoom(STEP), out: () => zoom(1 / STEP) };

export function onClick({ target }) {
  const button = target.closest("[data-zoom]");
  if (button && view()) ZOOMS[button.dataset.zoom]();
}

export function start() {
  document.addEventListener("pointerdown", onDown);
  document.addEventListener("pointermove", onMove);
  for (const end of ["pointerup", "pointercancel"]) document.addEventListener(end, onUp);
  document.addEventListener("wheel", onWheel, { passive: false });
  document.addEventListener("click", onClick);
  document.addEventListener("htmx:afterSettle", ({ target }) => target.id === "full-copy" && show());
  resized.observe(document.querySelector(".case"));
  addEventListener("resize", show);
}
