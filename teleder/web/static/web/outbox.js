// Photos that were chosen and are not sent yet. They are kept in this browser (IndexedDB), so that they survive a reload, a
// closed tab and a dead spot, and belong to one person and one draft. The server's answer 201 deletes a photo here, and so does
// logging out (app.js, and Clear-Site-Data by the server).
import { smaller } from "./smaller.js";

const DATABASE = "teleder"; // app.js deletes it on log-out
const SENT = "teleder.sent";
const STALLED_MS = 20_000;
const PAUSES_S = [5, 10, 20, 40, 60];
const KEPT_MS = 7 * 24 * 3600_000; // of somebody else on the same device, who does not come back
const FINAL = ["gone", "refused"]; // the patient must do something; the queue goes on without it

let database; // null: this browser stores nothing, so photos last as long as the page
let owner, changed, arrived, elsewhere;
let entries = []; // of `owner`; {id, owner, draft, view, place, replaces, to, name, type, size, at, state, tries, due, isReady}
const files = new Map(); // bytes by id, where `database` is null
const previews = new Map(); // addresses of pictures by id
const other = "BroadcastChannel" in self ? new BroadcastChannel("teleder.outbox") : { postMessage() {} };
let running = false;
let timer, current;

export const waiting = () => entries.filter((entry) => !FINAL.includes(entry.state));
export const list = () => entries;
export const isKept = () => database !== null;
export const previewOf = (id) => previews.get(id);

// `drafts` are those that can still take photos; what belongs to another is deleted. `changed()` is called after each change, `arrived(entry, request)` with the server's answer,
// `elsewhere()` after another tab has sent or removed a photo.
export async function open(person, drafts, callbacks) {
  owner = person;
  ({ changed, arrived, elsewhere } = callbacks);
  database = await connect();
  if (database) database.onversionchange = forgetAll; // the person logs out, maybe in another tab
  other.onmessage = () => load().then(elsewhere).then(run);
  addEventListener("online", () => hurry(true));
  addEventListener("pageshow", () => hurry(true));
  document.addEventListener("visibilitychange", () => document.hidden || hurry(true));
  await load();
  // Sent elsewhere after this page was asked for and before it could hear of it.
  if (Number(remembered()) > performance.timeOrigin) elsewhere();
  for (const entry of drafts ? entries : []) if (!drafts.includes(entry.draft)) await drop(entry.id);
  changed();
  run();
}

function connect() {
  return new Promise((resolve) => {
    try {
      const request = indexedDB.open(DATABASE, 1);
      request.onupgradeneeded = () => {
        request.result.createObjectStore("entries", { keyPath: "id" });
        request.result.createObjectStore("files");
      };
      request.onsuccess = () => resolve(request.result);
      request.onerror = request.onblocked = () => resolve(null);
    } catch {
      resolve(null); // storage is refused, for example in a private window
    }
  });
}

// How many photos of a person are kept here, for a page that has not opened them.
export async function countOf(person) {
  const opened = await connect();
  if (!opened) return 0;
  const all = await new Promise((resolve) => {
    const request = opened.transaction("entries").objectStore("entries").getAll();
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => resolve([]);
  });
  opened.close();
  return all.filter((entry) => entry.owner === person).length;
}

function forgetAll() {
  database?.close();
  database = null;
  entries = [];
  current?.request.abort();
  changed();
}

async function load() {
  if (!database) return;
  const all = await ask("entries", "readonly", (store) => store.getAll());
  for (const entry of all) if (entry.owner !== owner && Date.now() - entry.at > KEPT_MS) drop(entry.id);
  const known = new Map(entries.map((entry) => [entry.id, entry]));
  const stored = all.filter((entry) => entry.owner === owner).map((entry) => known.get(entry.id) ?? asLoaded(entry));
  entries = [...stored, ...entries.filter((entry) => !entry.isStored)].sort((one, two) => one.at - two.at);
  for (const entry of entries) if (!previews.has(entry.id)) show(entry, await bytesOf(entry).catch(() => null));
  changed();
}

