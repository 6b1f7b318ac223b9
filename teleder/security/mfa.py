"""The second factor (allauth.mfa): patients may have one, dermatologists and admins must."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from allauth.account.internal.flows.login import get_authentication_records, record_authentication
from allauth.core import context
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.mfa.adapter import DefaultMFAAdapter, get_adapter
from allauth.mfa.base import forms as mfa_forms
from allauth.mfa.models import Authenticator
from allauth.mfa.signals import authenticator_added
from allauth.mfa.totp.forms import ActivateTOTPForm
from allauth.mfa.totp.internal.auth import TOTP
from allauth.mfa.webauthn import forms as webauthn_forms
from allauth.mfa.webauthn.forms import AddWebAuthnForm, EditWebAuthnForm
from cryptography.fernet import Fernet, MultiFernet
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models.signals import pre_delete
from django.dispatch import receiver
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _

from teleder.accounts import people
from teleder.accounts.models import STAFF, User
from teleder.accounts.normalisation import normalise_code
from teleder.accounts.text import LineFormField
from teleder.security import failed_logins
from teleder.security.failed_logins import Reason
from teleder.security.rate_limits import TooMany

FACTORS = (Authenticator.Type.TOTP, Authenticator.Type.WEBAUTHN)
# What a dermatologist or an admin reaches before the second factor was shown.
SHOWING = {"mfa_reauthenticate", "mfa_reauthenticate_webauthn"}
OPEN = {"account_logout", "web:language", "healthz", "readyz", "api:schema", "api:docs"}


def is_required(user: User) -> bool:
    return settings.STAFF_SECOND_FACTOR and (user.role in STAFF or user.is_superuser)


class SecondFactor:
    """Lead staff whose session has not shown a second factor to where they show it, or else set one up.

    The session is asked and not the account: a session that began with the password alone stays outside when
    its owner, or somebody else with the password, sets a factor up elsewhere.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_view(self, request: HttpRequest, *_rest: Any) -> HttpResponse | None:
        name = request.resolver_match.view_name
        if name in OPEN or not request.user.is_authenticated:
            return None
        if not is_required(request.user) or _was_shown(request):
            return None
        if request.path.startswith(settings.API_PATHS):
            raise PermissionDenied
        return _lead(request, name)


def _lead(request: HttpRequest, name: str) -> HttpResponse | None:
    # Recovery codes are a factor too: once there is one, the pages that set them up are behind it. So is the page that
    # asks for the password again: it goes on with what was wanted before, inside of its own request.
    if Authenticator.objects.filter(user=request.user.pk, type__in=FACTORS).exists():
        return None if name in SHOWING else _show_and_come_back(request)
    is_setting_up = name.startswith("mfa_") or name == "account_reauthenticate"
    return None if is_setting_up else redirect("mfa_index")


def _show_and_come_back(request: HttpRequest) -> HttpResponse:
    has_app = Authenticator.objects.filter(user=request.user.pk, type=Authenticator.Type.TOTP).exists()
    where = reverse("mfa_reauthenticate" if has_app else "mfa_reauthenticate_webauthn")
    # After a script's request back to the page that sent it (web/script_requests.py).
    is_by_script = "HX-Request" in request.headers
    return redirect_to_login(request.get_full_path(), where) if is_by_script else redirect(where)


def _was_shown(request: HttpRequest) -> bool:
    return any(record["method"] == "mfa" for record in get_authentication_records(request, request.user))


@receiver(authenticator_added)
def _shown_by_setting_up(
    request: HttpRequest, user: User, authenticator: Authenticator, **_rest: Any
) -> None:
    if authenticator.type not in FACTORS:
        return
    if Authenticator.objects.filter(user=user, type__in=FACTORS).count() == 1:
        people.end_other_sessions(request, user)  # the password alone opened them
    record_authentication(request, user, "mfa", id=authenticator.pk, type=authenticator.type)


@receiver(pre_delete, sender=Authenticator)
def _keep_the_last(instance: Authenticator, origin: Any, **_rest: Any) -> None:
    """Refuse to remove the last factor of who needs one: here, where two removals at once are one after the other.

    allauth asks its adapter about apps only. An admin who takes all of somebody's away deletes by a query.
    """
    if origin is not instance or instance.type not in FACTORS:
        return
    User.objects.select_for_update().get(pk=instance.user_id)
    if not get_adapter().can_delete_authenticator(instance):
        request = context.request
        messages.error(request, _("You cannot remove your last second factor. Add another one first."))
        raise ImmediateHttpResponse(redirect("mfa_index"))


class CodeForm:
    """What the forms for codes have in common: any width, and failures that admins see."""

    def clean_code(self) -> str:
        self.cleaned_data["code"] = normalise_code(self.cleaned_data["code"])
        with _recorded(self.user):
            return super().clean_code()


class AuthenticateForm(CodeForm, mfa_forms.AuthenticateForm):
    pass


class ReauthenticateForm(CodeForm, mfa_forms.ReauthenticateForm):
    pass


class KeyForm:
    """The same for the forms of security keys and passkeys."""

    def clean_credential(self) -> Authenticator:
        with _recorded(self.user):
            return super().clean_credential()


class AuthenticateWithKeyForm(KeyForm, webauthn_forms.AuthenticateWebAuthnForm):
    pass


class ReauthenticateWithKeyForm(KeyForm, webauthn_forms.ReauthenticateWebAuthnForm):
    pass


@contextmanager
def _recorded(user: User) -> Iterator[None]:
    """Write down a second factor that is wrong, or was tried too often."""
    try:
        yield
    except (ValidationError, TooMany) as error:
        reason = Reason.THROTTLED if isinstance(error, TooMany) else Reason.WRONG_SECOND_FACTOR
        failed_logins.record(context.request, reason, email=user.email)
        raise


class ActivateForm(ActivateTOTPForm):
    def clean_code(self) -> str:
        """The code that sets the app up is used by that: it cannot log in as well."""
        self.cleaned_data["code"] = normalise_code(self.cleaned_data["code"])
        code = super().clean_code()
        TOTP(Authenticator(user=self.user))._mark_code_used(code)
        return code


class AddKeyForm(AddWebAuthnForm):
    name = LineFormField(required=False)


class EditKeyForm(EditWebAuthnForm):
    name = LineFormField(required=True)


class SecondFactors(DefaultMFAAdapter):
    """Secrets lie encrypted in the database; staff keep at least one factor."""

    def encrypt(self, text: str) -> str:
        return _fernet().encrypt(text.encode()).decode()

    def decrypt(self, encrypted_text: str) -> str:
        return _fernet().decrypt(encrypted_text.encode()).decode()

    def can_delete_authenticator(self, authenticator: Authenticator) -> bool:
        others = Authenticator.objects.filter(user=authenticator.user, type__in=FACTORS).exclude(
            pk=authenticator.pk
        )
        return not is_required(authenticator.user) or others.exists()


def _fernet() -> MultiFernet:
    """The newest key encrypts, older ones of SECRET_KEY_FALLBACKS still read."""
    keys = [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]
    digests = [hashlib.sha256(b"teleder.second-factor" + key.encode()).digest() for key in keys]
    return MultiFernet([Fernet(base64.urlsafe_b64encode(digest)) for digest in digests])
