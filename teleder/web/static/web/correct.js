// Correcting the AI's crop and lesion on the photo: a box by dragging, arrows and numbers; a lesion by brush, eraser and polygon, each by
// pointer and by keys. What is drawn is sent as runs over the analysis copy (contract/drawn.py). The result comes by the section below.
import * as drawn from "./drawn.js";
import * as lesion from "./lesion.js";

const HANDLE_PX = 14; // of the screen, around an edge that is to be dragged
const UNDO_AT_MOST = 30;
const form = () => document.getElementById("correct");
const view = () => document.querySelector("[data-viewer]");
const inStage = (event) => event.target.closest?.("[data-viewer]");
const clamp = (value, low, high) => Math.min(high, Math.max(low, value));
const percent = (share) => `${Math.round(share * 100)}%`;
const say = (words) => (document.getElementById("correct-said").textContent = words);

let now = null; // while correcting: {photo, box, map, model, tool, brush, cursor, corners, past, future, hasDrawn}
let drag = null; // {id, from, box, edges} of the box, {id, last} of the brush

// --- What is drawn ----------------------------------------------------------------------------------------------
const SIDES = ["x", "y", "width", "height"];

function inside(box) {
  const { width, height } = now.map;
  const least = Number(form().dataset.least);
  const wide = clamp(Math.round(box.width), least, width);
  const high = clamp(Math.round(box.height), least, height);
  return { x: clamp(Math.round(box.x), 0, width - wide), y: clamp(Math.round(box.y), 0, height - high), width: wide, height: high };
}

const state = () => ({ box: { ...now.box }, runs: lesion.runsOf(now.map.lesion), hasDrawn: now.hasDrawn });

// Called before each change: undo leads back to here.
function remember() {
  now.past.push(state());
  if (now.past.length > UNDO_AT_MOST) now.past.shift();
  now.future = [];
}

function bringBack({ box, runs, hasDrawn }) {
  Object.assign(now, { box, hasDrawn });
  now.map.lesion = lesion.fromRuns(runs);
  lesion.paint(now.canvas, now.map);
  show();
}

function step(from, to) {
  if (!from.length) return;
  to.push(state());
  bringBack(from.pop());
}

// --- Showing ----------------------------------------------------------------------------------------------------
function overlay() {
  const draw = (name, values, kind) => drawn.draw(now.svg, name, values, kind);
  const { x, y, width, height } = now.box;
  now.svg.replaceChildren();
  for (const kind of ["halo", "edge"]) draw("rect", { x, y, width, height }, kind);
  if (now.tool === "box") {
    const size = now.map.width / 100;
    for (const [across, down] of [[0, 0], [0.5, 0], [1, 0], [0, 0.5], [1, 0.5], [0, 1], [0.5, 1], [1, 1]]) {
      draw("rect", { x: x + across * width - size / 2, y: y + down * height - size / 2, width: size, height: size }, "tag");
    }
  }
  if (now.corners.length) {
    const points = [...now.corners, now.cursor].map((at) => at.join(",")).join(" ");
    for (const kind of ["halo", "outline"]) draw("polyline", { points }, kind);
  }
  if (!["add", "erase", "polygon"].includes(now.tool)) return;
  const [cx, cy] = now.cursor;
  const r = now.tool === "polygon" ? now.map.width / 150 : now.brush / 2;
  for (const kind of ["halo", "brush"]) draw("circle", { cx, cy, r }, kind);
}

function shares() {
  const { dataset } = form();
  const found = lesion.sharesOf(now.map, now.box);
  const why = found.lesion <= 0.1 ? dataset.littleLesion : found.skin <= 0.8 ? dataset.littleSkin : dataset.meets;
  const numbers = dataset.shares.replace("SKIN", percent(found.skin)).replace("LESION", percent(found.lesion));
  const place = document.getElementById("correct-shares");
  place.textContent = `${numbers} ${why}`;
  place.classList.toggle("is-met", why === dataset.meets);
}

function show() {
  overlay();
  shares();
  for (const name of SIDES) form().elements[name].value = now.box[name];
  for (const button of document.querySelectorAll("[data-correct-tool]")) {
    button.setAttribute("aria-pressed", String(button.dataset.correctTool === now.tool));
  }
  document.querySelector("[data-correct-do=undo]").disabled = !now.past.length;
  document.querySelector("[data-correct-do=redo]").disabled = !now.future.length;
  view().dataset.tool = now.tool;
}

// --- Beginning and ending ---------------------------------------------------------------------------------------
function attach() {
  const { width, height } = now.map;
  now.canvas = Object.assign(document.createElement("canvas"), { width, height, className: "layer drawn-lesion", ariaHidden: "true" });
  now.svg = drawn.layer(width, height, "");
  view().querySelector(".pic").append(now.canvas, now.svg);
  document.querySelector(".case").classList.add("is-correcting");
  lesion.paint(now.canvas, now.map);
  show();
}