// Another page may have stopped in the middle.
const asLoaded = (entry) => Object.assign(entry, { due: 0, state: FINAL.includes(entry.state) ? entry.state : "waiting" });

// Keeps a photo and sends it as soon as possible. What can't be read even at the second try is listed as "gone".
export async function add(file, { draft, view, place = "", replaces = "", to, isFull = false }) {
  const entry = { id: `${Date.now()}-${Math.random()}`, owner, draft, view, place, replaces, to, name: file.name, type: file.type };
  Object.assign(entry, { size: file.size, at: Date.now(), state: "waiting", tries: 0, due: 0, isReady: isFull });
  const bytes = await file.arrayBuffer().catch(() => later(300).then(() => file.arrayBuffer())).catch(() => null);
  if (bytes) await keep(entry, bytes);
  else entry.state = "gone";
  show(entry, bytes);
  if (!entries.some(({ id }) => id === entry.id)) entries.push(entry);
  changed();
  run();
}

export async function remove(entry) {
  if (current?.entry === entry) current.request.abort();
  await drop(entry.id);
  other.postMessage("");
  run();
}

// Unasked, it leaves a busy server the time that it wishes.
export function hurry(isUnasked = false) {
  if (isUnasked && waiting().some(({ state, due }) => state === "busy" && due > Date.now())) return;
  for (const entry of entries) entry.due = 0;
  run();
}

async function run() {
  if (running || !entries.length) return;
  running = true;
  // One tab sends at a time. Where there are no locks a photo may be sent twice, which the server notices by its content.
  const locks = navigator.locks ?? { request: (_name, _options, work) => work({}) };
  try {
    await locks.request("teleder.outbox", { ifAvailable: true }, async (lock) => {
      if (!lock) return;
      const before = entries.length;
      await load(); // what the tab that had the lock has sent is no longer there
      if (entries.length < before) elsewhere();
      await sendAll();
    });
  } finally {
    running = false;
  }
  clearTimeout(timer);
  if (waiting().length) timer = setTimeout(run, Math.max(1000, Math.min(...waiting().map(({ due }) => due)) - Date.now()));
}

// When a photo was last sent from this browser.
function remembered(now) {
  try {
    if (now) localStorage.setItem(SENT, now);
    return localStorage.getItem(SENT);
  } catch {
    return null; // this browser stores nothing, for example in a private window
  }
}

async function sendAll() {
  for (let entry; (entry = waiting().find((each) => each.due <= Date.now())); ) {
    const bytes = await read(entry);
    if (!bytes) continue;
    await change(entry, { state: "sending", sent: 0 });
    const outcome = await send(entry, bytes);
    if (!entries.includes(entry)) continue; // removed meanwhile
    if (outcome.state === "sent") {
      const wasTried = entry.tries > 0;
      await drop(entry.id);
      remembered(Date.now());
      arrived(entry, outcome.request, wasTried);
      other.postMessage("");
      changed();
      continue;
    }
    const tries = entry.tries + 1;
    const pause = outcome.seconds ?? PAUSES_S[Math.min(tries, PAUSES_S.length) - 1];
    await change(entry, { words: "", ...outcome, tries, due: Date.now() + 1000 * pause, seconds: pause });
    if (FINAL.includes(entry.state)) continue;
    for (const each of waiting()) each.due = Math.max(each.due, entry.due); // the next one would meet the same
    return;
  }
}

