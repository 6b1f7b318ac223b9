// The strip on every staff page: answers that wait to be sent, with their seconds, and what staff must not miss.
import * as keys from "./keys.js";
import * as polling from "./polling.js";

const strip = document.getElementById("strip");

// The seconds are seen, not spoken: the sentence beside them names the time.
function count() {
  for (const row of strip.querySelectorAll("[data-held]")) {
    const seconds = Math.max(0, Math.ceil((Date.parse(row.dataset.sendAt) - Date.now()) / 1000));
    row.querySelector("[data-seconds]").textContent = `${seconds} s`;
  }
}

// The number of urgent cases that nobody has taken, for whoever looks at another window.
function show() {
  count();
  const calls = strip.querySelector("[data-calls]")?.dataset.calls;
  const bare = document.title.replace(/^\(!\d+\) /, "");
  document.title = calls ? `(!${calls}) ${bare}` : bare;
}

// --- What was sent -----------------------------------------------------------------------------------------------
// A notice of the page that says "until then you can undo it" is out of date once the answer has left the strip.
let held = new Map(); // case number -> the words once it is sent
const heldNow = () => new Map([...strip.querySelectorAll("[data-held]")].map(({ dataset }) => [dataset.case, dataset.sent]));

function bringNoticesUpToDate() {
  const now = heldNow();
  for (const [number, words] of held) {
    if (now.has(number)) continue;
    const isStopped = strip.querySelector(`[data-stopped="${CSS.escape(number)}"]`);
    for (const notice of document.querySelectorAll("[role=status] > .notice-success, #said")) {
      if (!notice.textContent.includes(number)) continue;
      notice.textContent = isStopped ? "" : words;
    }
  }
  held = now;
}

// --- Focus -------------------------------------------------------------------------------------------------------
// A button that goes with its row hands focus to the next one, or to the page.
let hadFocus = false;

function keepFocus() {
  if (!hadFocus || document.activeElement !== document.body) return;
  const next = strip.querySelector("button, a") ?? document.getElementById("case") ?? document.getElementById("main");
  next.focus({ preventScroll: true });
}

strip.addEventListener("htmx:beforeSwap", () => (hadFocus = strip.contains(document.activeElement)));
strip.addEventListener("htmx:afterSettle", () => {
  show();
  bringNoticesUpToDate();
  keepFocus();
});
setInterval(count, 1000);
keys.start();
polling.start();
