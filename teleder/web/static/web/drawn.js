// Rectangles over the photo: of the crop that is being drawn, and of a crop that was drawn, at its button.
const SVG = "http://www.w3.org/2000/svg";
const view = () => document.querySelector("[data-viewer]");

export function layer(width, height, classes) {
  const svg = document.createElementNS(SVG, "svg");
  const values = { class: `layer boxes drawn-box ${classes}`, viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: "none", "aria-hidden": "true" };
  for (const [key, value] of Object.entries(values)) svg.setAttribute(key, value);
  return svg;
}

export function draw(svg, name, values, kind) {
  const part = svg.appendChild(document.createElementNS(SVG, name));
  for (const [key, value] of Object.entries(values)) part.setAttribute(key, value);
  part.setAttribute("class", kind);
}

export function hide() {
  document.querySelector(".drawn-shown")?.remove();
  document.querySelectorAll("[data-show-drawn]").forEach((button) => button.setAttribute("aria-pressed", "false"));
}

export function show(button) {
  const isShown = button.getAttribute("aria-pressed") === "true";
  hide();
  if (isShown || !view()) return;
  button.setAttribute("aria-pressed", "true");
  const { width, height } = button.closest("[data-width]").dataset;
  const [x, y, wide, high] = button.dataset.showDrawn.split(" ");
  const svg = layer(width, height, "drawn-shown");
  for (const kind of ["halo", "edge"]) draw(svg, "rect", { x, y, width: wide, height: high }, kind);
  view().querySelector(".pic").append(svg);
}
