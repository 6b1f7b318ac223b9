"""Intimate places of a person under 18: no photo of them is taken, another way is offered first (UK practice: RCPCH, MDDUS)."""

from __future__ import annotations

from collections.abc import Collection

from teleder.accounts.models import User
from teleder.cases.questionnaire import ADULT_YEARS, INTIMATE_SITES


def is_minor(patient: User) -> bool:
    """Whether the patient is, or as far as is known may be, under 18."""
    profile = getattr(patient, "patient", None)
    return profile is None or profile.may_be_under(ADULT_YEARS)


def is_refused(patient: User, sites: Collection[str]) -> bool:
    """Whether no photo of one of these places is taken from the patient."""
    return not INTIMATE_SITES.isdisjoint(sites) and is_minor(patient)
