"""How people come in: patients sign up themselves, staff only by invitation (see `people.py`)."""

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
from django.utils.translation import get_language

from teleder.accounts.models import Clinic, Language, Role, User
from teleder.security import failed_logins
from teleder.security.failed_logins import Reason
from teleder.security.login_throttling import LimitedGuesses

BEGAN_WITH = "login_began_with"
OUR_NAME = {"name": "teleder", "domain": "teleder"}
# Who asks for a new password gets one of two mails. Both are written, so that the time does not tell which.
WRITTEN_TOO = {
    "account/email/password_reset_key": "account/email/unknown_account",
    "account/email/unknown_account": "account/email/password_reset_key",
}


def called(user: User) -> str:
    """What the library's mails call somebody: the address the mail goes to, and not their name."""
    return user.email


def public_link(address: str) -> str:
    """Return the same page of the site by the address that the clinic has given it."""
    return settings.PUBLIC_URL + urlunsplit(urlsplit(address)._replace(scheme="", netloc=""))


class Accounts(LimitedGuesses):
    def save_user(self, request: HttpRequest, user: User, form: Any, commit: bool = True) -> User:
        """Whoever signs up is a patient, whatever the form says, and keeps the language of the page."""
        user.role = Role.PATIENT
        language = (get_language() or "")[:2]
        # The form offers a choice only where there are several clinics.
        user.clinic = form.cleaned_data.get("clinic") or Clinic.objects.first()
        user.language = language if language in Language.values else Language.JA
        return super().save_user(request, user, form, commit)

    def authenticate(self, request: HttpRequest, **credentials: Any) -> User | None:
        """Take an account that was never confirmed for none: who signs up for an address and then tries to log in
        would else learn whether it had one before."""
        user = super().authenticate(request, **credentials)
        if not (user and has_verified_email(user)):
            failed_logins.record(request, Reason.WRONG_PASSWORD, email=credentials.get("email", ""))
            return None
        if not user.is_active:
            failed_logins.record(request, Reason.SUSPENDED, email=user.email)
        return user

    def pre_login(self, request: HttpRequest, user: User, **how: Any) -> HttpResponse | None:
        """Note with which password and rights a log-in begins; its second step may come a quarter of an hour later."""
        refused = super().pre_login(request, user, **how)
        if refused is None:
            request.session[BEGAN_WITH] = user.get_session_auth_hash()
        return refused

    def login(self, request: HttpRequest, user: User) -> None:
        """End what still is what it was; who was suspended or got another password or role meanwhile begins anew."""
        same = request.session.pop(BEGAN_WITH, "") == user.get_session_auth_hash()
        if not (same and user.is_active):
            clear_login(request)
            raise ImmediateHttpResponse(redirect("account_login"))
        super().login(request, user)

    def is_safe_url(self, url: str) -> bool:
        """Go on only to a path of ours: the library would take any host that the site answers to."""
        return url_has_allowed_host_and_scheme(url, allowed_hosts=None)

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        """Sign as teleder, and link to the public address: the library's own word is the host that the request names."""
        links = {name: public_link(value) for name, value in context.items() if name.endswith("_url")}
        context |= {"current_site": OUR_NAME, **links}
        if other := WRITTEN_TOO.get(template_prefix):
            self.render_mail(other, email, {"user": User(), **context})
        super().send_mail(template_prefix, email, context)
