// Polls the status of a submission and announces changes in a permanent live region.
import { start } from "./polling.js";

const said = document.getElementById("said");
const words = () => document.querySelector("#status [data-say]").textContent.trim();
let last = words();

document.addEventListener("htmx:afterSwap", () => {
  if (words() !== last) said.textContent = last = words();
});
start();
