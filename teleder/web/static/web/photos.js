// The photo step: what is chosen goes through the outbox, and shows in its slot. Without this script each form sends its photo
// by its button.
import * as outbox from "./outbox.js";
import { start } from "./polling.js";
import { plain, read, write } from "./readings.js";

const page = document.getElementById("capture");
const words = page.dataset;
const said = document.getElementById("said");
const notice = document.getElementById("notice");
const fullSize = document.getElementById("full-size");
const number = new Intl.NumberFormat(document.documentElement.lang, { maximumFractionDigits: 1, minimumFractionDigits: 1 });
const whole = new Intl.NumberFormat(document.documentElement.lang);
const sent = new Map(); // previews by the server's id, until its own picture is there
const verdicts = new Map(); // what was said of each photo
const before = new Map(); // pictures of photos that are taken again, as long as the page is open: the server shows them no more
let repeated = ""; // the photo that was chosen again
let isLeaving = false;

start();
page.classList.add("scripted");
page.addEventListener("change", ({ target }) => {
  forgetRepeat();
  if (target.type !== "file") return;
  const unsent = target.closest("[data-unsent]");
  const slot = target.closest("[data-view]");
  const old = unsent && outbox.list().find((entry) => entry.id === unsent.dataset.unsent);
  const replaces = old ? old.replaces : slot.dataset.photo;
  if (slot.dataset.photo) before.set(slot.dataset.photo, pictureOf(slot));
  for (const [n, file] of [...target.files].entries()) {
    outbox.add(file, { draft: words.draft, view: slot.dataset.view, place: slot.dataset.place, replaces: n ? "" : replaces, to: words.add, isFull: fullSize.checked });
  }
  target.value = "";
  if (old) outbox.remove(old);
});
page.addEventListener("click", (event) => {
  forgetRepeat();
  const unsent = event.target.closest("[data-unsent]");
  const entry = unsent && outbox.list().find((each) => each.id === unsent.dataset.unsent);
  if (event.target.closest("[data-again]")) outbox.hurry();
  if (event.target.closest("[data-remove]")) outbox.remove(entry).then(paint);
  if (!event.target.closest("#continue") || !mine().some((each) => outbox.waiting().includes(each))) return;
  event.preventDefault();
  isLeaving = true;
  paint();
  say(read(document.querySelector("#waiting p")));
});
document.addEventListener("htmx:afterSwap", paint);
addEventListener("beforeunload", (event) => {
  if (outbox.waiting().some((entry) => !entry.isStored)) event.preventDefault();
});
outbox.open(words.owner, null, { changed: paint, arrived, elsewhere: () => htmx.trigger("#slots", "refresh") });

const mine = () => outbox.list().filter((entry) => entry.draft === words.draft);
const fill = (text, values) => text.replace(/\{(\w+)\}/g, (_all, name) => values[name]);

function arrived(entry, request, wasTried) {
  if (entry.draft !== words.draft) return;
  const id = request.getResponseHeader("X-Photo");
  // Sent before, and only the answer was lost: that is no second choice of the same photo.
  repeated = request.getResponseHeader("X-Photo-Repeat") && !wasTried ? id : "";
  const leads = isLeaving && !mine().some((each) => outbox.waiting().includes(each));
  if (!repeated) sent.set(id, outbox.previewOf(entry.id));
  if (!repeated && before.get(entry.replaces)) compare(before.get(entry.replaces), outbox.previewOf(entry.id));
  document.getElementById("slots").outerHTML = request.responseText;
  htmx.process(document.getElementById("slots"));
  paint();
  say(repeated ? `${document.querySelector(`[data-photo="${id}"]`)?.dataset.title}: ${words.repeat}` : words.arrived);
  if (leads) location.assign(document.getElementById("continue").href);
}

// That a photo is already here is said until the next action.
function forgetRepeat() {
  repeated = "";
  page.querySelector("[data-repeat]")?.remove();
}

function pictureOf(slot) {
  const image = slot.querySelector("img");
  if (!image?.naturalWidth) return "";
  const canvas = Object.assign(document.createElement("canvas"), { width: image.naturalWidth, height: image.naturalHeight });
  canvas.getContext("2d").drawImage(image, 0, 0);
  return canvas.toDataURL("image/jpeg");
}

function compare(...pictures) {
  const card = document.getElementById("compare");
  card.hidden = false;
  for (const [n, image] of card.querySelectorAll("img").entries()) {
    image.onerror = () => (card.hidden = true); // HEIC
    image.src = pictures[n];
  }
}

function say(text) {
  const spoken = plain(text);
  if (said.textContent !== spoken) said.textContent = spoken;
}

