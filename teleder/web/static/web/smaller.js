// Makes large photos smaller before they are sent. The server's rules stay the same: it trusts no browser.
const LONGEST = 3000; // px; the server's own copies have 2048 at most
const SHORTEST = 600; // px of the short side: a panorama goes as it is
const QUALITY = 0.9;
// Hints for the patient until the server has looked; its own limits are stricter (inference_worker/models/quality.py). Of 45 drawn
// photos no sound one got a hint, and 32 of 37 with a fault got theirs; the five others were slightly blurred
// (tests/web/test_precheck_agreement.py prints the table).
const LOOKED_AT = 384; // px of the long side
const DARK = 80; // grey level that 5 % of the pixels must reach
const SOFT = 1.5; // grey levels: mean contrast of neighbours where it is greatest
const SMALL = 400; // px of the short side: SHORT_SIDE_WANTED of contract/photos.py

// Returns {file, hints}. `file` is what to send: a JPEG of at most LONGEST px for a larger photo or a HEIC, else the file
// itself; that also goes where this browser cannot read it: the server then says what is wrong with it.
// `hints`: "dark", "blurred" or "small" where the photo seems so.
export async function smaller(file) {
  let photo;
  let hints = [];
  try {
    photo = await createImageBitmap(file, { imageOrientation: "from-image" });
    hints = look(photo);
    const longest = Math.max(photo.width, photo.height);
    const scale = Math.min(1, LONGEST / longest);
    const isHeic = /hei[cf]/i.test(file.type) || /\.hei[cf]$/i.test(file.name);
    const isNarrow = Math.min(photo.width, photo.height) * scale < SHORTEST;
    if (scale === 1 ? !isHeic : isNarrow) return { file, hints };
    const sheet = drawn(photo, Math.round(photo.width * scale), Math.round(photo.height * scale));
    const made = await new Promise((resolve) => sheet.canvas.toBlob(resolve, "image/jpeg", QUALITY));
    return { file: made?.type === "image/jpeg" && (isHeic || made.size < file.size) ? made : file, hints };
  } catch {
    return { file, hints };
  } finally {
    photo?.close();
  }
}

function drawn(photo, width, height) {
  const canvas = Object.assign(document.createElement("canvas"), { width, height });
  const context = canvas.getContext("2d", { alpha: false });
  context.fillStyle = "#fff"; // behind what is transparent
  context.fillRect(0, 0, width, height);
  context.imageSmoothingQuality = "high";
  context.drawImage(photo, 0, 0, width, height);
  return context;
}

function look(photo) {
  if (Math.min(photo.width, photo.height) < SMALL) return ["small"];
  const scale = Math.min(1, LOOKED_AT / Math.max(photo.width, photo.height));
  const width = Math.round(photo.width * scale);
  const height = Math.round(photo.height * scale);
  const { data } = drawn(photo, width, height).getImageData(0, 0, width, height);
  const grey = new Float32Array(width * height);
  for (let at = 0; at < grey.length; at++) grey[at] = 0.3 * data[4 * at] + 0.59 * data[4 * at + 1] + 0.11 * data[4 * at + 2];
  if (Float32Array.from(grey).sort()[Math.floor(0.95 * grey.length)] < DARK) return ["dark"];
  let greatest = 0; // over tiles: smooth skin around a sharp spot is no blur
  const side = Math.floor(Math.min(width, height) / 6);
  for (let top = 0; top + side < height; top += side) {
    for (let left = 0; left + side < width; left += side) {
      let sum = 0;
      for (let y = top; y < top + side; y++) {
        for (let x = left + 1; x < left + side; x++) sum += Math.abs(2 * grey[y * width + x] - grey[y * width + x - 1] - grey[y * width + x + 1]);
      }
      greatest = Math.max(greatest, sum / side ** 2);
    }
  }
  return greatest < SOFT ? ["blurred"] : [];
}
