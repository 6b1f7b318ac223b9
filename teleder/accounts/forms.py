"""allauth's forms: addresses and codes in any width, and signing up so that nobody learns who has an account."""

from __future__ import annotations

from secrets import token_hex
from typing import Any

from allauth.account.forms import (
    AddEmailForm,
    ConfirmEmailVerificationCodeForm,
    LoginForm,
    ResetPasswordForm,
    SignupForm,
)
from django import forms
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _

from teleder.accounts.email_addresses import take_any_width
from teleder.accounts.models import Clinic, User
from teleder.accounts.normalisation import normalise_code


class LogInForm(LoginForm):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        take_any_width(self, "login")


class NewAddressForm(AddEmailForm):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        take_any_width(self, "email")


class NewPasswordForm(ResetPasswordForm):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        take_any_width(self, "email")


class AddressCodeForm(ConfirmEmailVerificationCodeForm):
    """The code of a mail. It is put into one width before it is compared: three wrong ones end a sign-up."""

    def clean_code(self) -> str:
        self.cleaned_data["code"] = normalise_code(self.cleaned_data["code"])
        return super().clean_code()


class SignUpForm(SignupForm):
    clinic = forms.ModelChoiceField(Clinic.objects.all(), label=_("Clinic"))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        take_any_width(self, "email")
        if Clinic.objects.count() < 2:
            del self.fields["clinic"]

    def clean_email(self) -> str:
        """Begin anew where an earlier try was never confirmed by its code."""
        User.objects.never_confirmed().filter(email__iexact=self.cleaned_data["email"]).delete()
        return super().clean_email()

    def try_save(self, request: HttpRequest) -> tuple[User | None, HttpResponse | None]:
        """Work as much for an address that has an account as for one that gets one: time would tell."""
        user, response = super().try_save(request)
        if user is None:
            with transaction.atomic():
                self.account_already_exists = False
                self.cleaned_data["email"] = f"{token_hex(12)}@example.invalid"
                self.save(request)
                transaction.set_rollback(True)
        return user, response
