"""Dermatologists who cannot sign, on the board."""

from __future__ import annotations

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from teleder.accounts.licences import LicenceState
from teleder.notifications.runbook import AlertKind
from teleder.web.operations.problem import Problem


def expired(n: int) -> Problem | None:
    text = ngettext(
        "%(n)d dermatologist cannot sign: the licence has expired.",
        "%(n)d dermatologists cannot sign: their licences have expired.",
        n,
    )
    remedy = _("Hand their cases on, and record the new licence once you have seen it.")
    meaning = _("The last valid day in the record has passed.")
    return (
        _problem(AlertKind.LICENCE_EXPIRED, LicenceState.EXPIRED, text % {"n": n}, remedy, meaning)
        if n
        else None
    )


def unchecked(n: int) -> Problem | None:
    text = ngettext(
        "%(n)d dermatologist cannot sign: the licence was not checked.",
        "%(n)d dermatologists cannot sign: their licences were not checked.",
        n,
    )
    remedy = _("Look at the licence, and record its number.")
    meaning = _("No admin has recorded that they have seen it.")
    return (
        _problem(AlertKind.LICENCE_UNCHECKED, LicenceState.UNCHECKED, text % {"n": n}, remedy, meaning)
        if n
        else None
    )


def _problem(kind: AlertKind, state: LicenceState, text: str, remedy: str, meaning: str) -> Problem:
    return Problem(
        kind,
        text,
        _("Answers come later if nobody else answers."),
        remedy,
        f"{reverse('web:people')}?licence={state.value}",
        meaning=meaning,
        doctors=_("They read cases and keep what they write, but signing is refused."),
        button=_("Show these people"),
    )
