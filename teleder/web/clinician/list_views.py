"""The views of the worklist: each has a name in the address, so that a link opens it again, and a count."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, Min, Q, Subquery, Value
from django.db.models.functions import Coalesce
from django.utils import timezone
from django.utils.translation import gettext_lazy, pgettext_lazy

from teleder.accounts.models import User
from teleder.cases.counting import recent
from teleder.cases.models import (
    WORKLIST_ORDER,
    HeldAnswer,
    Precedence,
    SecondOpinion,
    Status,
    Submission,
    SubmissionQuerySet,
)
from teleder.cases.transitions import AWAITING_DERMATOLOGIST, OPEN
from teleder.cases.triage import Urgency
from teleder.pipeline.transitions import AI_READ

COUNTS_SECONDS = 5
POSITIONS_SHOWN = 500  # of a longer list the place of a case says nothing

Narrow = Callable[[SubmissionQuerySet, User], SubmissionQuerySet]


@dataclass(frozen=True)
class View:
    """One view: its heading, its icon, and what it shows; `key` is typed after g."""

    title: Any
    icon: str
    narrow: Narrow
    key: str = ""


def _unsigned(rows: SubmissionQuerySet) -> SubmissionQuerySet:
    """Without what is signed and about to be sent. A join would lose the order of the index."""
    return rows.exclude(pk__in=HeldAnswer.objects.values("submission"))


def _waiting(rows: SubmissionQuerySet) -> SubmissionQuerySet:
    """What waits for somebody: not what is signed and about to be sent, which only its signer can still change."""
    return _unsigned(rows).worklist()


def _of_level(level: Urgency, key: str = "") -> View:
    return View(
        level.label,
        f"urgency-{level.code}",
        lambda rows, user: _waiting(rows).awake().of_urgency(level),
        key,
    )


def today() -> Any:
    return timezone.localtime().replace(hour=0, minute=0, second=0, microsecond=0)


def _asks(colleague: User) -> Q:
    """A colleague's question about an open case waits for this dermatologist."""
    return Q(status__in=OPEN, second_opinions__in=SecondOpinion.objects.open().filter(colleague=colleague))


VIEWS: dict[str, View] = {
    "all": View(gettext_lazy("All"), "inbox", lambda rows, user: _waiting(rows).awake(), "1"),
    **{
        level.code: _of_level(level, "4" if level == Urgency.SAME_DAY else "")
        for level in sorted(Urgency, reverse=True)
    },
    "mine": View(
        gettext_lazy("Mine"), "person", lambda rows, user: _waiting(rows).filter(claimed_by=user), "2"
    ),
    "unclaimed": View(
        gettext_lazy("Unclaimed"),
        "inbox",
        lambda rows, user: _waiting(rows).awake().filter(status=Status.SUBMITTED),
        "3",
    ),
    "opinion": View(
        gettext_lazy("Opinion wanted"),
        "opinion",
        lambda rows, user: rows.filter(_asks(user)).order_by(*WORKLIST_ORDER),
    ),
    "asked": View(gettext_lazy("Asked back"), "note", lambda rows, user: rows.asked_back()),
    "waiting": View(
        gettext_lazy("Waiting for photos"),
        "camera",
        lambda rows, user: rows.filter(status=Status.NEEDS_PHOTOS).order_by(*WORKLIST_ORDER),
        "6",
    ),
    "snoozed": View(gettext_lazy("Snoozed"), "moon", lambda rows, user: rows.snoozed(), "7"),
    "held": View(
        pgettext_lazy("view of the worklist", "Held to send"),
        "send",
        lambda rows, user: rows.worklist().filter(held_answer__author=user),
    ),
    "urgent": View(
        gettext_lazy("Urgent"), "warn", lambda rows, user: _waiting(rows).at_least(Urgency.SAME_DAY)
    ),
    "overdue": View(gettext_lazy("Overdue"), "clock", lambda rows, user: _waiting(rows).overdue(), "9"),
    "inconclusive": View(
        pgettext_lazy("view of the worklist", "AI says nothing"),
        "minus",
        lambda rows, user: _unsigned(rows).awake().inconclusive(),
        "5",
    ),
    "done": View(gettext_lazy("Done today"), "check", lambda rows, user: rows.signed_since(today()), "8"),
}
FILTERS = {name: (view.title, view.narrow) for name, view in VIEWS.items()}
IN_ORDER_OF_THE_WORKLIST = {*VIEWS} - {"asked", "done", "snoozed"}
GROUPS = (
    (
        pgettext_lazy("views of the worklist", "Waiting"),
        ("all", *(level.code for level in sorted(Urgency, reverse=True))),
    ),
    (gettext_lazy("Whose"), ("mine", "unclaimed", "opinion", "asked")),
    (gettext_lazy("On hold"), ("waiting", "snoozed", "held")),
    (gettext_lazy("More views"), ("urgent", "overdue", "inconclusive", "done")),
)


