"""What the end of a consent means for cases: nothing is hidden from people, and no photo is analysed any more."""

from __future__ import annotations

from django.db import transaction
from django.db.models import Q

from contract.messages import FROM_ORIGINAL
from teleder.accounts import people
from teleder.accounts.models import Purpose, User
from teleder.cases.models import NOT_AWAITED, AIStatus, Job, Precedence, Submission
from teleder.pipeline.transitions import UNFINISHED, AIStep, JobStep, move_ai_status, move_jobs


@transaction.atomic
def withdraw_consent(patient: User, purpose: Purpose, *, by: User | None = None) -> None:
    """End the consent that `by` has given; without `by` everybody's. People still read what was sent."""
    people.end_consent(patient, purpose, by=by)
    if purpose == Purpose.AI:
        stop_reading(patient)


@transaction.atomic
def stop_reading(patient: User) -> None:
    """Have no photo analysed any more and cancel running jobs: there is no consent to it."""
    unread = Job.objects.filter(photo__submission__case__patient=patient, state__in=UNFINISHED)
    unread = unread.exclude(stage__in=FROM_ORIGINAL)
    waiting = Submission.objects.filter(case__patient=patient)
    # Submissions first: a result waits for their locks, and then finds its job cancelled.
    awaited = unread.exclude(stage__in=NOT_AWAITED)
    concerned = waiting.filter(Q(ai_status=AIStatus.WAITING) | Q(photos__jobs__in=awaited))
    move_ai_status(concerned, AIStep.STOP, ai_deadline=None, ai_precedence=Precedence.INCONCLUSIVE)
    move_jobs(unread, JobStep.CANCEL, deadline=None)
