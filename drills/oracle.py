"""Compares what the server accepted with the tables: what was lost, stuck or duplicated."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from django.conf import settings
from django.db import connection
from django.db.models import Count, F, Q
from django.db.utils import DatabaseError

from drills.client import Accepted, Clients
from drills.mail import Mailbox
from teleder.cases import invariants
from teleder.cases.models import (
    AIStatus,
    Analysis,
    Event,
    EventKind,
    Finding,
    HeldAnswer,
    Job,
    Photo,
    Review,
    Status,
    Submission,
)
from teleder.notifications.models import Channel, Message, MessageState
from teleder.pipeline.transitions import AI_READ, UNFINISHED

ENDED = (EventKind.AI_DONE, EventKind.AI_UNAVAILABLE)


@dataclass
class Figures:
    """The result of a drill. Each line in `broken` is a broken promise.

    `not_run` lists what this machine cannot do: neither held nor broken.
    `late` lists exceeded time limits. They are measured once more, since the machine may have been busy.
    """

    accepted: int = 0
    by_ai: int = 0
    unavailable: int = 0
    lost: int = 0
    stuck: int = 0
    double_messages: int = 0
    double_results: int = 0
    slowest_seconds: float = 0.0
    p95_seconds: float = 0.0
    notes: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    late: list[str] = field(default_factory=list)
    not_run: list[str] = field(default_factory=list)

    def held(self) -> bool:
        return not (self.broken or self.late or self.not_run)

    def failed(self) -> bool:
        return bool(self.broken or self.late)

    def only_late(self) -> bool:
        return bool(self.late and not self.broken)

    def line(self) -> str:
        words = (
            f"accepted {self.accepted}, answered by AI {self.by_ai}, AI unavailable {self.unavailable}, "
            f"lost {self.lost}, stuck {self.stuck}, double messages {self.double_messages}, "
            f"double results {self.double_results}, slowest recovery {self.slowest_seconds:.1f} s"
        )
        broken = (
            f"{word}: {each}{f' ({times} times)' if times > 1 else ''}"
            for word, faults in (("BROKEN", self.broken), ("LATE", self.late), ("NOT RUN", self.not_run))
            for each, times in Counter(faults).items()
        )
        return "; ".join([words, *self.notes, *broken])


def settle(clients: Clients, seconds: float) -> None:
    """Wait until all work is finished, at most `seconds`."""
    limit = time.monotonic() + seconds
    while time.monotonic() < limit and not _at_rest(clients):
        time.sleep(0.5)


def _at_rest(clients: Clients) -> bool:
    try:
        return not (
            waits_for_ai(clients)
            or Job.objects.filter(state__in=UNFINISHED).exists()
            or HeldAnswer.objects.exists()
            or Event.objects.filter(told_at=None).exists()
            or Message.objects.filter(state__in=[MessageState.QUEUED, MessageState.SENDING]).exists()
        )
    except DatabaseError:  # the drill has stopped the database
        connection.close()
        return False


def waits_for_ai(clients: Clients) -> bool:
    return _rows(clients).filter(ai_status=AIStatus.WAITING).exists()


def figures(clients: Clients, mailbox: Mailbox, *, bound: float) -> Figures:
    """Compare the record with what was accepted; no recovery may take longer than `bound` seconds."""
    rows = _rows(clients)
    found = Figures(accepted=len(clients.accepted))
    found.by_ai = rows.filter(ai_status__in=AI_READ).count()
    found.unavailable = rows.filter(ai_status=AIStatus.UNAVAILABLE).count()
    found.lost = len(set(_lost(clients)))
    waiting = rows.filter(ai_status=AIStatus.WAITING), Job.objects.filter(state__in=UNFINISHED)
    found.stuck = sum(each.count() for each in (*waiting, Event.objects.filter(told_at=None)))
    found.double_messages = sum(_double_messages(rows, mailbox))
    found.double_results = sum(_double_results(rows))
    waits = list(_recoveries(rows))
    found.slowest_seconds, found.p95_seconds = max(waits, default=0.0), percentile_95(waits)
    if resent := sum(mailbox.taken.values()) - len(mailbox.taken):
        found.notes.append(f"{resent} mails sent again with the same Message-ID")
    for name in ("lost", "stuck", "double_messages", "double_results"):
        if count := getattr(found, name):
            found.broken.append(f"{count} {name.replace('_', ' ')}")
    if unsent := Message.objects.filter(~Q(state=MessageState.SENT)).count():
        found.broken.append(f"{unsent} messages not sent")
    found.broken += [name for name, _rows in invariants.broken()]
    if not clients.accepted:
        found.broken.append("nothing was accepted: the drill proves nothing")
    if clients.given_up:
        found.broken.append(f"{clients.given_up} never accepted")
    if clients.server_errors:
        found.broken.append(f"{len(clients.server_errors)} answers 500 ({clients.server_errors[0]})")
    if found.slowest_seconds > bound:
        found.late.append(f"recovery took longer than {bound:.0f} s")
    return found


def slowest_of(accepted: list[Accepted]) -> float:
    """Return the longest time (seconds) that one of these waited for the AI to finish."""
    rows = Submission.objects.filter(pk__in=[each.submission for each in accepted])
    return max(_recoveries(rows), default=0.0)


def _rows(clients: Clients):
    return Submission.objects.filter(pk__in=[each.submission for each in clients.accepted])


def _lost(clients: Clients) -> Iterator[str]:
    """Yield accepted submissions that are neither on the worklist nor answered, or lack the file of an accepted photo."""
    signed = Q(status=Status.ANSWERED, reviews__isnull=False)
    awaited = set(
        map(str, _rows(clients).filter(Q(status=Status.SUBMITTED) | signed).values_list("pk", flat=True))
    )
    photos = Photo.objects.current().filter(submission__in=_rows(clients))
    kept = {
        (str(photo.submission_id), photo.sha256)
        for photo in photos
        if settings.PHOTO_STORAGE.exists(photo.original_key)
    }
    for each in clients.accepted:
        wanted = {(each.submission, sha256) for sha256 in each.photos}
        if each.submission not in awaited or not wanted <= kept:
            yield each.submission


def _double_messages(rows, mailbox: Mailbox) -> Iterator[int]:
    """Yield the counts of repeated events, duplicate message rows, and mails that a person would see twice."""
    sent = Event.objects.filter(submission__in=rows, kind=EventKind.SUBMITTED)
    yield sent.count() - sent.values("submission").distinct().count()
    messages = Message.objects.values("event", "person", "channel").annotate(n=Count("pk"))
    yield messages.filter(n__gt=1).count()
    mails = Message.objects.filter(channel=Channel.EMAIL)
    yield max(0, len(mailbox.taken) - mails.count())


def _double_results(rows) -> Iterator[int]:
    """Yield the counts of duplicate photos, analyses, findings, reviews, submissions of one key and AI results."""
    photos = Photo.objects.filter(submission__in=rows)
    yield photos.current().values("submission", "sha256").annotate(n=Count("pk")).filter(n__gt=1).count()
    yield (
        Analysis.objects.filter(photo__in=photos)
        .values("photo")
        .annotate(n=Count("pk"))
        .filter(n__gt=1)
        .count()
    )
    findings = Finding.objects.values("analysis", "condition").annotate(n=Count("pk"))
    yield findings.filter(n__gt=1).count()
    answers = Review.objects.filter(submission__in=rows).values("submission").annotate(n=Count("pk"))
    yield answers.filter(n__gt=1).count()
    keys = Submission.objects.exclude(idempotency_key="").values("idempotency_key")
    yield keys.annotate(n=Count("pk")).filter(n__gt=1).count()
    ends = Event.objects.filter(submission__in=rows, kind=EventKind.AI_DONE).values("submission", "detail")
    yield ends.annotate(n=Count("pk")).filter(n__gt=1).count()


def _recoveries(rows) -> Iterable[float]:
    ended = Event.objects.filter(submission__in=rows, kind__in=ENDED)
    waits = ended.annotate(wait=F("at") - F("submission__submitted_at")).values_list("wait", flat=True)
    return (wait.total_seconds() for wait in waits)


def percentile_95(values: list[float]) -> float:
    return sorted(values)[int(0.95 * (len(values) - 1))] if values else 0.0
