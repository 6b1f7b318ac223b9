"""Signing up: as ever, and where there are several clinics with a choice of one."""

from __future__ import annotations

from typing import Any

from allauth.account.forms import SignupForm
from django import forms
from django.utils.translation import gettext_lazy as _

from teleder.accounts.models import Clinic


class SignUpForm(SignupForm):
    clinic = forms.ModelChoiceField(Clinic.objects.all(), label=_("Clinic"))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if Clinic.objects.count() < 2:
            del self.fields["clinic"]