// Draws what is not sent over the slots that the server described.
function paint() {
  const entries = mine();
  for (const one of page.querySelectorAll("[data-unsent]")) {
    if (!entries.some((entry) => entry.id === one.dataset.unsent)) one.remove();
  }
  for (const one of page.querySelectorAll("[data-covered]")) {
    one.hidden = false;
    delete one.dataset.covered;
  }
  for (const one of page.querySelectorAll("[data-empty] [type=file]:not([capture])")) one.multiple = true;
  for (const entry of entries) paintEntry(entry);
  for (const [id, address] of sent) {
    const blank = page.querySelector(`[data-photo="${id}"] [data-preview]`);
    if (blank) blank.replaceWith(Object.assign(new Image(320, 240), { src: address, alt: "" }));
  }
  for (const item of page.querySelectorAll("[data-photo]")) {
    const text = [item.dataset.title, ...[...item.querySelectorAll(".badge, .chip, .remedy")].map(read)].join(": ");
    if (verdicts.has(item.dataset.photo) && verdicts.get(item.dataset.photo) !== text) say(text);
    verdicts.set(item.dataset.photo, text);
  }
  const same = page.querySelector(`[data-photo="${repeated}"]`);
  if (repeated && same && !same.querySelector("[data-repeat]")) {
    same.append(Object.assign(document.createElement("p"), { className: "err" }));
    write(same.lastChild, words.repeat);
    same.lastChild.dataset.repeat = "";
  }
  const late = entries.find((entry) => ["offline", "stalled", "busy", "login"].includes(entry.state));
  const text = late ? messageOf(late) : "";
  notice.hidden = !late;
  write(notice.querySelector("p"), text);
  const problem = text || entries.filter((entry) => entry.state === "gone" || entry.state === "refused").map(messageOf)[0];
  const hint = entries.find((entry) => entry.hints?.length)?.hints[0];
  if (problem || hint) say(problem || words[`hint${capital(hint)}Words`]);
  const onward = document.getElementById("onward");
  const unsent = entries.some((entry) => outbox.waiting().includes(entry));
  const { onward: way, next } = document.getElementById("slots").dataset; // undefined: no photo has arrived
  for (const link of next ? onward.querySelectorAll("a") : []) link.href = next;
  onward.hidden = !unsent && way === undefined;
  onward.className = way ? "sticky" : "stack-s"; // while a photo is missing or should be taken again, that is the first thing to do
  document.getElementById("continue").classList.toggle("btn-primary", Boolean(way));
  isLeaving &&= unsent;
  const panel = document.getElementById("waiting");
  panel.hidden = !(isLeaving && unsent);
  write(panel.querySelector("p"), late ? words.askWords : words.waitWords);
}

function messageOf(entry) {
  return entry.words || fill(words[`${entry.state}Words`] ?? "", { n: entry.seconds, name: entry.name });
}

function paintEntry(entry) {
  let item = page.querySelector(`[data-unsent="${entry.id}"]`);
  const slot = `#slots [data-view="${entry.view}"][data-place="${entry.place}"]`;
  const covered = page.querySelector(entry.replaces ? `[data-photo="${entry.replaces}"]` : `${slot}[data-empty]`);
  if (!item) {
    item = document.getElementById("unsent").content.firstElementChild.cloneNode(true);
    Object.assign(item.dataset, { unsent: entry.id, view: entry.view, place: entry.place });
    const last = [...page.querySelectorAll(slot)].at(-1);
    if (covered) covered.before(item);
    else if (last) last.after(item);
    else page.querySelector("#slots ol").append(item);
    const title = (covered ?? last)?.dataset.title ?? "";
    write(item.querySelector("h2"), title);
    const image = item.querySelector("img");
    image.onerror = () => ((image.hidden = true), (item.querySelector(".blank").hidden = false)); // HEIC
    image.src = outbox.previewOf(entry.id) ?? "data:,";
    image.alt = plain(title);
  }
  if (covered && covered !== item && !(entry.view === "other" && covered.dataset.empty === "")) {
    covered.hidden = true;
    covered.dataset.covered = "";
  }
  const at = (name) => item.querySelector(name);
  const isOver = ["gone", "refused"].includes(entry.state);
  const hint = entry.hints?.[0];
  const isLate = ["offline", "stalled", "busy"].includes(entry.state);
  item.dataset.state = entry.state;
  write(at(".badge"), hint && !isOver && !isLate ? words[`hint${capital(hint)}`] : words[entry.state]);
  at(".badge").className = `badge${hint || isOver ? " badge-care" : ""}${entry.state === "sending" ? " breathe" : ""}`;
  at(".remedy").hidden = !hint || isOver;
  write(at(".remedy span"), hint ? words[`hint${capital(hint)}Words`] : "");
  for (const [n, picture] of at(".remedy").querySelectorAll(".ic").entries()) picture.toggleAttribute("hidden", words.hints.split(" ")[n] !== hint);
  const [unit, of] = entry.size < 1e6 ? ["Kb", whole] : ["", number];
  const amount = (bytes) => of.format(unit ? Math.ceil(bytes / 1e3) : bytes / 1e6);
  const all = amount(entry.size);
  at("progress").hidden = isOver;
  at("progress").value = 100 * (entry.sent ?? 0);
  write(at("[data-size]"), isOver ? "" : entry.state === "sending" ? fill(words[`size${unit}`], { sent: amount((entry.sent ?? 0) * entry.size), all }) : fill(words[`unsentSize${unit}`], { all }));
  write(at("[data-left]"), entry.state === "sending" && entry.left > 0 ? fill(words.left, { n: entry.left }) : "");
  at(".err").hidden = !isOver;
  write(at(".err"), isOver ? messageOf(entry) : "");
  at("[data-again]").hidden = !isLate;
  at("[data-login]").hidden = entry.state !== "login";
  at("[data-login]").href = location.pathname;
}

const capital = (name) => name[0].toUpperCase() + name.slice(1);
