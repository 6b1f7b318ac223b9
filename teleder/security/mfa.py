"""The second factor (allauth.mfa): optional for patients, required for dermatologists and admins."""

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
from django.forms import BooleanField
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from teleder.accounts import people
from teleder.accounts.forms import InPlainWords, in_our_words
from teleder.accounts.models import STAFF, User
from teleder.accounts.normalisation import normalise_code
from teleder.accounts.text import LineFormField
from teleder.security import failed_logins
from teleder.security.failed_logins import Reason
from teleder.security.rate_limits import RateLimitedError

FACTORS = (Authenticator.Type.TOTP, Authenticator.Type.WEBAUTHN)
# Views that staff reach before they have shown the second factor.
AUTHENTICATING = {"mfa_reauthenticate", "mfa_reauthenticate_webauthn"}
OPEN = {"account_logout", "web:language", "healthz", "readyz", "metrics", "api:schema", "api:docs"}


def is_required(user: User) -> bool:
    return settings.STAFF_SECOND_FACTOR and (user.role in STAFF or user.is_superuser)


def is_missing(request: HttpRequest) -> bool:
    """Whether the user needs a second factor that the session has not shown: its pages are closed until then."""
    records = get_authentication_records(request, request.user)
    return is_required(request.user) and all(record["method"] != "mfa" for record in records)


class SecondFactorMiddleware:
    """Redirect staff whose session has not shown a second factor to the page for it, or to its set-up.

    The session decides, not the account: a session that began with the password alone stays locked when its
    owner, or somebody else with the password, sets up a factor in another session.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_view(self, request: HttpRequest, *_rest: Any) -> HttpResponse | None:
        name = request.resolver_match.view_name
        if name in OPEN or not request.user.is_authenticated:
            return None
        if not is_missing(request):
            return None
        if request.path.startswith(settings.API_PATHS):
            raise PermissionDenied
        factors = set(Authenticator.objects.filter(user=request.user.pk).values_list("type", flat=True))
        if not factors.intersection(FACTORS):
            is_setting_up = name.startswith("mfa_") or name == "account_reauthenticate"
            return None if is_setting_up else redirect("mfa_index")
        # With a factor, the pages that set up recovery codes need it first: the codes are a factor too. So does the
        # page that asks for the password again: it carries out the earlier request inside its own.
        if name in AUTHENTICATING:
            return None
        has_app = Authenticator.Type.TOTP in factors
        page = reverse("mfa_reauthenticate" if has_app else "mfa_reauthenticate_webauthn")
        # After a script's request, lead back to the page that sent it (web/script_requests.py).
        is_by_script = "HX-Request" in request.headers
        return redirect_to_login(request.get_full_path(), page) if is_by_script else redirect(page)


@receiver(authenticator_added)
def _record_set_up(request: HttpRequest, user: User, authenticator: Authenticator, **_rest: Any) -> None:
    if authenticator.type not in FACTORS:
        return
    if Authenticator.objects.filter(user=user, type__in=FACTORS).count() == 1:
        people.end_other_sessions(request, user)  # the password alone opened them
    record_authentication(request, user, "mfa", id=authenticator.pk, type=authenticator.type)


@receiver(pre_delete, sender=Authenticator)
def _keep_last_factor(instance: Authenticator, origin: Any, **_rest: Any) -> None:
    """Refuse to remove the last factor of a user who needs one; a row lock serialises concurrent removals.

    allauth asks its adapter about apps only. An admin's reset deletes by a query, which has another origin.
    """
    if origin is not instance or instance.type not in FACTORS:
        return
    User.objects.select_for_update().get(pk=instance.user_id)
    if not get_adapter().can_delete_authenticator(instance):
        request = context.request
        messages.error(request, _("You cannot remove your last second factor. Add another one first."))
        raise ImmediateHttpResponse(redirect("mfa_index"))


CODE_WORDS = (gettext_lazy("Code"), gettext_lazy("Six digits of the app, or a code for an emergency."))
APP_WORDS = (gettext_lazy("Code of the app"), gettext_lazy("Six digits"))


class CodeFormMixin:
    """Codes in any character width; failures are recorded for admins."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        in_our_words(self, code=CODE_WORDS)
        self.fields["code"].widget.attrs |= {"inputmode": "numeric"}

    def clean_code(self) -> str:
        self.cleaned_data["code"] = normalise_code(self.cleaned_data["code"])
        with _recorded(self.user):
            return super().clean_code()


