"""From events to messages to people: exactly one message per event, person and channel.

`queue_messages` writes the rows in the transaction that marks the event; `deliver` claims a row by a conditional UPDATE, sends
outside any transaction, and marks it sent. A sweeper that crashes between sending and marking leaves a row whose
attempt times out; it is sent again under the same Message-ID, by which mail systems detect the duplicate.
"""

from __future__ import annotations

import logging
from datetime import timedelta
from itertools import chain, takewhile
from time import monotonic
from urllib.parse import urlsplit

from django.conf import settings
from django.core.mail import EmailMessage
from django.db import transaction
from django.db.models import F, Q
from django.db.models.functions import Now

from teleder.accounts.models import User
from teleder.cases.models import Event, EventKind
from teleder.notifications import on_call, texts, webhook
from teleder.notifications.models import UNSENT, Channel, Message, MessageState, Preference

log = logging.getLogger(__name__)

BATCH = 100
ROUND_SECONDS = 5  # then the sweeper runs its other duties
SEND_SECONDS = 60  # longer than the mail server's time-out
# Events that become messages or calls; all others are marked as handled and say nothing.
HEARD = {
    *texts.TITLES,
    *on_call.WAITS_AGAIN,
    *on_call.PROMISES,
    *on_call.TO_COLLEAGUE,
    EventKind.SEND_STOPPED,
}
BACK_OFF_MINUTES = (1, 5, 15, 60, 180, 720)  # then it counts as failed, and the admin sees it


# --- Events become messages -------------------------------------------------------------------------------
def queue_messages() -> int:
    """Queue the messages of new events; return how many events were handled."""
    waiting = list(Event.objects.filter(told_at=None).order_by("id").values_list("pk", "kind")[:BATCH])
    silent = [pk for pk, kind in waiting if kind not in HEARD]
    handled = Event.objects.filter(pk__in=silent, told_at=None).update(told_at=Now()) if silent else 0
    return handled + sum(queue_messages_of(pk) for pk, kind in waiting if kind in HEARD)


@transaction.atomic
def queue_messages_of(pk: int) -> bool:
    if not Event.objects.filter(pk=pk, told_at=None).update(told_at=Now()):
        return False
    event = Event.objects.select_related("submission__case", "submission__claimed_by").get(pk=pk)
    on_call.open_calls_and_warnings(event)
    if event.kind == EventKind.SEND_STOPPED:
        on_call.tell_signer(event)
    if event.kind in on_call.TO_COLLEAGUE:
        on_call.tell_colleague(event)
    if event.kind not in texts.TITLES:
        return True
    # A hand-over holds this lock while it moves messages from the guardians to the child.
    patient = User.objects.select_for_update(no_key=True).get(pk=event.submission.case.patient_id)
    for person in patient.readers:
        for channel in channels_of(person):
            is_there = channel == Channel.INBOX  # the row is the message
            state = {"state": MessageState.SENT, "sent_at": Now()} if is_there else {}
            Message.objects.create(event=event, person=person, channel=channel, **state)
    return True


def channels_of(person: User) -> list[Channel]:
    wants_mail = not Preference.objects.filter(person=person, email=False).exists()
    return [Channel.INBOX, *([Channel.EMAIL] if wants_mail and person.is_active else [])]


# --- Messages become mail ---------------------------------------------------------------------------------
def deliver() -> int:
    """Send what is due; return how many were sent.

    A round is short, because a mail server that hangs delays the sweeper's other duties once per message.
    """
    end = monotonic() + ROUND_SECONDS
    due = Message.objects.filter(state__in=UNSENT, due_at__lte=Now())
    due = due.select_related("person", "event__submission")
    is_call = Q(event__kind=EventKind.ON_CALL_TOLD)
    # What calls people goes first: behind many others it would come too late.
    rows = chain(
        due.filter(is_call).order_by("due_at")[:BATCH], due.exclude(is_call).order_by("due_at")[:BATCH]
    )
    return sum(map(deliver_message, takewhile(lambda _: monotonic() < end, rows)))


def deliver_message(message: Message) -> bool:
    # Take the message for one attempt; of two sweepers one gets it.
    same = Message.objects.filter(
        pk=message.pk, state=message.state, attempt=message.attempt, due_at__lte=Now()
    )
    deadline = Now() + timedelta(seconds=SEND_SECONDS)
    if not same.update(state=MessageState.SENDING, attempt=F("attempt") + 1, due_at=deadline):
        return False
    message.attempt += 1
    mine = Message.objects.filter(pk=message.pk, attempt=message.attempt)
    try:
        send_message(message)
    except Exception as error:  # noqa: BLE001  (one message that cannot be sent must not stop the others)
        log.warning("message %s was not sent (%s)", message.pk, type(error).__name__)
        mine = mine.filter(state=MessageState.SENDING)
        if message.attempt > len(BACK_OFF_MINUTES):
            mine.update(state=MessageState.FAILED)
        else:
            wait = timedelta(minutes=BACK_OFF_MINUTES[message.attempt - 1])
            mine.update(state=MessageState.QUEUED, due_at=Now() + wait)
        return False
    return bool(mine.update(state=MessageState.SENT, sent_at=Now()))


def send_message(message: Message) -> None:
    if message.channel == Channel.INBOX:
        return  # one of the version before, which queued them
    if message.channel == Channel.WEBHOOK:
        webhook.call(message)
        return
    subject, body = texts.mail_of(message.event, message.person)
    host = urlsplit(settings.PUBLIC_URL).hostname  # the same on every machine that may repeat it
    headers = {"Message-ID": f"<teleder.{message.pk}@{host}>", "Auto-Submitted": "auto-generated"}
    EmailMessage(subject, body, to=[message.person.email], headers=headers).send()
