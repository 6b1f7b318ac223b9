// What every page needs. Pages work without it.

// A form that was sent is not sent twice by a double tap.
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

// Polls go on by themselves. What the person does is told along with them: staff are logged out where nobody does anything.
let active = false;
for (const sign of ["keydown", "pointerdown", "wheel"]) {
  addEventListener(sign, () => (active = true), { passive: true, capture: true });
}
document.addEventListener("htmx:configRequest", ({ detail }) => {
  if (active) detail.headers["X-Active"] = "1";
  active = false;
});
