// The decision by keys: the reply is filled in as soon as impression and action are chosen, a line says what is still missing,
// and Ctrl+Enter signs from anywhere on the page.
import * as keys from "./keys.js";

// What is filled in: the fields of each part, and the field that tells what it began as.
const PARTS = [
  { names: ["text"], began: "template" },
  { names: ["today", "this_week"], began: "plan_template" },
];
let isFilling = false;
let isLooking = false; // the impression is on its way, which opens the AI's opinion: the form that sent it must stay in the page
let signsAfterwards = false;

const form = () => document.getElementById("answer-form");
const value = (name) => form().elements[name]?.value ?? "";
const chosen = (name) => form().querySelector(`[name=${name}]:checked`);

// --- The reply --------------------------------------------------------------------------------------------------
const insertButtons = () => [...document.querySelectorAll("[data-insert]")];
const languageNow = () => insertButtons().find((button) => button.getAttribute("aria-pressed") === "true")?.value;
const choices = () => [value("impression"), value("disposition"), languageNow()].join();

// Asks the server for the template of impression, action and language. It replaces what still stands as it was inserted, by the
// server's word; what was edited stays, and the page then says for what it was begun. What is typed meanwhile stays too.
async function fill() {
  if (!form() || isFilling || !chosen("impression") || !chosen("disposition")) return;
  const wanted = choices();
  const before = Object.fromEntries(PARTS.flatMap(({ names }) => names).map((name) => [name, value(name)]));
  const asked = new FormData(form());
  asked.set("insert", languageNow());
  isFilling = true;
  const page = await fetch(form().action, { method: "POST", body: asked }).then(parsed).catch(() => null);
  isFilling = false;
  if (page?.getElementById("answer-form") && form()) {
    for (const { names, began } of PARTS) {
      if (names.some((name) => value(name) !== before[name])) continue;
      for (const name of [...names, began]) form().elements[name].value = page.querySelector(`#answer [name=${name}]`).value;
    }
    const begun = document.getElementById("begun");
    begun.innerHTML = page.getElementById("begun").innerHTML;
    window.htmx.process(begun);
    document.getElementById("id_text").dispatchEvent(new Event("input", { bubbles: true }));
    prepare();
    if (choices() !== wanted) fill(); // another action was chosen meanwhile
  }
  signIfAsked();
}

const parsed = async (answer) => new DOMParser().parseFromString(await answer.text(), "text/html");

function signIfAsked() {
  if (!signsAfterwards || isFilling || isLooking) return;
  signsAfterwards = false;
  sign();
}

function chooseLanguage(button) {
  for (const one of insertButtons()) one.setAttribute("aria-pressed", String(one === button));
  form().elements.template_language.value = button.value;
  form().dispatchEvent(new Event("change", { bubbles: true })); // the draft keeps it
  fill();
}

function otherLanguage() {
  const buttons = insertButtons();
  const now = buttons.findIndex((button) => button.value === languageNow());
  if (buttons.length) chooseLanguage(buttons[(now + 1) % buttons.length]);
}

// --- Ready to sign ----------------------------------------------------------------------------------------------
function isReady(name) {
  if (name === "text" || name === "reason") return Boolean(value(name).trim());
  if (name === "begun") return document.querySelector("[name=keep_text]")?.checked ?? true;
  return Boolean(chosen(name));
}

export function showReady() {
  const line = document.getElementById("ready");
  if (!line) return;
  line.hidden = false;
  const { done, missing } = line.querySelector("[data-ready-words]").dataset;
  const reason = document.getElementById("field-reason");
  const words = [];
  for (const item of line.querySelectorAll("[data-ready]")) {
    const name = item.dataset.ready;
    if (name === "begun") item.textContent = document.querySelector("[data-begun]")?.textContent ?? "";
    item.hidden = (name === "reason" && reason.hidden) || !item.textContent;
    const isDone = !item.hidden && isReady(name);
    item.classList.toggle("is-done", isDone);
    item.classList.toggle("is-missing", !isDone && ["reason", "begun"].includes(name));
    if (!item.hidden) words.push(`${item.textContent}: ${isDone ? done : missing}`);
  }
  line.querySelector("[data-ready-words]").textContent = words.join(", ");
}

export function prepare() {
  document.querySelectorAll("[data-reasons], [data-required], [data-close-preview]").forEach((one) => (one.hidden = false));
  showReady();
}

// --- Keys and buttons -------------------------------------------------------------------------------------------
function sign() {
  if (isFilling || isLooking) signsAfterwards = true;
  else document.querySelector("[data-sign]")?.click();
}

function onClick(event) {
  const { target } = event;
  const language = target.closest("[data-insert]");
  if (language) {
    event.preventDefault();
    chooseLanguage(language);
  }
  const reason = target.closest("[data-reason-text]");
  if (reason) {
    const field = form().elements.reason;
    if (reason.dataset.reasonText) field.value = reason.dataset.reasonText;
    else field.focus();
    field.dispatchEvent(new Event("input", { bubbles: true }));
  }
  if (target.closest("[data-close-preview]")) closePreview();
}

function closePreview() {
  document.querySelector("#answer .preview")?.remove();
  document.getElementById("do-preview").focus();
}

// With Shift the impression is sure.
function chooseSure(letter) {
  const impression = document.querySelector(`[name=impression][data-key="${letter}"]`);
  if (!impression || impression.disabled) return;
  form().querySelector("[name=confidence][value=high]").checked = true;
  impression.click();
  impression.focus();
}

function onKey(event) {
  const { target, key } = event;
  const ofAnother = target.closest?.("form") && target.closest("form") !== form();
  if (key === "Enter" && (event.ctrlKey || event.metaKey) && form() && !ofAnother && !document.querySelector("dialog[open]")) {
    event.preventDefault();
    sign();
  } else if (key === "Escape" && document.querySelector("#answer .preview")) closePreview();
  else if (key === "Escape" && target.matches("#id_text, #id_reason")) document.getElementById("do-sign").focus();
  else if (keys.keysAreOn() && !keys.isBusy(event) && form()) {
    const name = keys.nameOf(event);
    if (name === "l") otherLanguage();
    else if (/^Shift\+[QWERTY]$/.test(name)) chooseSure(name.at(-1).toLowerCase());
  }
}

export function start() {
  document.addEventListener("click", onClick);
  document.addEventListener("keydown", onKey);
  document.addEventListener("change", ({ target }) => {
    if (target.matches("#answer-form[data-fills] :is([name=impression], [name=disposition])")) fill();
  });
  document.addEventListener("input", ({ target }) => {
    // Written anew: it no longer began as the template.
    if (target.id === "id_text" && !target.value.trim()) form().elements.template.value = "";
  });
  for (const kind of ["input", "change"]) {
    document.addEventListener(kind, ({ target }) => target.closest("#answer") && showReady());
  }
  document.addEventListener("htmx:beforeRequest", ({ detail }) => (isLooking ||= detail.elt.id === "field-impression"));
  document.addEventListener("htmx:afterRequest", ({ detail }) => {
    if (detail.elt.id !== "field-impression") return;
    isLooking = false;
    signIfAsked();
  });
  prepare();
}
