"""Named checks over the messages to people (`manage.py check_record`)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta

from django.db.models.functions import Now

from teleder.cases.invariants import LATE_MINUTES
from teleder.cases.models import Event
from teleder.notifications import texts
from teleder.notifications.models import UNSENT, Message


def notified_events_have_a_message() -> Iterator[str]:
    handled = Event.objects.filter(kind__in=texts.TITLES, messages=None).exclude(told_at=None)
    yield from map(str, handled.values_list("pk", flat=True))


def messages_are_sent_or_still_due() -> Iterator[str]:
    late = Now() - timedelta(minutes=LATE_MINUTES)
    forgotten = Message.objects.filter(state__in=UNSENT, due_at__lt=late)
    yield from map(str, forgotten.values_list("pk", flat=True))


INVARIANTS: tuple[Callable[[], Iterator[str]], ...] = (
    notified_events_have_a_message,
    messages_are_sent_or_still_due,
)
