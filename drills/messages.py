"""R15: a mail server that accepts mail without a reply, refuses it, drops the connection, and then recovers."""

from __future__ import annotations

import time

from drills.client import wait_until
from drills.oracle import Figures
from drills.run import Run, drill

RECOVERY_SECONDS = 60
ROUND_SECONDS = 30
ATTEMPTS_IN_AN_HOUR = 4
HEALTH_WORDS = ("elbow", "dermatitis", "photo.jpg")
URGENCY = "urgen"  # is said to those on call, of no case by name, and to nobody else


@drill("R15", "a mail server that fails in every way", guard="message-id")
def bad_mail_server(run: Run) -> Figures:
    from django.db.models.functions import Now

    from teleder.accounts.models import STAFF, User
    from teleder.notifications.models import Message, MessageState
    from teleder.notifications.outbox import BACK_OFF_MINUTES

    clients, mailbox = run.clients(), run.system.mailbox
    waiting = Message.objects.filter(state__in=[MessageState.QUEUED, MessageState.SENDING])
    for behaviour in ("mute", "fail", "drop"):
        mailbox.behaviour = behaviour
        clients.send(run.few_or_many(2, 20), threads=2)
        time.sleep(run.few_or_many(6, 60))
    # An outage of an hour, without the waiting: the attempts after 1, 5, 15 and 60 minutes fail as well.
    for _minutes in BACK_OFF_MINUTES[1:4]:
        waiting.filter(state=MessageState.QUEUED).update(due_at=Now())
        wait_until(lambda: not waiting.filter(due_at__lte=Now()).exists(), ROUND_SECONDS)
    attempts = max(waiting.values_list("attempt", flat=True), default=0)
    mailbox.behaviour = ""
    waiting.filter(state=MessageState.QUEUED).update(due_at=Now())
    found = run.finish(clients, bound=RECOVERY_SECONDS)
    found.notes.append(f"up to {attempts} attempts during the outage, as in an hour")
    if attempts < ATTEMPTS_IN_AN_HOUR:
        found.broken.append("fewer attempts than in an hour")
    of_staff = [f"To: {person.email}" for person in User.objects.filter(role__in=STAFF)]
    words = {
        text: HEALTH_WORDS if any(to in text for to in of_staff) else (*HEALTH_WORDS, URGENCY)
        for text in mailbox.texts.values()
    }
    if any(word in text for text, named in words.items() for word in named):
        found.broken.append("a mail contains health data")
    return found
