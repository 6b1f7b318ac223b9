// Shows the pages "hand over" and "second opinion" as a dialog on the case: without this script they are pages of their own.
const dialog = () => document.getElementById("colleague-dialog");

document.addEventListener("htmx:afterSwap", (event) => {
  if (event.detail.target.id !== "colleague-dialog") return;
  const link = event.detail.requestConfig.elt;
  dialog().showModal();
  dialog().querySelector("[data-first], textarea")?.focus();
  dialog().addEventListener("close", () => link.focus(), { once: true });
});
document.addEventListener("click", (event) => {
  if (!event.target.closest("#colleague-dialog [data-close]")) return;
  event.preventDefault();
  dialog().close();
});
document.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && event.ctrlKey && dialog()?.open) dialog().querySelector("form").requestSubmit();
});
