"""Tells a dermatologist at each log-in that the licence was not checked, ends soon or has ended: no other page has to ask for it."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from teleder.accounts import licences
from teleder.accounts.licences import LicenceState
from teleder.accounts.models import User


def tell(request: Any, user: User, **_signal: Any) -> None:
    if not isinstance(request, HttpRequest) or not user.is_dermatologist:
        return
    if (profile := licences.concern_of(user)) is None:
        return
    state = licences.state_of(profile)
    if state == LicenceState.UNCHECKED:
        text = _(
            "No admin has checked your licence yet: you can read cases but cannot sign answers. What you have written stays. Please show an admin your licence."
        )
    elif state == LicenceState.EXPIRED:
        text = _(
            "Your licence expired on %(day)s in our record: you can read cases but cannot sign answers. What you have written stays. Please show an admin the new licence."
        )
    else:
        text = _(
            "Your licence is recorded as valid until %(day)s. After that day you cannot sign answers. Please show an admin the new licence in time."
        )
    day = date_format(profile.licence_expires_on) if profile.licence_expires_on else ""
    messages.warning(request, text % {"day": day}, fail_silently=True)
