"""Urgent cases reach people: every open staff page announces them, and those on call are told until one claims
the case; who says to see to it has some minutes for that.

Called are cases whose patient's own answers, or a person's decision, make them an emergency or the same day. What only the
AI raised stands at the head of its level and calls nobody.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Count, F, Q
from django.utils import timezone

from teleder.accounts.models import Role, User
from teleder.cases.models import Event, EventKind, Status, Submission
from teleder.cases.triage import Urgency
from teleder.notifications.models import Channel, DueWarning, Message, UrgentCall

# What makes a case wait for somebody: sent, reopened, or given back without an answer.
WAITS_AGAIN = (EventKind.SUBMITTED, EventKind.REOPENED, EventKind.RELEASED)
PROMISES = (EventKind.SUBMITTED, EventKind.REOPENED, EventKind.MOVED_UP, EventKind.PHOTOS_NOT_NEEDED)
TO_COLLEAGUE = (EventKind.HANDED_OVER, EventKind.OPINION_ASKED, EventKind.OPINION_GIVEN)
SHARES = (50, 80, 100)  # percent of the promised time: told are the reader, the lead, the admins
QUIET_MINUTES = 10  # of less urgent cases, one mail of a kind in so many minutes names them all
AT_ONCE = 100


# --- From events ------------------------------------------------------------------------------------------
def open_calls_and_warnings(event: Event) -> None:
    """Note what an event asks for; the outbox calls this once for each event, in the transaction that marks it."""
    submission = event.submission
    if event.kind in WAITS_AGAIN and submission.rule_urgency >= Urgency.SAME_DAY:
        again = UrgentCall.objects.filter(submission=submission, acknowledged_at=None)
        if not again.update(tell_at=timezone.now()):
            UrgentCall.objects.create(event=event, submission=submission)
    if "paused_at" in event.detail and _go_on_with_warnings(event):
        return
    if event.kind in PROMISES and submission.due_at is not None:
        since = submission.submitted_at if event.kind == EventKind.MOVED_UP else event.at
        since, due = since or event.at, submission.due_at
        rows = [
            DueWarning(submission=submission, share=share, due_at=due, at=since + (due - since) * share / 100)
            for share in SHARES
        ]
        DueWarning.objects.bulk_create(rows, ignore_conflicts=True)


def _go_on_with_warnings(event: Event) -> bool:
    """Put the warnings of a due time that was on hold off by as long as it was; those of the time before were given."""
    before, paused_at = (datetime.fromisoformat(event.detail[name]) for name in ("due_before", "paused_at"))
    due = event.submission.due_at
    old = list(DueWarning.objects.filter(submission=event.submission, due_at=before))
    if not old or due is None:
        return False
    rows = [
        DueWarning(
            submission=event.submission,
            share=row.share,
            due_at=due,
            at=row.at + (due - before),
            told_at=row.told_at if row.at <= paused_at else None,
        )
        for row in old
    ]
    DueWarning.objects.bulk_create(rows, ignore_conflicts=True)
    return True


# --- Calls ------------------------------------------------------------------------------------------------
def tell_on_call() -> int:
    """Tell those on call of the cases that nobody sees to, each every `ON_CALL_MINUTES`; return how many."""
    due = UrgentCall.objects.open().filter(tell_at__lte=timezone.now())
    # The most severe first, then the one with the least time left.
    due = due.order_by("-submission__rule_urgency", "submission__due_at")
    return sum(_tell(pk) for pk in due.values_list("pk", flat=True)[:AT_ONCE])


@transaction.atomic
def _tell(pk: int) -> bool:
    now = timezone.now()
    again = now + timedelta(minutes=settings.ON_CALL_MINUTES)
    if not UrgentCall.objects.open().filter(pk=pk, tell_at__lte=now).update(tell_at=again):
        return False
    submission = Submission.objects.select_for_update(of=("self",)).get(urgent_calls=pk)
    if submission.status != Status.SUBMITTED:
        return False
    event = submission.events.create(kind=EventKind.ON_CALL_TOLD)
    tell_staff(event, people_on_call(submission.clinic_id))
    return True


@transaction.atomic
def acknowledge(submission: Submission, *, by: User) -> bool:
    """Stop the calls of a case for `SEEN_TO_MINUTES`, in which `by` sees to it. The second of two changes nothing.

    A case that nobody has claimed by then is called again: somebody may have been kept from it.
    """
    now = timezone.now()
    again = now + timedelta(minutes=settings.SEEN_TO_MINUTES)
    waiting = UrgentCall.objects.open().filter(submission=submission)
    if not waiting.update(acknowledged_at=now, acknowledged_by=by, tell_at=again):
        return False
    submission.events.create(kind=EventKind.CALL_ACKNOWLEDGED, actor=by)
    return True


def announced(user: User) -> list[UrgentCall]:
    """Return the calls that `user` may see and nobody sees to: the newest first, so that it is never hidden
    behind many others, then by the severity of the patient's answers and the time left. Of each, how often those on call
    were `told`."""
    rows = UrgentCall.objects.visible_to(user).open()
    rows = rows.select_related("submission__case__patient__patient", "acknowledged_by").annotate(
        told=Count(
            "submission__events",
            Q(submission__events__kind=EventKind.ON_CALL_TOLD, submission__events__at__gte=F("opened_at")),
        )
    )
    found = list(rows.order_by("-submission__rule_urgency", "submission__due_at", "pk"))
    newest = max(found, key=lambda call: call.opened_at, default=None)
    return sorted(found, key=lambda call: call != newest)


def calls_stamp(user: User) -> list[tuple]:
    """Return what changes whenever the announcements of `user` do, without loading a case."""
    rows = UrgentCall.objects.visible_to(user).open().order_by("pk")
    return [(pk, round_of(opened_at)) for pk, opened_at in rows.values_list("pk", "opened_at")]


def round_of(opened_at: datetime) -> int:
    """Return how often a call was announced before on pages: each further time is another number."""
    return int((timezone.now() - opened_at).total_seconds() // (60 * settings.ANNOUNCE_MINUTES))


def people_on_call(clinic_id: int) -> list[User]:
    """Return those on call; where nobody is, every dermatologist and admin of the clinic."""
    staff = _staff(clinic_id)
    on_call = list(staff.filter(role=Role.DERMATOLOGIST, dermatologist__on_call=True))
    return on_call or list(staff)


def _staff(clinic_id: int):
    return User.objects.filter(clinic=clinic_id, is_active=True, role__in=[Role.DERMATOLOGIST, Role.ADMIN])


# --- Promised times ---------------------------------------------------------------------------------------
def warn_of_due_times() -> int:
    """Tell staff where half, four fifths and all of the promised time is used up; return how many warnings."""
    due = DueWarning.objects.filter(told_at=None, at__lte=timezone.now()).order_by("at")
    return sum(_warn(pk) for pk in due.values_list("pk", flat=True)[:AT_ONCE])


@transaction.atomic
def _warn(pk: int) -> bool:
    now = timezone.now()
    if not DueWarning.objects.filter(pk=pk, told_at=None).update(told_at=now):
        return False
    warning = DueWarning.objects.get(pk=pk)
    submission = Submission.objects.select_for_update(of=("self",)).get(pk=warning.submission_id)
    if not submission.awaits_dermatologist or submission.due_at != warning.due_at:
        return False
    event = submission.events.create(kind=EventKind.TIME_RUNNING_OUT, detail={"share": warning.share})
    people = people_for(submission, warning.share)
    if submission.urgency < Urgency.SAME_DAY:
        just = Message.objects.filter(
            created_at__gt=now - timedelta(minutes=QUIET_MINUTES),
            event__kind=EventKind.TIME_RUNNING_OUT,
            channel=Channel.EMAIL,
        )
        told = set(just.filter(person__in=people).values_list("person", flat=True))
        people = [person for person in people if person.pk not in told]
    tell_staff(event, people, webhook=submission.urgency >= Urgency.SAME_DAY)
    return True


def people_for(submission: Submission, share: int) -> list[User]:
    """Return whom a warning tells: the reader, then the leads, then the admins; where there is none, the next."""
    staff = _staff(submission.clinic_id)
    admins = list(staff.filter(role=Role.ADMIN))
    if share >= SHARES[2]:
        return admins
    if share >= SHARES[1]:
        return list(staff.filter(role=Role.DERMATOLOGIST, dermatologist__is_lead=True)) or admins
    holder = staff.filter(pk=submission.claimed_by_id).first()
    return [holder] if holder else people_on_call(submission.clinic_id)


# --- Messages ---------------------------------------------------------------------------------------------
def tell_staff(event: Event, people: list[User], *, webhook: bool = True) -> None:
    """Queue the mail of each, and a call of the webhook where one is set."""
    hooked = [Channel.WEBHOOK] if webhook and settings.ON_CALL_WEBHOOK else []
    for person in people:
        for channel in [*([Channel.EMAIL] if person.email else []), *hooked]:
            Message.objects.get_or_create(event=event, person=person, channel=channel)


def tell_signer(event: Event) -> None:
    """Tell a dermatologist that an answer they signed was not sent."""
    signer = _staff(event.submission.clinic_id).filter(pk=event.detail.get("signer") or None).first()
    holder = signer or event.submission.claimed_by
    if holder is not None and holder.is_active:
        tell_staff(event, [holder], webhook=False)


def tell_colleague(event: Event) -> None:
    """Tell a dermatologist what a colleague did: the one whom the event names in its detail."""
    to = _staff(event.submission.clinic_id).filter(pk=event.detail.get("to") or None).first()
    if to is not None:
        tell_staff(event, [to], webhook=False)
