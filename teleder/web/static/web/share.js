// The address of a new link: copied or handed to another app by one tap. A field shows its beginning, and all begin the same.
const field = document.getElementById("address");
const copy = document.querySelector("[data-copy]");
const hand = document.querySelector("[data-hand]");

if (field) {
  const showEnd = () => (field.scrollLeft = field.scrollWidth);
  showEnd();
  field.addEventListener("blur", showEnd);
  copy.hidden = !navigator.clipboard;
  copy.addEventListener("click", async () => {
    await navigator.clipboard.writeText(field.value);
    document.querySelector("[data-copied]").hidden = false;
  });
  hand.hidden = !navigator.share;
  // Whoever closes the list of apps again has changed nothing.
  hand.addEventListener("click", () => navigator.share({ url: field.value }).catch(() => {}));
}
