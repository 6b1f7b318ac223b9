"""What the results mean for the submission: its urgency, which AI may only raise, and its AI status."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db import transaction
from django.db.models.functions import Now

from teleder.cases import triage
from teleder.cases.models import (
    NOT_AWAITED,
    AIStatus,
    Event,
    EventKind,
    Job,
    Photo,
    PhotoState,
    Precedence,
    Status,
    Submission,
)
from teleder.cases.verdict import Verdict, none_is_usable, verdict_of
from teleder.pipeline.transitions import AI_MOVES, UNFINISHED, WAITING, AIStep, move_ai_status


def settle(submission: Submission) -> None:
    """Bring urgency and AI status in line with what is known by now. The submission is as it is in the database, and locked."""
    if submission.submitted_at is None or submission.status == Status.WITHDRAWN:
        return
    photos = list(submission.current_photos().prefetch_related("analyses__findings", "jobs"))
    _raise_urgency(submission, photos)
    _finish_ai(submission, photos)
    precedence = _precedence(submission, verdict_of(submission, photos))
    if precedence != submission.ai_precedence:
        Submission.objects.filter(pk=submission.pk).update(ai_precedence=precedence)
        submission.ai_precedence = precedence


def _precedence(submission: Submission, verdict: Verdict) -> Precedence:
    if verdict.alarms and submission.urgency == submission.rule_urgency:
        return Precedence.ALARM
    return Precedence.INCONCLUSIVE if verdict.is_inconclusive else Precedence.NONE


def _raise_urgency(submission: Submission, photos: list[Photo]) -> None:
    policy = triage.policy(submission.policy)
    reports = list(_reports(photos, policy))
    result = triage.urgency_of(submission.answers, reports, policy=policy, site=submission.case.body_site)
    flags = [flag.as_json() for flag in result.flags]
    urgency = max(result.urgency, submission.urgency)
    due = min(submission.due_at, policy.due(triage.Urgency(urgency), submission.submitted_at))
    if (urgency, flags) == (submission.urgency, submission.flags):
        return
    Submission.objects.filter(pk=submission.pk).update(urgency=urgency, flags=flags, due_at=due)
    if urgency > submission.urgency:
        detail = {"from": submission.urgency, "to": urgency, "policy": policy.id}
        submission.events.create(kind=EventKind.URGENCY_RAISED, detail=detail)
        waiting = Job.objects.filter(photo__submission=submission, state__in=WAITING)
        waiting.update(priority=urgency)
    submission.refresh_from_db()


def _reports(photos: list[Photo], policy: triage.Policy) -> Iterable[triage.PhotoReport]:
    if none_is_usable(photos, policy):
        yield triage.PhotoReport(readable=False)
    for photo in photos:
        if (analysis := photo.analysis) is not None:
            yield triage.PhotoReport(
                alarms=analysis.ringing,
                abstained=bool(analysis.abstention),
                no_box=bool(analysis.no_box),
            )


def _finish_ai(submission: Submission, photos: list[Photo]) -> None:
    jobs = [job for photo in photos for job in photo.jobs.all() if job.stage not in NOT_AWAITED]
    if submission.ai_status == AIStatus.NOT_USED or any(job.state in UNFINISHED for job in jobs):
        return
    usable = [photo for photo in photos if photo.state != PhotoState.UNUSABLE] or photos
    read = [photo.analysis is not None and photo.analysis.classified_at is not None for photo in usable]
    step = AIStep.COMPLETE if all(read) else AIStep.COMPLETE_PARTLY if any(read) else AIStep.GIVE_UP
    if not move_ai_status(Submission.objects.filter(pk=submission.pk), step):
        return
    submission.ai_status = status = AI_MOVES[step][1]
    kind = EventKind.AI_UNAVAILABLE if status == AIStatus.UNAVAILABLE else EventKind.AI_DONE
    submission.events.create(kind=kind, detail={"status": status.value})


def give_up_waiting_for_ai() -> int:
    """Mark what the AI did not read in time: "AI unavailable", same due time."""
    late = Submission.objects.filter(ai_status=AIStatus.WAITING, ai_deadline__lt=Now())
    return sum(_give_up(pk) for pk in late.values_list("pk", flat=True)[:200])


@transaction.atomic
def _give_up(pk: Any) -> bool:
    waiting = Submission.objects.filter(pk=pk, ai_status=AIStatus.WAITING, ai_deadline__lt=Now())
    if not move_ai_status(waiting, AIStep.GIVE_UP):
        return False
    Event.objects.create(submission_id=pk, kind=EventKind.AI_UNAVAILABLE)
    return True
