// Single-key shortcuts: the key in data-key clicks an element, or focuses a text field.
// They can be switched off (WCAG 2.1.4); the choice is saved on this device.
const SWITCH = "teleder.keys";
const writes = (element) => element.matches("textarea, select, input:not([type=radio], [type=checkbox], [type=range])");

export const keysAreOn = () => localStorage.getItem(SWITCH) !== "off";

function isBusy(event) {
  const typing = writes(event.target) || event.target.isContentEditable;
  return typing || event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]");
}

function press(element) {
  if (writes(element)) element.focus();
  else element.click();
  if (element.matches("input[type=radio]")) element.focus();
}

function onKey(event) {
  if (!keysAreOn() || isBusy(event)) return;
  const visible = (element) => element.offsetParent !== null && !element.disabled;
  const target = [...document.querySelectorAll("[data-key]")].find((e) => e.dataset.key === event.key && visible(e));
  if (!target) return;
  event.preventDefault();
  press(target);
}

function showSwitch(button) {
  button.hidden = false;
  button.setAttribute("aria-pressed", String(keysAreOn()));
}

function flip(button) {
  localStorage.setItem(SWITCH, keysAreOn() ? "off" : "on");
  showSwitch(button);
}

export function start() {
  document.addEventListener("keydown", onKey);
  document.querySelectorAll("[data-keys-switch]").forEach((button) => {
    showSwitch(button);
    button.addEventListener("click", () => flip(button));
  });
  document.querySelectorAll("[data-open]").forEach((button) => {
    button.hidden = false;
    button.addEventListener("click", () => document.getElementById(button.dataset.open).showModal());
  });
}
