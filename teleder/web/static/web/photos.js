// Uploads photos one by one as soon as they are chosen, with progress; offline, once the connection is back.
// Without this script each form uploads its photo by its button.
import { start } from "./polling.js";

start();
const said = document.getElementById("said");
const queue = [];
let busy = false;
const UNSENT = "teleder.unsent"; // in this tab: photos chosen after the session ended must be chosen again

for (const form of document.querySelectorAll(".photo-form")) {
  const input = form.querySelector("input[type=file]");
  input.multiple = true;
  form.classList.add("is-scripted"); // the label is the button; without a script the file's name must show
  form.querySelector(".actions").hidden = true;
  input.addEventListener("change", () => {
    for (const file of input.files) queue.push({ form, file });
    input.value = "";
    next();
  });
}

if (sessionStorage.getItem(UNSENT) === document.querySelector(".photo-form")?.action) {
  const form = document.querySelector(".photo-form");
  sessionStorage.removeItem(UNSENT);
  show(form, "", form.dataset.unsent);
}

async function next() {
  if (busy || !queue.length) return;
  busy = true;
  const { form, file } = queue[0];
  show(form, form.dataset.sending);
  const outcome = await send(form, file);
  busy = false;
  if (outcome === "offline") return wait(form);
  queue.shift();
  if (outcome) show(form, "", outcome);
  next();
}

// Returns "" when the photo was accepted, "offline", or a sentence for the patient.
function send(form, file) {
  return new Promise((resolve) => {
    const data = new FormData(form);
    data.set("photo", file, file.name);
    const request = new XMLHttpRequest();
    request.open("POST", form.action);
    request.setRequestHeader("X-Photo-Script", "1");
    request.upload.addEventListener("progress", (event) => {
      if (event.lengthComputable) form.querySelector("progress").value = (100 * event.loaded) / event.total;
    });
    request.addEventListener("error", () => resolve("offline"));
    request.addEventListener("load", () => {
      if (request.status === 201) {
        const tiles = document.getElementById("tiles");
        tiles.outerHTML = request.responseText;
        htmx.process(document.getElementById("tiles"));
        show(form, form.dataset.sent);
        resolve("");
      } else if ([401, 403].includes(request.status)) {
        sessionStorage.setItem(UNSENT, form.action);
        location.reload(); // leads to the log-in and back, or to the message
      } else if ([502, 503, 504].includes(request.status)) resolve("offline"); // temporary: send again
      else resolve([422, 429].includes(request.status) ? request.responseText : form.dataset.failed);
    });
    request.send(data);
  });
}

function show(form, words, error = "") {
  const line = form.querySelector(".progress-line");
  line.hidden = words !== form.dataset.sending;
  const problem = form.querySelector(".error");
  problem.textContent = error;
  problem.hidden = !error;
  said.textContent = error || words;
}

function wait(form) {
  show(form, "", form.dataset.waiting);
  const again = setTimeout(resume, 5000);
  function resume() {
    clearTimeout(again);
    removeEventListener("online", resume);
    next();
  }
  addEventListener("online", resume);
}
