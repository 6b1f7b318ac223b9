// Scripts of every page. Pages work without them.

// Prevents a double tap from submitting a form twice.
const underWay = new WeakSet();

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.method !== "post" || event.defaultPrevented) return;
  if (underWay.has(form)) event.preventDefault();
  underWay.add(form);
  setTimeout(() => underWay.delete(form), 8000);
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
