// A form that came back: what is wrong is where the focus is, the first faulty field or the sentence about the whole form.
const faulty = document.querySelector("main [aria-invalid=true]") ?? document.querySelector("main form .err:not([hidden])");
if (faulty) {
  if (!faulty.matches("input, select, textarea")) faulty.tabIndex = -1;
  faulty.focus();
}
