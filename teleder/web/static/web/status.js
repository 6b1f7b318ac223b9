// The state of a submission is polled; what it says new is said in a live region that stays.
import { start } from "./polling.js";

const said = document.getElementById("said");
const words = () => document.querySelector("#status [data-say]").textContent.trim();
let last = words();

document.addEventListener("htmx:afterSwap", () => {
  if (words() !== last) said.textContent = last = words();
});
start();
