"""Withdrawing a submission before it is answered, and restoring it as a draft.

Both may be called twice: the second caller gets `IllegalMoveError`.
"""

from __future__ import annotations

from django.db import transaction

from contract.messages import Stage
from teleder.accounts.models import User
from teleder.cases import transitions
from teleder.cases.models import EventKind, Job, Precedence, Submission
from teleder.pipeline.transitions import AIStep, JobStep, move_ai_status, move_jobs


@transaction.atomic
def withdraw(submission: Submission, *, by: User) -> None:
    """Withdraw it before it is answered; `restore` undoes that."""
    transitions.move(submission, EventKind.WITHDRAWN, actor=submission.named_actor(by))
    move_ai_status(
        Submission.objects.filter(pk=submission.pk),
        AIStep.STOP,
        ai_deadline=None,
        ai_precedence=Precedence.NONE,
    )
    submission.refresh_from_db()
    unread = Job.objects.filter(photo__submission=submission).exclude(stage=Stage.PREPARE)
    move_jobs(unread, JobStep.CANCEL, deadline=None)


def restore(submission: Submission, *, by: User) -> None:
    changes = {"actor": submission.named_actor(by), "submitted_at": None, "due_at": None}
    transitions.move(submission, EventKind.RESTORED, **changes)
