// The pages of log-in and sign-up: show what is typed as a password, and offer no passkey where the browser can't have one.

for (const button of document.querySelectorAll("[data-show-password]")) {
  const field = document.getElementById(button.dataset.showPassword);
  button.hidden = false;
  button.addEventListener("click", () => {
    const shown = field.type === "password";
    field.type = shown ? "text" : "password";
    button.setAttribute("aria-pressed", shown);
  });
}

const passkey = document.getElementById("passkey");
if (passkey) passkey.hidden = !window.PublicKeyCredential;
const failed = document.getElementById("passkey_failed");
if (failed) {
  document.addEventListener("allauth.error", (event) => {
    event.preventDefault();
    failed.hidden = false;
  });
}

// A device that has a passkey is offered it first at the next log-in (account/login.html). The form is sent by a script, which
// fires no "submit".
for (const form of document.querySelectorAll("form[data-passkey]")) {
  form.addEventListener("formdata", () => {
    if (form.passwordless && !form.passwordless.checked) return; // a second factor alone
    const secure = location.protocol === "https:" ? ";secure" : "";
    document.cookie = `teleder_passkey=1;path=/;max-age=31536000;samesite=lax${secure}`;
  });
}
