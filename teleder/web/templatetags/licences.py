"""The state of a dermatologist's licence, for templates."""

from __future__ import annotations

from django import template

from teleder.accounts import licences
from teleder.accounts.licences import LicenceState
from teleder.accounts.models import DermatologistProfile

register = template.Library()


@register.filter
def licence_state(profile: DermatologistProfile | None) -> LicenceState:
    """Return the state; who has no profile yet has no licence that was checked."""
    return licences.state_of(profile) if profile else LicenceState.UNCHECKED
