"""Sign-up and log-in: patients sign up themselves, staff join by invitation only (`accounts/people.py`)."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit, urlunsplit

from allauth.account.internal.stagekit import clear_login
from allauth.account.utils import has_verified_email
from allauth.core.exceptions import ImmediateHttpResponse
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import get_language, gettext_lazy

from teleder.accounts.models import Clinic, Language, Role, User
from teleder.security import failed_logins
from teleder.security.failed_logins import Reason
from teleder.security.login_throttling import LoginThrottlingAdapter

LOGIN_STARTED_WITH = "login_began_with"
SITE = {"name": "teleder", "domain": "teleder"}
# A password reset sends one of two mails. Both are rendered, so that the time does not tell which.
RENDERED_TOO = {
    "account/email/password_reset_key": "account/email/unknown_account",
    "account/email/unknown_account": "account/email/password_reset_key",
}

OTHER_WAYS = {
    "reauthenticate": gettext_lazy("Use your password"),
    "mfa_reauthenticate": gettext_lazy("Use a code"),
    "mfa_reauthenticate:webauthn": gettext_lazy("Use a passkey or a security key"),
}


def mail_name(user: User) -> str:
    """Return what allauth's mails call the receiver: the address, not the name."""
    return user.email


class AccountAdapter(LoginThrottlingAdapter):
    error_messages = LoginThrottlingAdapter.error_messages | {
        "account_inactive": gettext_lazy("This account cannot log in now. Please ask your clinic."),
        "cannot_remove_primary_email": gettext_lazy(
            "You log in with this address. Choose another one first, then remove it."
        ),
        "duplicate_email": gettext_lazy("This address belongs to your account already."),
        "email_taken": gettext_lazy("This address cannot be used here."),
        "enter_current_password": gettext_lazy("This is not your password."),
        "incorrect_password": gettext_lazy("This is not your password."),
        "invalid_password_reset": gettext_lazy("This link no longer works"),
        "max_email_addresses": gettext_lazy("You can have %d addresses at most."),
        "rate_limited": gettext_lazy("Please wait a moment, then try again."),
        "same_as_current": gettext_lazy("This is the same as before."),
        "select_only_one": gettext_lazy("Please choose one only."),
        "unverified_primary_email": gettext_lazy("Confirm this address first."),
        "email_password_mismatch": gettext_lazy("This e-mail address or password is wrong."),
        "incorrect_code": gettext_lazy(
            "This is not the code. Use the one of the newest mail, or ask for a new one below."
        ),
        # Shown where three codes were wrong; too many passwords have an answer of their own (login_throttling.py).
        "too_many_login_attempts": gettext_lazy(
            "The code was wrong three times and no longer works. Please create the account again: you get a new code."
        ),
    }

    def save_user(self, request: HttpRequest, user: User, form: Any, commit: bool = True) -> User:
        """Make everybody who signs up a patient, whatever the form says, with the language of the page."""
        user.role = Role.PATIENT
        user.name, user.reading = form.cleaned_data["name"], form.cleaned_data["reading"]
        language = (get_language() or "")[:2]
        # The form offers a choice only where there are several clinics.
        user.clinic = form.cleaned_data.get("clinic") or Clinic.objects.first()
        user.language = language if language in Language.values else Language.JA
        return super().save_user(request, user, form, commit)

    def authenticate(self, request: HttpRequest, **credentials: Any) -> User | None:
        """Treat an account whose address was never confirmed as missing.

        Otherwise signing up for an address and then logging in would tell whether it had an account before.
        """
        user = super().authenticate(request, **credentials)
        if not (user and has_verified_email(user)):
            failed_logins.record_failed_login(
                request, Reason.WRONG_PASSWORD, email=credentials.get("email", "")
            )
            return None
        if not user.is_active:
            failed_logins.record_failed_login(request, Reason.SUSPENDED, email=user.email)
        return user

    def pre_login(self, request: HttpRequest, user: User, **how: Any) -> HttpResponse | None:
        """Remember the password and rights a log-in starts with; its second step may come 15 minutes later."""
        refused = super().pre_login(request, user, **how)
        if refused is None:
            request.session[LOGIN_STARTED_WITH] = user.get_session_auth_hash()
        return refused

    def login(self, request: HttpRequest, user: User) -> None:
        """Complete a log-in. A user whose password, role or suspension changed meanwhile must log in again."""
        same = request.session.pop(LOGIN_STARTED_WITH, "") == user.get_session_auth_hash()
        if not (same and user.is_active):
            clear_login(request)
            raise ImmediateHttpResponse(redirect("account_login"))
        super().login(request, user)

    def get_reauthentication_methods(self, user: Any) -> list[dict[str, Any]]:
        """Name the ways to show again who one is in our words."""
        return [
            way | {"description": OTHER_WAYS.get(way["id"], way["description"])}
            for way in super().get_reauthentication_methods(user)
        ]

    def is_safe_url(self, url: str) -> bool:
        """Redirect only to paths of this site: allauth would accept any allowed host."""
        return url_has_allowed_host_and_scheme(url, allowed_hosts=None)

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        """Sign as teleder, and link to `PUBLIC_URL`: allauth would use the host that the request names."""
        links = {
            name: settings.PUBLIC_URL + urlunsplit(urlsplit(url)._replace(scheme="", netloc=""))
            for name, url in context.items()
            if name.endswith("_url")
        }
        context |= {"current_site": SITE, **links}
        if other := RENDERED_TOO.get(template_prefix):
            self.render_mail(other, email, {"user": User(), **context})
        super().send_mail(template_prefix, email, context)
