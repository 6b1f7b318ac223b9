"""What is stored about a person and what an erasure would mean, for page and API."""

from __future__ import annotations

from typing import Any

from django.db.models import Count, Sum
from django.utils.translation import gettext as _

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


def kept_by_law() -> str:
    """Return what the law makes the clinic keep, and where: the same words before an erasure and in the privacy text."""
    policy = retention_policy()
    if policy.record_duty_first:
        words = _(
            "What you sent and the answers are a medical record. The law requires the clinic to keep it for %(years)d years after the end of treatment. It is deleted here only after that."
        )
    else:
        words = _(
            "What you sent and the answers are a medical record. The law requires the clinic to keep it for %(years)d years after the end of treatment. The clinic keeps it in its own records, even if your data is deleted here."
        )
    return words % {"years": policy.purposes["medical_record"].days // 365}