async function begin() {
  const { width, height, mask } = form().dataset;
  const map = await lesion.load(mask, Number(width), Number(height));
  if (!form() || now) return;
  const box = Object.fromEntries(SIDES.map((name) => [name, Number(form().elements[name].defaultValue)]));
  const cursor = [box.x + box.width / 2, box.y + box.height / 2].map(Math.round);
  const photo = view().dataset.viewer;
  now = { photo, box, map, cursor, tool: "box", brush: 40, corners: [], past: [], future: [], hasDrawn: false };
  now.model = { box: { ...box }, runs: lesion.runsOf(map.lesion), hasDrawn: false };
  now.brush = Number(document.querySelector("[data-correct-brush]").value);
  drawn.hide();
  attach();
  view().focus({ preventScroll: true });
  say(form().dataset.box);
}

export function end(isKept = false) {
  if (!now) return;
  now.canvas.remove();
  now.svg.remove();
  [now, drag] = [null, null];
  document.querySelector(".case").classList.remove("is-correcting");
  view()?.removeAttribute("data-tool");
  if (isKept) return;
  if (form()) say(form().dataset.ended);
  document.querySelector("[data-correct]")?.focus();
}

// Anything may have been swapped: the drawing stays while its photo and its form are there.
export function prepare() {
  if (!now) return;
  if (view()?.dataset.viewer !== now.photo || !form()) return end(true);
  if (!now.canvas.isConnected) attach();
  else show();
}

// --- Drawing ----------------------------------------------------------------------------------------------------
function stroke(from, to) {
  lesion.brush(now.map, from, to, now.brush / 2, now.tool === "add");
  now.hasDrawn = true;
  lesion.paint(now.canvas, now.map, lesion.around([from, to], now.brush));
}

function close() {
  if (now.corners.length < 3) return;
  remember();
  lesion.fill(now.map, now.corners);
  Object.assign(now, { hasDrawn: true, corners: [] });
  lesion.paint(now.canvas, now.map);
  show();
}

function use(tool) {
  now.tool = tool;
  now.corners = [];
  show();
  say(form().dataset[tool]);
}

const COMMANDS = {
  undo: () => (now.corners.length ? now.corners.pop() && show() : step(now.past, now.future)),
  redo: () => step(now.future, now.past),
  reset: () => {
    remember();
    bringBack(now.model);
  },
  cancel: () => end(),
};

function save() {
  const runs = lesion.runsOf(now.map.lesion);
  const isTooFine = now.hasDrawn && runs.length > Number(form().dataset.runs);
  document.getElementById("correct-error").textContent = isTooFine ? form().dataset.tooFine : "";
  form().elements.lesion.value = now.hasDrawn ? runs.join(",") : "";
  return !isTooFine;
}

// --- Pointer ----------------------------------------------------------------------------------------------------
function place(event) {
  const pic = view().querySelector(".pic").getBoundingClientRect();
  const { width, height } = now.map;
  return [
    clamp(((event.clientX - pic.left) / pic.width) * width, 0, width - 1),
    clamp(((event.clientY - pic.top) / pic.height) * height, 0, height - 1),
  ];
}

// Which edges of the box are dragged from here: none of them moves all of it.
function edgesAt([x, y]) {
  const near = (HANDLE_PX / view().querySelector(".pic").getBoundingClientRect().width) * now.map.width;
  const { box } = now;
  const left = Math.abs(x - box.x) <= near;
  const right = Math.abs(x - box.x - box.width) <= near;
  const top = Math.abs(y - box.y) <= near;
  const low = Math.abs(y - box.y - box.height) <= near;
  const isBeside = x < box.x - near || x > box.x + box.width + near || y < box.y - near || y > box.y + box.height + near;
  return isBeside ? null : { left, right: right && !left, top, low: low && !top };
}

function dragBox([x, y]) {
  const { box, from, edges } = drag;
  const [across, down] = [x - from[0], y - from[1]];
  if (!Object.values(edges).some(Boolean)) return (now.box = inside({ ...box, x: box.x + across, y: box.y + down }));
  const least = Number(form().dataset.least);
  const ends = { left: box.x, right: box.x + box.width, top: box.y, low: box.y + box.height };
  if (edges.left) ends.left = clamp(ends.left + across, 0, ends.right - least);
  if (edges.right) ends.right = clamp(ends.right + across, ends.left + least, now.map.width);
  if (edges.top) ends.top = clamp(ends.top + down, 0, ends.low - least);
  if (edges.low) ends.low = clamp(ends.low + down, ends.top + least, now.map.height);
  return (now.box = inside({ x: ends.left, y: ends.top, width: ends.right - ends.left, height: ends.low - ends.top }));
}

