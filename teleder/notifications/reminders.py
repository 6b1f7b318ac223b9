"""Reminds patients on the day for which the signed answer asks for new photos."""

from __future__ import annotations

from datetime import timedelta

from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet, TextField
from django.db.models.fields.json import KT
from django.db.models.functions import Cast
from django.utils import timezone

from teleder.accounts.models import Consent, Purpose
from teleder.accounts.time_zones import zone_of
from teleder.cases.models import Event, EventKind, Review, Submission
from teleder.cases.plan import waiting_for_photos

HOUR = 8  # not before eight in the morning, where the patient is
LATE_DAYS = 2  # a sweeper that stood still for longer reminds nobody of what is past
AT_ONCE = 1000


def remind() -> int:
    """Write the event from which the outbox makes the messages, once for each day that was set; return how many."""
    today = timezone.now().date()
    days = (today - timedelta(days=LATE_DAYS), today + timedelta(days=1))  # somewhere it is tomorrow already
    found = _not_reminded().filter(next_photo_on__range=days).order_by("next_photo_on")
    return sum(map(_remind, found.select_related("submission__case__patient")[:AT_ONCE]))


def _not_reminded() -> QuerySet[Review]:
    """The reviews that still wait for photos, of patients who may be reminded and were not."""
    on = Cast(OuterRef("next_photo_on"), TextField())
    events = Event.objects.filter(kind=EventKind.PHOTOS_DUE, submission=OuterRef("submission"))
    consents = Consent.objects.given().filter(
        purpose=Purpose.CARE, person=OuterRef("submission__case__patient")
    )
    rows = waiting_for_photos().filter(
        Exists(consents), ~Exists(events.alias(on=KT("detail__on")).filter(on=on))
    )
    return rows.filter(submission__case__patient__is_active=True, submission__case__patient__erasure=None)


@transaction.atomic
def _remind(review: Review) -> bool:
    now = timezone.localtime(timezone=zone_of(review.submission.patient.reader))
    if now.date() < review.next_photo_on or now.hour < HOUR:
        return False
    # Under the lock that signing, sending and erasing take: what was found must still hold.
    locked = Submission.objects.select_for_update(of=("self",), skip_locked=True)
    if not locked.filter(pk=review.submission_id) or not _not_reminded().filter(pk=review.pk).exists():
        return False
    detail = {"on": review.next_photo_on.isoformat()}
    review.submission.events.create(kind=EventKind.PHOTOS_DUE, detail=detail)
    return True
