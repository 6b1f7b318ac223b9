// One box that selects all boxes of the same name on the page; without a script there is none.
for (const all of document.querySelectorAll("[data-select]")) {
  const boxes = [...document.getElementsByName(all.dataset.select)];
  const show = () => {
    const checked = boxes.filter((box) => box.checked).length;
    all.checked = checked > 0 && checked === boxes.length;
    all.indeterminate = checked > 0 && checked < boxes.length;
  };
  all.closest("label").hidden = false;
  all.addEventListener("change", () => boxes.forEach((box) => (box.checked = all.checked)));
  boxes.forEach((box) => box.addEventListener("change", show));
  show();
}
