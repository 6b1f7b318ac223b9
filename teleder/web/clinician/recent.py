"""What a dermatologist has answered lately: held, unread, read, corrected or taken back, with what can still be done about it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db.models import Exists, OuterRef, Prefetch
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_safe

from teleder.accounts.models import User
from teleder.cases import reading
from teleder.cases.models import (
    Disposition,
    HeldAnswer,
    Impression,
    Photo,
    Review,
    ShareLink,
    Status,
    Submission,
)
from teleder.cases.transitions import WITH_ANSWER
from teleder.web.roles import dermatologist_required

DAYS, ROWS = 7, 60
STATES = {
    "held": _("waiting to be sent"),
    "unread": _("not read yet"),
    "read": _("read"),
    "corrected": _("corrected"),
    "taken_back": _("taken back"),
}
CHIPS = {"held": "care", "unread": "ink", "read": "good", "corrected": "good", "taken_back": "bad"}


@dataclass(frozen=True)
class AnswerRow:
    """One answer of the reader, signed or held; `can` is what can be done about it now: undo, take_back, correct or write."""

    submission: Submission
    state: str
    can: str
    words: str
    review: Review | None = None
    held: HeldAnswer | None = None

    @property
    def state_text(self) -> str:
        return str(STATES[self.state])

    @property
    def chip(self) -> str:
        return CHIPS[self.state]

    @property
    def thumbnail(self) -> Photo | None:
        photos = getattr(self.submission, "shown_photos", [])
        return next((photo for photo in photos if photo.thumbnail_key), None)


@require_safe
@dermatologist_required
def recent_answers(request: HttpRequest) -> HttpResponse:
    rows = rows_of(request.user)
    start = timezone.localtime().replace(hour=0, minute=0, second=0, microsecond=0)
    today = sum(row.review is None or row.review.signed_at >= start for row in rows)
    return render(request, "web/clinician/recent.html", {"rows": rows, "today": today, "days": DAYS})


def rows_of(signer: User) -> list[AnswerRow]:
    """Return the answers of the last days, those that wait to be sent first, then the newest first."""
    photos = Prefetch("submission__photos", Photo.objects.current(), to_attr="shown_photos")
    held = HeldAnswer.objects.filter(author=signer).select_related("submission__case")
    waiting = list(held.order_by("-send_at").prefetch_related(photos))
    since = timezone.now() - timedelta(days=DAYS)
    shared = ShareLink.objects.filter(submission=OuterRef("submission"))
    reviews = Review.objects.filter(author=signer, signed_at__gte=since).annotate(is_shared=Exists(shared))
    beside = ("taken_back", "reading", "amended_by", "amends__taken_back")
    reviews = reviews.select_related("submission__case", *beside).prefetch_related(photos)
    reviews = reviews.order_by("-signed_at")[:ROWS]
    return [*map(_held_row, waiting), *(_row(review, signer) for review in reviews)]


def _held_row(waiting: HeldAnswer) -> AnswerRow:
    answer: dict[str, Any] = waiting.answer
    words = f"{Impression(answer['impression']).label} · {Disposition(answer['disposition']).label}"
    return AnswerRow(waiting.submission, "held", "undo", words, held=waiting)


def _row(review: Review, signer: User) -> AnswerRow:
    submission = review.submission
    words = f"{review.get_impression_display()} · {review.get_disposition_display()}"
    if hasattr(review, "taken_back"):
        is_mine = submission.status == Status.IN_REVIEW and submission.claimed_by_id == signer.pk
        return AnswerRow(submission, "taken_back", "write" if is_mine else "", words, review)
    if hasattr(review, "amended_by"):
        return AnswerRow(submission, "corrected", "", words, review)
    can = "correct" if submission.status in WITH_ANSWER else ""
    if hasattr(review, "reading"):
        return AnswerRow(submission, "read", can, words, review)
    may = reading.is_unread_first_answer(submission, review) and not review.is_shared
    return AnswerRow(submission, "unread", "take_back" if may else can, words, review)
