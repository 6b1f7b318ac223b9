"""Named checks over the messages to people (`manage.py check_record`)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta

from django.db.models.functions import Now
from django.utils import timezone

from teleder.cases.invariants import LATE_MINUTES
from teleder.cases.models import Event
from teleder.notifications import texts
from teleder.notifications.models import UNSENT, DueWarning, Message, UrgentCall


def notified_events_have_a_message() -> Iterator[str]:
    handled = Event.objects.filter(kind__in=texts.TITLES, messages=None).exclude(told_at=None)
    yield from map(str, handled.values_list("pk", flat=True))


def messages_are_sent_or_still_due() -> Iterator[str]:
    late = Now() - timedelta(minutes=LATE_MINUTES)
    forgotten = Message.objects.filter(state__in=UNSENT, due_at__lt=late)
    yield from map(str, forgotten.values_list("pk", flat=True))


def urgent_calls_are_told() -> Iterator[str]:
    late = timezone.now() - timedelta(minutes=LATE_MINUTES)
    yield from (
        str(pk) for pk in UrgentCall.objects.open().filter(tell_at__lt=late).values_list("pk", flat=True)
    )


def warnings_of_due_times_are_told() -> Iterator[str]:
    late = timezone.now() - timedelta(minutes=LATE_MINUTES)
    forgotten = DueWarning.objects.filter(told_at=None, at__lt=late)
    yield from (str(pk) for pk in forgotten.values_list("pk", flat=True))


INVARIANTS: tuple[Callable[[], Iterator[str]], ...] = (
    notified_events_have_a_message,
    messages_are_sent_or_still_due,
    urgent_calls_are_told,
    warnings_of_due_times_are_told,
)