class AuthenticateForm(InPlainWords, CodeFormMixin, mfa_forms.AuthenticateForm):
    pass


class ReauthenticateForm(InPlainWords, CodeFormMixin, mfa_forms.ReauthenticateForm):
    pass


class KeyFormMixin:
    """Security keys and passkeys; failures are recorded for admins."""

    def clean_credential(self) -> Authenticator:
        with _recorded(self.user):
            return super().clean_credential()


class AuthenticateWithKeyForm(KeyFormMixin, webauthn_forms.AuthenticateWebAuthnForm):
    pass


class LogInWithKeyForm(webauthn_forms.LoginWebAuthnForm):
    """A passkey without a password; failures are recorded for admins, of nobody: the device alone says whose it is."""

    def clean_credential(self) -> Authenticator:
        try:
            return super().clean_credential()
        except ValidationError:
            failed_logins.record_failed_login(context.request, Reason.WRONG_SECOND_FACTOR, email="")
            raise ValidationError(_("That passkey did not work. Please log in with your password.")) from None


class ReauthenticateWithKeyForm(KeyFormMixin, webauthn_forms.ReauthenticateWebAuthnForm):
    pass


@contextmanager
def _recorded(user: User) -> Iterator[None]:
    """Record a second factor that is wrong or throttled."""
    try:
        yield
    except (ValidationError, RateLimitedError) as error:
        reason = Reason.THROTTLED if isinstance(error, RateLimitedError) else Reason.WRONG_SECOND_FACTOR
        failed_logins.record_failed_login(context.request, reason, email=user.email)
        raise


class ActivateForm(InPlainWords, ActivateTOTPForm):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        in_our_words(self, code=APP_WORDS)
        self.fields["code"].widget.attrs |= {"inputmode": "numeric"}

    def clean_code(self) -> str:
        """Mark the code that sets up the app as used, so that it cannot log in as well."""
        self.cleaned_data["code"] = normalise_code(self.cleaned_data["code"])
        code = super().clean_code()
        TOTP(Authenticator(user=self.user))._mark_code_used(code)
        return code


class AddKeyForm(InPlainWords, AddWebAuthnForm):
    name = LineFormField(label=gettext_lazy("Name of the key"), required=False)
    passwordless = BooleanField(
        label=gettext_lazy("Passkey: log in with it and without the password"), required=False, initial=True
    )


class EditKeyForm(InPlainWords, EditWebAuthnForm):
    name = LineFormField(label=gettext_lazy("Name of the key"), required=True)


class MFAAdapter(DefaultMFAAdapter):
    """Encrypts secrets in the database; staff keep at least one factor."""

    error_messages = DefaultMFAAdapter.error_messages | {
        "add_email_blocked": gettext_lazy(
            "With a second factor no address can be added. Remove the factor first."
        ),
        "cannot_delete_authenticator": gettext_lazy(
            "You cannot remove your last second factor. Add another one first."
        ),
        "cannot_generate_recovery_codes": gettext_lazy("Set up a passkey or the app first."),
        "incorrect_code": gettext_lazy("This code is not right. Please try again."),
        "unverified_email": gettext_lazy("Confirm your e-mail address first."),
    }

    def generate_authenticator_name(self, user: User, type: str) -> str:
        """Return the name that a new key has until its owner gives it another."""
        number = Authenticator.objects.filter(user=user, type=type).count() + 1
        return _("My device") if number == 1 else _("My device %(n)d") % {"n": number}

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
    """The newest key encrypts; older ones from SECRET_KEY_FALLBACKS still decrypt."""
    keys = [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]
    digests = [hashlib.sha256(b"teleder.second-factor" + key.encode()).digest() for key in keys]
    return MultiFernet([Fernet(base64.urlsafe_b64encode(digest)) for digest in digests])