function onDown(event) {
  if (!now || now.tool === "pan" || !inStage(event) || event.button > 0 || drag) return;
  event.stopImmediatePropagation(); // the viewer would move the photo
  event.preventDefault();
  view().focus({ preventScroll: true });
  const at = place(event);
  now.cursor = at;
  if (now.tool === "polygon") {
    now.corners.push(at.map(Math.round));
    return overlay();
  }
  const edges = now.tool === "box" ? edgesAt(at) : {};
  if (!edges) return;
  view().setPointerCapture(event.pointerId);
  remember();
  drag = { id: event.pointerId, from: at, last: at, box: { ...now.box }, edges };
  if (now.tool !== "box") stroke(at, at);
}

function onMove(event) {
  if (!now || now.tool === "pan" || !inStage(event)) return;
  if (drag && event.pointerId !== drag.id) return;
  const at = place(event);
  if (drag && now.tool === "box") dragBox(at);
  else if (drag) stroke(drag.last, at);
  if (drag) drag.last = at;
  now.cursor = at;
  overlay();
}

function onUp(event) {
  if (!drag || event.pointerId !== drag.id) return;
  drag = null;
  show();
}

// --- Keys -------------------------------------------------------------------------------------------------------
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

function byArrow(event) {
  const [across, down] = ARROWS[event.key].map((way) => way * (event.shiftKey ? 10 : 1));
  if (now.tool !== "box") {
    now.cursor = [clamp(now.cursor[0] + across, 0, now.map.width - 1), clamp(now.cursor[1] + down, 0, now.map.height - 1)];
    return overlay();
  }
  if (!event.repeat) remember();
  now.box = inside({ ...now.box, x: now.box.x + across, y: now.box.y + down });
  return show();
}

function byKey() {
  if (now.tool === "polygon") now.corners.push(now.cursor.map(Math.round));
  if (["add", "erase"].includes(now.tool)) {
    remember();
    stroke(now.cursor, now.cursor);
  }
  show();
}

// Before all other listeners: while correcting, these keys belong to the drawing.
function onKey(event) {
  if (!now || event.isComposing) return;
  const isInView = inStage(event);
  const isField = event.target.matches?.("input, textarea, select");
  const isOwn = event.target.closest?.("#photo, #drawn-crops");
  const mod = event.ctrlKey || event.metaKey;
  let act = null;
  if (mod && event.key === "Enter" && isOwn) act = () => form().requestSubmit();
  else if (mod && event.key.toLowerCase() === "z" && isOwn) act = event.shiftKey ? COMMANDS.redo : COMMANDS.undo;
  else if (mod && event.key.toLowerCase() === "y" && isOwn) act = COMMANDS.redo;
  else if (event.key === "Escape" && (isOwn || !isField)) act = now.corners.length ? () => use("polygon") : COMMANDS.cancel;
  else if (mod || event.altKey || !isInView || now.tool === "pan") return;
  else if (ARROWS[event.key]) act = () => byArrow(event);
  else if (event.key === " ") act = byKey;
  else if (event.key === "Enter" && now.tool === "polygon") act = close;
  else if (event.key === "Backspace" && now.corners.length) act = COMMANDS.undo;
  if (!act) return;
  event.preventDefault();
  event.stopImmediatePropagation();
  act();
}

// --- Wiring -----------------------------------------------------------------------------------------------------
function onClick({ target }) {
  const button = target.closest("button");
  if (!button) return;
  const { correctTool, correctDo } = button.dataset;
  if ("correct" in button.dataset && form()) begin();
  else if ("showDrawn" in button.dataset) drawn.show(button);
  else if (now && correctTool) use(correctTool);
  else if (now && correctDo) COMMANDS[correctDo]();
}

export function start() {
  document.querySelector(".case").classList.add("is-scripted");
  addEventListener("pointerdown", onDown, true);
  addEventListener("pointermove", onMove, true);
  for (const kind of ["pointerup", "pointercancel"]) addEventListener(kind, onUp, true);
  addEventListener("dblclick", (event) => now?.tool === "polygon" && inStage(event) && close());
  addEventListener("keydown", onKey, true);
  document.addEventListener("click", onClick);
  document.addEventListener("input", ({ target }) => {
    if (!now) return;
    if (target.matches("[data-correct-brush]")) now.brush = Number(target.value);
    else if (target.form !== form() || !target.value) return;
    overlay();
  });
  document.addEventListener("change", ({ target }) => {
    if (!now || target.form !== form() || !SIDES.includes(target.name)) return;
    remember();
    now.box = inside(Object.fromEntries(SIDES.map((name) => [name, Number(form().elements[name].value)])));
    show();
  });
  document.addEventListener("htmx:confirm", (event) => {
    if (event.target === form() && !save()) event.preventDefault();
  });
  document.addEventListener("htmx:afterSwap", ({ detail }) => {
    if (detail.requestConfig?.elt.id !== "correct") return prepare();
    if (detail.xhr.status >= 400) return prepare();
    end(true);
    document.getElementById("drawn-title")?.focus();
  });
}
