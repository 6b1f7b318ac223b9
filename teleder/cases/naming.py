"""When a clinic's own model may name a condition."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.cache import caches

from teleder.cases.models import Impression, Review

CLASSES = (Impression.AD, Impression.HI, Impression.IM, Impression.MF, Impression.OTHER)
MAY_NAME_SECONDS, MAY_NOT_NAME_SECONDS = 600, 5


def clinic_may_name(clinic: Any) -> bool:
    """Whether the clinic has signed enough cases of each class for its own model to name a condition.

    No more rows of a class are read than decide. The process remembers a "yes", as answers are not unsigned, and a "no" for
    the next few pages.
    """
    kept, key = caches["process"], f"clinic-may-name.{clinic}"
    if (known := kept.get(key)) is not None:
        return known
    reviews = Review.objects.filter(submission__clinic=clinic, amended_by=None, taken_back=None).order_by()
    enough = settings.SIGNED_CASES_TO_NAME
    may = all(
        len(reviews.filter(impression=name).values("submission").distinct()[:enough]) >= enough
        for name in reversed(CLASSES)  # the common one last
    )
    kept.set(key, may, MAY_NAME_SECONDS if may else MAY_NOT_NAME_SECONDS)
    return may
