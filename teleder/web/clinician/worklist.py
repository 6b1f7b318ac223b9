"""The dermatologist's worklist: filters, counts and the text of each row."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any
from uuid import UUID

from django.db.models import CharField, Count, Min, OuterRef, Prefetch, Q, Subquery, Value
from django.db.models.functions import Coalesce, NullIf
from django.urls import reverse
from django.utils import timezone
from django.utils.timesince import timesince
from django.utils.translation import get_language, gettext_lazy, ngettext
from django.utils.translation import gettext as _

from teleder.accounts.models import User
from teleder.cases import verdict
from teleder.cases.counting import recent
from teleder.cases.models import (
    WORKLIST_ORDER,
    Analysis,
    Kind,
    Photo,
    PhotoState,
    Place,
    Review,
    Status,
    Submission,
    SubmissionQuerySet,
)
from teleder.cases.questionnaire import BodySite
from teleder.cases.transitions import AWAITING_DERMATOLOGIST
from teleder.cases.triage import Urgency
from teleder.cases.verdict import Verdict
from teleder.web import wording

ROWS = 50
COUNTS_SECONDS = 5
# What a row shows, or the verdict asks: to read all columns for fifty rows takes longer than to find them.
OF_SUBMISSION = (
    *(
        "case",
        "clinic",
        "kind",
        "status",
        "submitted_at",
        "due_at",
        "last_signed_at",
        "policy",
        "urgency",
        "flags",
    ),
    *("ai_status", "ai_precedence", "claimed_by"),
    *(
        "case__number",
        "case__body_site",
        "case__clinic",
        "case__patient",
        "case__patient__patient__birth_year",
    ),
    *("claimed_by__name", "claimed_by__email"),
)
OF_PHOTO = ("submission", "state", "reason", "fault", "thumbnail_key", "created_at")
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
NUMBER_LENGTH = 8
NO_ID = str(UUID(int=0))

Narrow = Callable[[SubmissionQuerySet, User], SubmissionQuerySet]


FILTERS: dict[str, tuple[Any, Narrow]] = {
    "all": (gettext_lazy("All"), lambda rows, user: rows.worklist()),
    "mine": (gettext_lazy("Mine"), lambda rows, user: rows.worklist().filter(claimed_by=user)),
    "unclaimed": (
        gettext_lazy("Unclaimed"),
        lambda rows, user: rows.worklist().filter(status=Status.SUBMITTED),
    ),
    "urgent": (
        gettext_lazy("Urgent"),
        lambda rows, user: rows.worklist().at_least(Urgency.SAME_DAY),
    ),
    "overdue": (gettext_lazy("Overdue"), lambda rows, user: rows.worklist().overdue()),
    "waiting": (
        gettext_lazy("Waiting for the patient"),
        lambda rows, user: rows.filter(status=Status.NEEDS_PHOTOS).order_by(*WORKLIST_ORDER),
    ),
    "done": (
        gettext_lazy("Done today"),
        lambda rows, user: rows.signed_since(
            timezone.localtime().replace(hour=0, minute=0, second=0, microsecond=0)
        ),
    ),
}


@dataclass(frozen=True)
class Page:
    """Rows of one page and the place after which the next page starts; `None` on the last page."""

    rows: list[Row]
    after: Place | None


def page_of(user: User, *, show: str, number: str = "", after: Place | None = None) -> Page:
    """Return what `user` may see under a filter, or the submissions of a case number in any status."""
    rows, is_paged = _rows_of(user, show=show, number=number, after=after)
    analyses = Analysis.objects.only(*OF_ANALYSIS).prefetch_related("findings")
    photos = Photo.objects.current().only(*OF_PHOTO).prefetch_related(Prefetch("analyses", analyses))
    if show == "done":
        newest = Review.objects.filter(submission=OuterRef("pk")).order_by("-signed_at")
        name = Coalesce(NullIf("author__name", Value("")), "author__email", output_field=CharField())
        rows = rows.annotate(signed_by=Subquery(newest.values_list(name)[:1]))
    may_name = cache(verdict.clinic_may_name)
    rows = rows.select_related("case__patient__patient", "claimed_by").only(*OF_SUBMISSION)
    rows = rows.prefetch_related(Prefetch("photos", photos, to_attr="shown_photos"))
    found = list(rows[: ROWS + 1])
    more = len(found) > ROWS and is_paged
    shown = [Row(submission, user, may_name) for submission in found[:ROWS]]
    return Page(shown, found[ROWS - 1].place if more else None)


def stamp_of(user: User, *, show: str, number: str = "", after: Place | None = None) -> str:
    """Return a text that changes whenever the page does: rows with the time of their last change, counts, and the minute.

    Photos, findings and reviews change `updated_at` of their submission. What it does not tell, such as "waiting 5 minutes" and
    the names of people, is on the page a minute later at the latest.
    """
    rows, _is_paged = _rows_of(user, show=show, number=number, after=after)
    shown = list(rows.values_list("pk", "updated_at")[: ROWS + 1])
    minute = timezone.now().replace(second=0, microsecond=0)
    return repr((shown, counts(user), get_language(), minute))


def _rows_of(user: User, *, show: str, number: str, after: Place | None) -> tuple[SubmissionQuerySet, bool]:
    """Return the submissions in the order of the page, and whether there are pages of them."""
    rows = Submission.objects.visible_to(user)
    is_paged = show != "done" and not number
    if number:
        letters = "".join(filter(str.isalnum, number.upper()))
        is_whole = len(letters) == NUMBER_LENGTH
        match = {"number": f"{letters[:4]}-{letters[4:]}"} if is_whole else {"number__contains": letters}
        match = {f"case__{lookup}": value for lookup, value in match.items()}
        rows = rows.filter(**match).order_by("-submitted_at") if letters else rows.none()
    else:
        rows = FILTERS[show][1](rows, user)
    return (rows.after(after) if after and is_paged else rows), is_paged


def counts(user: User) -> dict[str, Any]:
    """Count the waiting submissions: all, urgent, overdue, unclaimed, mine; and the time of the oldest.

    Of many, all but "mine" may be `COUNTS_SECONDS` old.
    """
    rows = Submission.objects.visible_to(user).filter(status__in=AWAITING_DERMATOLOGIST)
    mine: dict[str, int] = {}

    def count() -> dict[str, Any]:
        found = rows.aggregate(
            waiting=Count("id"),
            urgent=Count("id", filter=Q(urgency__gte=Urgency.SAME_DAY)),
            overdue=Count("id", filter=Q(due_at__lt=timezone.now())),
            unclaimed=Count("id", filter=Q(status=Status.SUBMITTED)),
            mine=Count("id", filter=Q(claimed_by=user)),
            oldest=Min("submitted_at"),
        )
        mine["mine"] = found.pop("mine")
        return found

    of_clinic = recent("worklist", user, COUNTS_SECONDS, count, rows=lambda found: found["waiting"])
    return of_clinic | (mine or {"mine": rows.filter(claimed_by=user).count()})


def next_for(user: User) -> Submission | None:
    """Return the most urgent submission that nobody else has claimed."""
    free = Q(status=Status.SUBMITTED) | Q(claimed_by=user)
    return Submission.objects.visible_to(user).worklist().filter(free).first()


class Row:
    """One submission on the worklist, with the text of every cell."""

    def __init__(self, submission: Submission, reader: User, may_name: Callable[[Any], bool]) -> None:
        self.submission, self.reader, self.may_name = submission, reader, may_name
        self.photos: list[Photo] = submission.shown_photos

    @property
    def thumbnail(self) -> Photo | None:
        return next((photo for photo in self.photos if photo.thumbnail_key), None)

    @property
    def shape(self) -> str:
        return wording.SHAPES[self.submission.level]

    @property
    def place(self) -> str:
        """Where on the body it is. `get_…_display` compares all choices, each translated, for every row."""
        site = self.submission.case.body_site
        return str(BodySite(site).label) if site in BodySite.values else site

    @cached_property
    def person(self) -> str:
        """Age and kind. Only the year of birth is known, so the age may be one year too high."""
        return " · ".join(
            filter(None, [age_of(self.submission.patient), str(Kind(self.submission.kind).label)])
        )

    @cached_property
    def reasons(self) -> list[str]:
        """Reasons for the urgency, the most urgent first; the AI has a chip of its own."""
        flags = [f for f in self.submission.flags if f["level"] is not None and f["origin"] != "model"]
        flags.sort(key=lambda flag: -flag["level"])
        return list(dict.fromkeys(str(wording.flag_text(flag)) for flag in flags))

    @cached_property
    def verdict(self) -> Verdict:
        return verdict.verdict_of(self.submission, self.photos, may_name=self.may_name)

    @cached_property
    def quality(self) -> str:
        """The worst known state of the usable photos; of the others if none is usable."""
        photos = [photo for photo in self.photos if photo.state != PhotoState.UNUSABLE] or self.photos
        for state in (PhotoState.UNUSABLE, PhotoState.POOR, PhotoState.STORED):
            for photo in photos:
                if photo.state == state:
                    fault = wording.FAULTS.get(photo.fault) or wording.REASONS.get(photo.reason)
                    return str(fault or state.label)
        return PhotoState.READY.label if photos else _("no photo")

    @property
    def urls(self) -> dict[str, str]:
        """Return the addresses of the review page, of claiming, and of the thumbnail."""
        pk, photo = str(self.submission.pk), self.thumbnail
        found = {name: address(f"web:{name}").replace(NO_ID, pk) for name in ("review", "claim")}
        if photo:
            found["thumbnail"] = address("web:photo", "thumbnail").replace(NO_ID, str(photo.pk))
        return found

    @property
    def is_mine(self) -> bool:
        return self.submission.claimed_by_id == self.reader.pk

    @property
    def is_free(self) -> bool:
        return self.submission.status == Status.SUBMITTED

    @property
    def waited(self) -> str:
        return timesince(self.submission.submitted_at, depth=1)

    @property
    def due(self) -> str:
        return due_text(self.submission)


@cache
def address(name: str, *more: str) -> str:
    """Return the address of a row's page with `NO_ID` in the place of the id: finding it takes long, for fifty rows."""
    return reverse(name, args=[NO_ID, *more])


def age_of(patient: User) -> str:
    profile = getattr(patient, "patient", None)
    if profile is None:
        return ""
    years = timezone.localdate().year - profile.birth_year
    return ngettext("%(n)d year old", "%(n)d years old", years) % {"n": years}


def due_text(submission: Submission) -> str:
    now = timezone.now()
    if submission.due_at < now:
        return _("overdue by %(time)s") % {"time": timesince(submission.due_at, now, depth=1)}
    return _("due in %(time)s") % {"time": timesince(now, submission.due_at, depth=1)}
