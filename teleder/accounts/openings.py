"""When a clinic's dermatologists see the AI's opinion: the rule that each clinic chooses (`cases/ai_opinion.py` keeps it)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.conf import settings
from django.db import models

if TYPE_CHECKING:
    from teleder.accounts.models import Clinic


class Opening(models.TextChoices):
    """The page of the rule words them (`web/operations/study.py`)."""

    AFTER_LOOK = "after_look"
    ALWAYS = "always"
    BLIND = "blind"
    STUDY = "study"


def opening_of(chosen: str) -> Opening:
    """Return the rule in force where a clinic has `chosen` one, or none."""
    return Opening(chosen or settings.AI_OPINION)


def choose_opening(clinic: Clinic, opening: str) -> str:
    """Set the clinic's rule (empty: the installation's) and return the one before."""
    before, clinic.ai_opinion = clinic.ai_opinion, Opening(opening) if opening else ""
    clinic.save(update_fields=["ai_opinion"])
    return before
