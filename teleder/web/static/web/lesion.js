// A class map in the browser: what is skin and what is lesion of a photo's analysis copy, one byte for each pixel.
const SKIN = 1;
const LESION = 2;
const FILL = [77, 227, 255, 40]; // of --layer-lesion: a filled mask hides redness
const EDGE = [77, 227, 255, 255];
const EDGE_PX = 3;

const loaded = (src) =>
  new Promise((resolve, reject) => {
    const image = Object.assign(new Image(), { onload: () => resolve(image), onerror: reject });
    image.src = src;
  });

// The model's map; one that cannot be loaded is empty, and everything can be drawn anew.
export async function load(src, width, height) {
  const map = { width, height, skin: new Uint8Array(width * height), lesion: new Uint8Array(width * height) };
  const image = await loaded(src).catch(() => null);
  if (!image) return map;
  const canvas = Object.assign(document.createElement("canvas"), { width, height });
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.imageSmoothingEnabled = false;
  context.drawImage(image, 0, 0, width, height);
  const { data } = context.getImageData(0, 0, width, height);
  for (let at = 0; at < map.skin.length; at += 1) {
    map.skin[at] = data[at * 4] >= SKIN ? 1 : 0;
    map.lesion[at] = data[at * 4] === LESION ? 1 : 0;
  }
  return map;
}

// --- Runs (contract/drawn.py): how many pixels are none, how many are lesion, and so on ---------------------------
export function runsOf(pixels) {
  const runs = [];
  let [kind, since] = [0, 0];
  for (let at = 0; at < pixels.length; at += 1) {
    if (pixels[at] === kind) continue;
    runs.push(at - since);
    [kind, since] = [pixels[at], at];
  }
  return [...runs, pixels.length - since];
}

export function fromRuns(runs) {
  const pixels = new Uint8Array(runs.reduce((sum, run) => sum + run, 0));
  let at = 0;
  runs.forEach((run, number) => {
    if (number % 2) pixels.fill(1, at, at + run);
    at += run;
  });
  return pixels;
}

// --- Changing it --------------------------------------------------------------------------------------------------
// A line of round dabs from one point to the other.
export function brush(map, from, to, radius, isLesion) {
  const steps = Math.max(1, Math.ceil(Math.hypot(to[0] - from[0], to[1] - from[1]) / Math.max(1, radius / 2)));
  for (let number = 0; number <= steps; number += 1) {
    const [x, y] = from.map((start, axis) => start + ((to[axis] - start) * number) / steps);
    dab(map, x, y, radius, isLesion);
  }
}

function dab({ width, height, lesion }, x, y, radius, isLesion) {
  for (let row = Math.max(0, Math.ceil(y - radius)); row <= Math.min(height - 1, y + radius); row += 1) {
    const half = Math.sqrt(Math.max(0, radius ** 2 - (row - y) ** 2));
    const [first, last] = [Math.max(0, Math.ceil(x - half)), Math.min(width - 1, Math.floor(x + half))];
    if (first <= last) lesion.fill(isLesion ? 1 : 0, row * width + first, row * width + last + 1);
  }
}

// The inside of a polygon becomes lesion (even-odd).
export function fill({ width, height, lesion }, corners) {
  for (let row = 0; row < height; row += 1) {
    const cuts = [];
    corners.forEach(([x, y], number) => {
      const [otherX, otherY] = corners[(number + 1) % corners.length];
      if (y > row !== otherY > row) cuts.push(x + ((row - y) / (otherY - y)) * (otherX - x));
    });
    cuts.sort((one, other) => one - other);
    for (let pair = 0; pair + 1 < cuts.length; pair += 2) {
      const [first, last] = [Math.max(0, Math.ceil(cuts[pair])), Math.min(width - 1, Math.floor(cuts[pair + 1]))];
      if (first <= last) lesion.fill(1, row * width + first, row * width + last + 1);
    }
  }
}

// --- Reading it ---------------------------------------------------------------------------------------------------
// Shares of a box, as the worker counts them: lesion is skin too.
export function sharesOf({ width, skin, lesion }, box) {
  let [all, sick] = [0, 0];
  for (let row = box.y; row < box.y + box.height; row += 1) {
    for (let at = row * width + box.x; at < row * width + box.x + box.width; at += 1) {
      sick += lesion[at];
      all += skin[at] | lesion[at];
    }
  }
  const area = box.width * box.height;
  return { skin: all / area, lesion: sick / area };
}

// --- Painting -----------------------------------------------------------------------------------------------------
export function around(points, size) {
  const [xs, ys] = [points.map(([x]) => x), points.map(([, y]) => y)];
  const rim = size / 2 + EDGE_PX + 1;
  return { left: Math.min(...xs) - rim, top: Math.min(...ys) - rim, right: Math.max(...xs) + rim, low: Math.max(...ys) + rim };
}

// Paints the outline and a thin fill of the lesion, of one part where only that has changed.
export function paint(canvas, { width, height, lesion }, part = { left: 0, top: 0, right: width, low: height }) {
  const left = Math.max(0, Math.floor(part.left));
  const top = Math.max(0, Math.floor(part.top));
  const right = Math.min(width, Math.ceil(part.right));
  const low = Math.min(height, Math.ceil(part.low));
  if (right <= left || low <= top) return;
  const context = canvas.getContext("2d");
  const pixels = context.createImageData(right - left, low - top);
  for (let y = top; y < low; y += 1) {
    for (let x = left; x < right; x += 1) {
      const at = y * width + x;
      if (!lesion[at]) continue;
      const isEdge =
        x < EDGE_PX || y < EDGE_PX || x >= width - EDGE_PX || y >= height - EDGE_PX ||
        !(lesion[at - EDGE_PX] && lesion[at + EDGE_PX] && lesion[at - EDGE_PX * width] && lesion[at + EDGE_PX * width]);
      pixels.data.set(isEdge ? EDGE : FILL, ((y - top) * (right - left) + x - left) * 4);
    }
  }
  context.putImageData(pixels, left, top);
}
