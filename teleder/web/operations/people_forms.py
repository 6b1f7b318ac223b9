"""Forms of an invitation: of the admin, and of the invited person."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib.auth.password_validation import validate_password
from django.utils.translation import gettext_lazy as _

from teleder.accounts.email_addresses import EmailField
from teleder.accounts.models import Invitation, Role, User
from teleder.accounts.normalisation import normalise_number
from teleder.accounts.text import LineFormField


class InviteForm(forms.Form):
    email = EmailField(label=_("e-mail address"))
    role = forms.ChoiceField(
        label=_("role"), choices=[choice for choice in Role.choices if choice[0] != Role.PATIENT]
    )


class LicenceForm(forms.Form):
    """What an admin has read on a licence."""

    number = LineFormField(label=_("Licence number"), max_length=50)
    expires_on = forms.DateField(
        label=_("Valid until"),
        required=False,
        widget=forms.DateInput(attrs={"type": "date"}),
        help_text=_("Leave it empty for a licence without an end, as a Japanese doctor's is."),
    )
    seen = forms.BooleanField(label=_("I have seen the licence, and the name on it is this person's."))


class InvitationForm(forms.Form):
    """Patients see name and licence number under an answer, so a dermatologist must give both."""

    name = LineFormField(label=_("Your name"), max_length=100)
    licence_number = LineFormField(label=_("Licence number"), max_length=50)
    password = forms.CharField(
        label=_("Password"), widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}), strip=False
    )

    def __init__(self, *args: Any, invitation: Invitation, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.invitation = invitation
        if invitation.role != Role.DERMATOLOGIST:
            del self.fields["licence_number"]

    def clean_licence_number(self) -> str:
        return normalise_number(self.cleaned_data["licence_number"])

    def clean_password(self) -> str:
        person = User(email=self.invitation.email, name=self.cleaned_data.get("name", ""))
        validate_password(self.cleaned_data["password"], person)
        return self.cleaned_data["password"]
