"""The dermatologist's worklist: the rows of a page, and what tells that it has changed."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from functools import cache

from django.db.models import OuterRef, Prefetch, Q, Subquery, prefetch_related_objects
from django.utils import timezone
from django.utils.translation import get_language

from teleder.accounts.models import User
from teleder.cases import verdict
from teleder.cases.models import Analysis, Photo, Place, Review, Status, Submission, SubmissionQuerySet
from teleder.cases.transitions import WITH_ANSWER
from teleder.notifications.models import UrgentCall
from teleder.web.clinician import finding
from teleder.web.clinician.list_views import FILTERS, IN_ORDER_OF_THE_WORKLIST, counts
from teleder.web.clinician.rows import QUESTION_LEVEL, Row
from teleder.web.clinician.rows import age_of as age_of
from teleder.web.clinician.rows import due_text as due_text
from teleder.web.clinician.rows import writer_of as writer_of

ROWS = 25  # two screens of them; fifty took twice the time on each visit and each change
# What a row shows, or the verdict asks: to read all columns for fifty rows takes longer than to find them.
OF_SUBMISSION = (
    *(
        "case",
        "clinic",
        "kind",
        "written_by",
        "status",
        "submitted_at",
        "due_at",
        "paused_at",
        "spot_check",
        "question_due_at",
        "last_signed_at",
        "policy",
        "urgency",
        "flags",
    ),
    *("ai_status", "ai_precedence", "claimed_by", "snoozed_until", "snooze_reason"),
    *(
        "case__number",
        "case__body_site",
        "case__places",
        "case__clinic",
        "case__patient",
        "case__patient__patient__birth_year",
        "case__patient__patient__birth_date",
    ),
    "claimed_by__name",
)
OF_PHOTO = ("submission", "state", "reason", "fault", "thumbnail_key", "veiled_key", "created_at")
OF_ANALYSIS = (
    *(
        "photo",
        "created_at",
        "classified_at",
        "boxes",
        "no_box",
        "top",
        "abstention",
        "alarms",
        "distance",
        "demonstration",
    ),
)


@dataclass(frozen=True)
class Page:
    """Rows of one page and the place after which the next page starts; `None` on the last page."""

    rows: list[Row]
    after: Place | None


def page_of(user: User, *, show: str, words: str = "", after: Place | None = None) -> Page:
    """Return what `user` may see under a filter, or what was searched for."""
    rows, is_paged = _rows_of(user, show=show, words=words, after=after)
    analyses = Analysis.objects.only(*OF_ANALYSIS).prefetch_related("findings")
    photos = Photo.objects.current().only(*OF_PHOTO).prefetch_related(Prefetch("analyses", analyses))
    if show == "done":
        newest = Review.objects.filter(submission=OuterRef("pk")).order_by("-signed_at")
        rows = rows.annotate(signed_by=Subquery(newest.values_list("author__name")[:1]))
    may_name = cache(verdict.clinic_may_name)
    call = UrgentCall.objects.filter(submission=OuterRef("pk")).order_by("-pk")
    who_sees_to = {
        "seen_to_by": Subquery(call.values("acknowledged_by__name")[:1]),
        "seen_to_at": Subquery(call.values("acknowledged_at")[:1]),
    }
    rows = rows.annotate(**who_sees_to).select_related("case__patient__patient", "claimed_by")
    rows = rows.only(*OF_SUBMISSION)
    if show == "all" and not (words or after):
        questions = (
            _asked_back(user).annotate(**who_sees_to).select_related("case__patient__patient", "claimed_by")
        )
        both = list(rows[: ROWS + 1].union(questions.only(*OF_SUBMISSION)[:ROWS], all=True))
        # By one query, whose order the database does not promise.
        found = sorted((row for row in both if row.awaits_dermatologist), key=lambda row: row.place)
        asked = sorted(set(both) - set(found), key=lambda row: row.question_due_at)
    else:
        found, asked = list(rows[: ROWS + 1]), []
    more = len(found) > ROWS and is_paged
    shown = _with_questions(found[:ROWS], asked)
    prefetch_related_objects(shown, Prefetch("photos", photos, to_attr="shown_photos"))
    return Page([Row(each, user, may_name) for each in shown], found[ROWS - 1].place if more else None)


def _asked_back(user: User) -> SubmissionQuerySet:
    """The answered submissions with an open question; one that was reopened stands in the list of its own."""
    return Submission.objects.visible_to(user).asked_back().filter(status__in=WITH_ANSWER)


def _with_questions(rows: list[Submission], asked: list[Submission]) -> list[Submission]:
    """Return the rows with the questions among them: behind what is more urgent than two days, then by due time."""
    merged, waiting = [], deque(asked)
    for row in rows:
        while waiting and (QUESTION_LEVEL, row.due_at) > (row.urgency, waiting[0].question_due_at):
            merged.append(waiting.popleft())
        merged.append(row)
    return [*merged, *waiting]


def stamp_of(user: User, *, show: str, words: str = "", after: Place | None = None) -> str:
    """Return a text that changes whenever the page does: rows with the time of their last change, counts, and the minute.

    Photos, findings and reviews change `updated_at` of their submission. What it does not tell, such as "waiting 5 minutes" and
    the names of people, is on the page a minute later at the latest.
    """
    rows, _is_paged = _rows_of(user, show=show, words=words, after=after)
    shown = list(rows.values_list("pk", "updated_at")[: ROWS + 1])
    if show == "all" and not (words or after):
        shown += _asked_back(user).values_list("pk", "updated_at")[:ROWS]
    minute = timezone.now().replace(second=0, microsecond=0)
    return repr((shown, counts(user), get_language(), minute))


def _rows_of(user: User, *, show: str, words: str, after: Place | None) -> tuple[SubmissionQuerySet, bool]:
    """Return the submissions in the order of the page, and whether there are pages of them."""
    rows = Submission.objects.visible_to(user)
    is_paged = show in IN_ORDER_OF_THE_WORKLIST and not words
    rows = finding.found(rows, user, words) if words else FILTERS[show][1](rows, user)
    return (rows.after(after) if after and is_paged else rows), is_paged


def next_for(user: User) -> Submission | None:
    """Return the most urgent submission that nobody else has claimed."""
    free = Q(status=Status.SUBMITTED) | Q(claimed_by=user, held_answer=None)
    return Submission.objects.visible_to(user).worklist().awake().filter(free).first()
