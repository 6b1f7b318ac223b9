"""allauth's forms, with addresses and codes in any character width, and a sign-up that reveals no accounts."""

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
    """The code of a mail, normalised before it is compared: three wrong ones end a sign-up."""

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
        """Delete an earlier sign-up that was never confirmed."""
        User.objects.never_confirmed().filter(email__iexact=self.cleaned_data["email"]).delete()
        return super().clean_email()

    def try_save(self, request: HttpRequest) -> tuple[User | None, HttpResponse | None]:
        """Do the same work for an address that has an account, so that the time does not tell."""
        user, response = super().try_save(request)
        if user is None:
            with transaction.atomic():
                self.account_already_exists = False
                self.cleaned_data["email"] = f"{token_hex(12)}@example.invalid"
                self.save(request)
                transaction.set_rollback(True)
        return user, response
