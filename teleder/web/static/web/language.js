// Keeps what was typed, but no password, while the page comes back in the other language.
const KEY = "teleder-typed";
const NOT_KEPT = ["hidden", "password", "file", "submit", "button"];

const fields = () =>
  [...document.querySelectorAll("main form")].flatMap((form, number) =>
    [...form.elements]
      .filter((one) => one.name && !NOT_KEPT.includes(one.type))
      .map((one) => [`${number} ${one.name} ${isChoice(one) ? one.value : ""}`, one]),
  );
const isChoice = (one) => one.type === "checkbox" || one.type === "radio";

for (const button of document.querySelectorAll("button.lang"))
  button.form.addEventListener("submit", () => {
    const typed = fields().map(([name, one]) => [name, isChoice(one) ? one.checked : one.value]);
    sessionStorage.setItem(KEY, JSON.stringify({ path: location.pathname, typed }));
  });

const kept = JSON.parse(sessionStorage.getItem(KEY) ?? "null");
sessionStorage.removeItem(KEY);
if (kept?.path === location.pathname) {
  const typed = new Map(kept.typed);
  for (const [name, one] of fields())
    if (typed.has(name)) isChoice(one) ? (one.checked = typed.get(name)) : (one.value = typed.get(name));
}
