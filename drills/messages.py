"""R15: a mail server that takes a mail and never says so, refuses, hangs up, and is well again."""

from __future__ import annotations

import time

from drills.oracle import Figures
from drills.run import Run, drill

RECOVERY_SECONDS = 60
HEALTH_WORDS = ("elbow", "dermatitis", "photo.jpg", "urgen")


@drill("R15", "a mail server that fails in every way", guard="message-id")
def bad_mail_server(run: Run) -> Figures:
    from django.utils import timezone

    from teleder.notifications.models import Message, MessageState

    clients, mailbox = run.clients(), run.system.mailbox
    for behaviour in ("mute", "fail", "drop"):
        mailbox.behaviour = behaviour
        clients.send(run.few_or_many(2, 20), threads=2)
        time.sleep(run.few_or_many(6, 60))
    mailbox.behaviour = ""
    # The hours of waiting between two tries pass at once.
    Message.objects.filter(state=MessageState.QUEUED).update(due_at=timezone.now())
    found = run.finish(clients, bound=RECOVERY_SECONDS)
    if any(word in text for text in mailbox.texts.values() for word in HEALTH_WORDS):
        found.broken.append("a mail speaks of health")
    return found
