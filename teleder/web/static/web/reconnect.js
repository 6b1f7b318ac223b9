// The page without a connection. It is the same for everybody: what this person has kept here is counted in the browser.
const person = read(() => sessionStorage.getItem("teleder.person")); // app.js; nobody: nothing is counted
const again = document.querySelector("[data-again]");

// As large as the last page was, which has noted it (offline.js).
self.caches
  ?.match("/offline/text-size", { cacheName: "teleder-language" })
  .then((noted) => noted?.text())
  .then((size) => size && (document.documentElement.dataset.text = size))
  .catch(() => {});

function read(get) {
  try {
    return get();
  } catch {
    return null; // this browser stores nothing, for example in a private window
  }
}

// A form was sent to an address that may be no page: on from the page with the form. A new GET, so that nothing is sent again.
const { pathname, search } = new URL(document.referrer.startsWith(`${location.origin}/`) ? document.referrer : location.href);
const isUnsent = document.querySelector("main .note") !== null;
again.href = isUnsent ? pathname + search : location.pathname + location.search;

// A browser that says "online" may be early: the page goes on when our server answers. What was not sent is left to be read.
let pause = 3000;
let timer;

async function goOn() {
  clearTimeout(timer);
  if (!navigator.onLine) return;
  if (await fetch("/service-worker.js", { cache: "no-store" }).catch(() => null)) return location.replace(again.href);
  timer = setTimeout(goOn, pause);
  pause = Math.min(2 * pause, 60_000);
}

addEventListener("online", goOn);
if (navigator.onLine && !isUnsent && location.pathname !== "/offline/") timer = setTimeout(goOn, pause);
document.querySelector("[data-goes-on]").hidden = navigator.onLine && isUnsent;

function show(name, n) {
  if (!n) return;
  const line = document.querySelector(`[data-${name}]`);
  line.querySelector("b").textContent = `(${n})`;
  line.hidden = document.querySelector("[data-kept]").hidden = false;
}

// Photos (outbox.js). Where there is no database none is made.
function countPhotos(done) {
  const request = indexedDB.open("teleder", 1);
  request.onupgradeneeded = () => request.transaction.abort();
  request.onsuccess = () => {
    const all = request.result.transaction("entries").objectStore("entries").getAll();
    all.onsuccess = () => done(all.result.filter(({ owner }) => owner === person).length);
    request.result.close(); // when the reading is done
  };
}

if (person) {
  read(() => countPhotos((n) => show("photos", n)));
  show("forms", read(() => Object.keys(localStorage).filter((key) => key.startsWith(`teleder.words.${person}.`)).length));
}
