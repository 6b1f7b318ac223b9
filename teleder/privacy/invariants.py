"""Named checks over erasures (`manage.py check_record`)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta

from django.conf import settings
from django.db.models.functions import Now

from teleder.cases.invariants import LATE_MINUTES
from teleder.privacy import erasure
from teleder.privacy.models import Remnant, Tombstone


def erasures_that_nothing_stands_against_are_carried_out() -> Iterator[str]:
    late = erasure.ready().filter(due_at__lt=Now() - timedelta(minutes=LATE_MINUTES))
    yield from map(str, late.values_list("pk", flat=True))


def photos_that_were_erased_have_no_folder() -> Iterator[str]:
    late = Remnant.objects.filter(
        next_at__lt=Now() - timedelta(minutes=LATE_MINUTES), place__startswith="photos/"
    )
    yield from (
        place
        for place in late.values_list("place", flat=True)
        if next(settings.PHOTO_STORAGE.list(place), None)
    )


def tombstones_stand_in_the_list_outside() -> Iterator[str]:
    late = Now() - timedelta(days=1)
    yield from map(
        str, Tombstone.objects.filter(listed_at=None, erased_on__lt=late).values_list("pk", flat=True)
    )


INVARIANTS: tuple[Callable[[], Iterator[str]], ...] = (
    erasures_that_nothing_stands_against_are_carried_out,
    photos_that_were_erased_have_no_folder,
    tombstones_stand_in_the_list_outside,
)
