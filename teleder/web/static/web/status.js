// Polls what changes about the patient's submissions and announces it in a permanent live region.
import { start } from "./polling.js";
import { plain, read } from "./readings.js";

const said = document.getElementById("said");
const words = () => [...document.querySelectorAll("[data-live] [data-say]")].map((element) => plain(read(element))).join(" ");
let last = words();

document.addEventListener("htmx:afterSwap", () => {
  if (words() !== last) said.textContent = last = words();
});
start();

const print = document.querySelector("[data-print]");
print?.removeAttribute("hidden");
print?.addEventListener("click", () => window.print());
