"""What the results mean for the submission: its urgency, which AI may only raise, and its AI status."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db import transaction
from django.db.models.functions import Now
from django.utils import timezone

from teleder.cases import pausing, triage
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
from teleder.cases.verdict import Verdict, VerdictKind, none_is_usable, verdict_of
from teleder.pipeline.transitions import AI_MOVES, UNFINISHED, WAITING, AIStep, hold_ai_status, move_ai_status


def settle(submission: Submission) -> None:
    """Bring urgency and AI status in line with what is known by now.

    The submission is as it is in the database, and locked; so are its photos where they were prefetched
    (`queue.lock_jobs`).
    """
    if submission.submitted_at is None or submission.status == Status.WITHDRAWN:
        return
    photos = _current_photos(submission)
    _raise_urgency(submission, photos)
    rows, changes = Submission.objects.filter(pk=submission.pk), {}
    if (step := _next_step(submission, photos)) is not None:
        hold_ai_status(submission, step)
    precedence = _precedence(submission, verdict_of(submission, photos))
    if precedence != submission.ai_precedence:
        submission.ai_precedence = changes["ai_precedence"] = precedence
    if step is None:
        if changes:
            rows.update(**changes)
    elif move_ai_status(rows, step, **changes):
        is_unavailable = submission.ai_status == AIStatus.UNAVAILABLE
        kind = EventKind.AI_UNAVAILABLE if is_unavailable else EventKind.AI_DONE
        submission.events.create(kind=kind, detail={"status": submission.ai_status.value})


def _current_photos(submission: Submission) -> list[Photo]:
    if "photos" in getattr(submission, "_prefetched_objects_cache", {}):
        return [photo for photo in submission.photos.all() if photo.removed_at is None]
    return list(submission.current_photos().prefetch_related("analyses__findings", "jobs"))


def _precedence(submission: Submission, verdict: Verdict) -> Precedence:
    if verdict.alarms:
        is_raised = submission.urgency > submission.rule_urgency
        return Precedence.NONE if is_raised else Precedence.ALARM
    # What the AI has not read may be anything, as what it is unsure of: neither waits behind the other.
    return Precedence.NONE if verdict.kind == VerdictKind.NAMED else Precedence.INCONCLUSIVE


def _raise_urgency(submission: Submission, photos: list[Photo]) -> None:
    policy = triage.policy(submission.policy)
    reports = list(_reports(photos, policy))
    result = triage.urgency_of(
        submission.answers,
        reports,
        policy=policy,
        sites=submission.case.sites,
        corrected_from=submission.corrected_from,
    )
    flags = [flag.as_json() for flag in result.flags]
    urgency = max(result.urgency, submission.urgency)
    due = policy.due(triage.Urgency(urgency), submission.submitted_at)
    if due < (now := timezone.now()):  # the AI was late: a promise cannot lie in the past
        due = policy.due(triage.Urgency(urgency), now)
    due = min(submission.due_at, due)
    if (urgency, flags) == (submission.urgency, submission.flags):
        return
    Submission.objects.filter(pk=submission.pk).update(urgency=urgency, flags=flags, due_at=due)
    is_sooner = due < submission.due_at
    before, submission.urgency = submission.urgency, int(urgency)
    submission.flags, submission.due_at = flags, due
    if urgency > before:
        detail = {"from": before, "to": urgency, "policy": policy.id}
        submission.events.create(kind=EventKind.URGENCY_RAISED, detail=detail)
        if is_sooner:
            submission.events.create(kind=EventKind.MOVED_UP)
        waiting = Job.objects.filter(photo__submission=submission, state__in=WAITING)
        waiting.update(priority=urgency)
        pausing.end_request_of_urgent(submission)


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


def _next_step(submission: Submission, photos: list[Photo]) -> AIStep | None:
    """Return the step that ends the AI's work, unless it was taken or something is unfinished."""
    jobs = [job for photo in photos for job in photo.jobs.all() if job.stage not in NOT_AWAITED]
    if any(job.state in UNFINISHED for job in jobs):
        return None
    usable = [photo for photo in photos if photo.state != PhotoState.UNUSABLE] or photos
    read = [photo.analysis is not None and photo.analysis.classified_at is not None for photo in usable]
    step = AIStep.COMPLETE if all(read) else AIStep.COMPLETE_PARTLY if any(read) else AIStep.GIVE_UP
    return step if submission.ai_status in AI_MOVES[step][0] else None


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