def menu_of_views(shown: str, counted: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the views by group, each with its count; `shown` is the one on the page."""
    return [
        {
            "title": title,
            "views": [
                {
                    "name": name,
                    "view": VIEWS[name],
                    "count": counted.get(name, 0),
                    "is_current": name == shown,
                    "is_level": VIEWS[name].icon.startswith("urgency-"),
                }
                for name in names
            ],
        }
        for title, names in GROUPS
    ]


def position_of(submission: Submission, user: User) -> tuple[int, int] | None:
    """Return which case of how many this is in the list of all that wait; `None` where it is not in it, or that is long."""
    rows = _waiting(Submission.objects.visible_to(user)).awake()
    found = list(rows.values_list("pk", flat=True)[: POSITIONS_SHOWN + 1])
    is_short = len(found) <= POSITIONS_SHOWN
    return (found.index(submission.pk) + 1, len(found)) if is_short and submission.pk in found else None


def counts(user: User) -> dict[str, Any]:
    """Count each view; `oldest` is the time of the first sending of what waits.

    Of many, all but one's own may be `COUNTS_SECONDS` old.
    """
    visible = Submission.objects.visible_to(user)
    rows = _unsigned(visible).filter(status__in=AWAITING_DERMATOLOGIST)
    own = {
        "mine": Count("id", filter=Q(claimed_by=user)),
        "held": Count("id") * 0 + _number_of(visible.worklist().filter(held_answer__author=user)),
        "opinion": Count("id") * 0 + _number_of(visible.filter(_asks(user))),
    }
    of_own: dict[str, int] = {}

    def count() -> dict[str, Any]:
        now = timezone.now()
        off = {"status": Status.SUBMITTED, "snoozed_until__gt": now}
        silent = {"ai_precedence": Precedence.INCONCLUSIVE, "ai_status__in": AI_READ}
        can_wait = [level for level in Urgency if level < Urgency.SAME_DAY]
        found = rows.aggregate(
            **{level.code: Count("id", filter=Q(urgency=level)) for level in Urgency},
            **{f"off_{level.code}": Count("id", filter=Q(urgency=level, **off)) for level in can_wait},
            unclaimed=Count("id", filter=Q(status=Status.SUBMITTED)),
            overdue=Count("id", filter=Q(due_at__lt=now)),
            inconclusive=Count("id", filter=Q(**silent)),
            off_silent=Count("id", filter=Q(urgency__lt=Urgency.SAME_DAY, **silent, **off)),
            oldest=Min("submitted_at"),
            next_back=Min("snoozed_until", filter=Q(snoozed_until__gt=now)),
            **own,
            # of other rows, by the same query
            asked=Count("id") * 0 + _number_of(visible.asked_back()),
            waiting=Count("id") * 0 + _number_of(visible.filter(status=Status.NEEDS_PHOTOS)),
            done=Count("id") * 0 + _number_of(visible.signed_since(today())),
        )
        # What is put off is in no view but its own.
        found["inconclusive"] -= found.pop("off_silent")
        found["snoozed"] = 0
        for level in can_wait:
            hidden = found.pop(f"off_{level.code}")
            found["snoozed"] += hidden
            found[level.code] -= hidden
        found["unclaimed"] -= found["snoozed"]
        found["all"] = sum(found[level.code] for level in Urgency)
        found["urgent"] = sum(found[level.code] for level in Urgency if level >= Urgency.SAME_DAY)
        of_own.update({name: found.pop(name) for name in own})
        return found

    of_clinic = recent("worklist", user, COUNTS_SECONDS, count, rows=lambda found: found["all"])
    return of_clinic | (of_own or rows.filter(claimed_by=user).aggregate(**own))


def _number_of(rows: SubmissionQuerySet) -> Any:
    counted = rows.order_by().values(one=Value(1)).annotate(number=Count("*")).values("number")
    return Coalesce(Subquery(counted), 0)
