// Scripts of every page. Pages work without them.
import { forget } from "./words.js";

// Times are shown in the zone of this device, unless the user has chosen another (accounts/time_zones.py).
const { timeZone } = Intl.DateTimeFormat().resolvedOptions();
const secure = location.protocol === "https:" ? ";secure" : "";
document.cookie = `teleder_time_zone=${timeZone};path=/;max-age=31536000;samesite=lax${secure}`;

// For the page without a connection (reconnect.js), which is the same for everybody.
try {
  sessionStorage.setItem("teleder.person", document.body.dataset.person ?? "");
} catch {
  // This browser stores nothing, for example in a private window.
}

// Prevents a double tap from submitting a form twice.
const underWay = new WeakSet();

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.method !== "post" || event.defaultPrevented) return;
  if (underWay.has(form)) event.preventDefault();
  underWay.add(form);
  setTimeout(() => underWay.delete(form), 8000);
});
// Photos and words that are not sent yet (outbox.js, words.js) are nobody else's. The server says so too: not every browser
// listens to it. Nobody loses photos unasked: where some are kept, the log-out page comes first, which says how many.
document.addEventListener("submit", async (event) => {
  const form = event.target;
  if (event.defaultPrevented || !new URL(form.action).pathname.endsWith("/logout/")) return;
  const { person } = document.body.dataset;
  const isAsked = form.hasAttribute("data-asked") || !person;
  if (!isAsked) {
    event.preventDefault();
    // Loaded only now: no page waits for it.
    const count = import("./outbox.js").then(({ countOf }) => countOf(person));
    if (await count.catch(() => 0)) return location.assign(form.action);
  }
  indexedDB.deleteDatabase("teleder");
  forget();
  if (!isAsked) form.submit(); // fires no second event
});
window.addEventListener("pageshow", () => {
  for (const form of document.forms) underWay.delete(form);
});

// Polling is automatic, so its requests report the user's activity (X-Active): idle staff are logged out.
let active = false;
for (const sign of ["keydown", "pointerdown", "wheel"]) {
  addEventListener(sign, () => (active = true), { passive: true, capture: true });
}
document.addEventListener("htmx:configRequest", ({ detail }) => {
  if (active) detail.headers["X-Active"] = "1";
  active = false;
});
