"""What is stored about a person and what an erasure would mean, for page and API."""

from __future__ import annotations

from typing import Any

from django.db.models import Count, Sum

from teleder.accounts.models import User
from teleder.cases.models import Photo, Submission
from teleder.privacy import erasure
from teleder.privacy.models import Erasure
from teleder.privacy.policy import retention_policy


def statement_for(person: User) -> dict[str, Any]:
    """Return counts of what is stored, the policy's periods, the requested erasure and the reasons it waits for."""
    photos = Photo.objects.filter(submission__case__patient=person)
    held = photos.aggregate(photos=Count("pk"), bytes=Sum("size", default=0))
    return held | {
        "consultations": Submission.objects.filter(case__patient=person).count(),
        "policy": retention_policy().version,
        "cooling_off_days": retention_policy().cooling_off_days,
        "open_case_days": retention_policy().open_case_days,
        "backup_days": retention_policy().backup_days,
        "erasure": Erasure.objects.filter(person=person).first(),
        "waits_for": erasure.waits_for(person),
    }