// Returns what to send. A photo that can't be read is named after two tries.
async function read(entry) {
  const bytes = await bytesOf(entry).catch(() => null);
  if (!bytes) {
    const tries = (entry.unread ?? 0) + 1;
    await change(entry, tries < 2 ? { unread: tries, due: Date.now() + 1000 } : { state: "gone" });
    return null;
  }
  if (entry.isReady) return bytes;
  // Once: a photo that is sent again must be the same file.
  const { file, hints } = await smaller(new File([bytes], entry.name, { type: entry.type }));
  const made = await file.arrayBuffer();
  Object.assign(entry, { isReady: true, hints, type: file.type, size: made.byteLength });
  await keep(entry, made);
  changed();
  return made;
}

function send(entry, bytes) {
  return new Promise((resolve) => {
    const data = new FormData();
    for (const name of ["view", "place", "replaces"]) data.set(name, entry[name] ?? "");
    data.set("photo", new Blob([bytes], { type: entry.type }), "photo");
    const request = new XMLHttpRequest();
    const began = Date.now();
    let moved = began;
    let isStalled = false;
    const watch = setInterval(() => {
      if (Date.now() - moved < STALLED_MS) return;
      isStalled = true;
      request.abort();
    }, 1000);
    const end = (outcome) => {
      clearInterval(watch);
      current = null;
      resolve(outcome);
    };
    current = { entry, request };
    request.open("POST", entry.to);
    request.setRequestHeader("X-Photo-Script", "1");
    const headers = JSON.parse(document.body.getAttribute("hx-headers"));
    for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value);
    request.upload.addEventListener("progress", ({ loaded, total }) => {
      moved = Date.now();
      Object.assign(entry, { sent: loaded / total, left: Math.ceil(((moved - began) / loaded) * (total - loaded) / 1000) });
      changed();
    });
    request.addEventListener("error", () => end({ state: "offline" }));
    request.addEventListener("abort", () => end({ state: isStalled ? "stalled" : "waiting" }));
    request.addEventListener("load", () => end(outcomeOf(request)));
    request.send(data);
  });
}

function outcomeOf(request) {
  const isText = request.getResponseHeader("Content-Type")?.startsWith("text/plain");
  const words = isText ? request.responseText.slice(0, 300) : "";
  const seconds = Number(request.getResponseHeader("Retry-After")) || undefined;
  if (request.status === 201) return { state: "sent", request };
  // 404: somebody else has logged in here since, whose page this is not.
  if ([401, 403, 404].includes(request.status)) return { state: "login", words: "", seconds: 3600 };
  if (request.status === 429 || request.status >= 500) return { state: "busy", words, seconds };
  return { state: "refused", words };
}

// --- Storage ----------------------------------------------------------------------------------------------
function ask(store, mode, work) {
  return new Promise((resolve, reject) => {
    const step = database.transaction(store, mode);
    const request = work(step.objectStore(store));
    step.oncomplete = () => resolve(request.result);
    step.onerror = step.onabort = () => reject(step.error);
  });
}

async function bytesOf({ id }) {
  return files.get(id) ?? (database && (await ask("files", "readonly", (store) => store.get(id))));
}

async function keep(entry, bytes) {
  try {
    if (!database) throw new Error("nothing is stored");
    entry.isStored = true;
    await ask("files", "readwrite", (store) => store.put(bytes, entry.id));
    await ask("entries", "readwrite", (store) => store.put(entry));
    files.delete(entry.id);
  } catch {
    entry.isStored = false; // the page warns before it is left
    files.set(entry.id, bytes);
  }
}

async function change(entry, values) {
  Object.assign(entry, values);
  if (entry.isStored) await ask("entries", "readwrite", (store) => store.put(entry)).catch(() => {});
  changed();
}

async function drop(id) {
  entries = entries.filter((entry) => entry.id !== id);
  files.delete(id);
  if (!database) return;
  await ask("entries", "readwrite", (store) => store.delete(id)).catch(() => {});
  await ask("files", "readwrite", (store) => store.delete(id)).catch(() => {});
}

function show({ id, type }, bytes) {
  if (bytes) previews.set(id, URL.createObjectURL(new Blob([bytes], { type })));
}

const later = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
