"""The red-flag answers of a draft, stored one at a time: the first one opens it, and each may be corrected until it is sent."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from teleder.accounts.models import User
from teleder.cases import held, intake, triage
from teleder.cases.models import Case, Kind, Status, Submission
from teleder.cases.questionnaire import clean_red_flags
from teleder.cases.transitions import IllegalMoveError
from teleder.cases.triage import Origin


def drafts_of(patient: User, case: Case | None = None) -> list[Submission]:
    """Return the patient's unsent first submissions, or those that follow up `case`, the newest first."""
    about = {"kind": Kind.FOLLOW_UP, "case": case} if case else {"kind": Kind.FIRST}
    rows = Submission.objects.filter(case__patient=patient, status=Status.DRAFT, **about)
    return list(rows.select_related("case").order_by("-created_at"))


@transaction.atomic
def open_with_answer(
    *,
    patient: User,
    by: User | None = None,
    question: str,
    value: Any,
    case: Case | None = None,
    another: bool = False,
    key: str = "",
) -> Submission:
    """Store the first answer, in a draft that it opens.

    An unsent draft is continued; `another` opens one beside it. The same `key` again means the same draft.
    Raises `ValidationError`, `RefusedError`.
    """
    intake.require_consent(patient)
    User.objects.select_for_update().get(pk=patient.pk)  # two requests at once open one draft
    drafts = drafts_of(patient, case)
    same = next((draft for draft in drafts if key and draft.idempotency_key == key), None)
    if same or (drafts and not another):
        return record_answer(same or drafts[0], question=question, value=value)
    first = {question: value}
    return intake.start(patient=patient, by=by, answers=first, case=case, key=key, in_part=True)


@transaction.atomic
def record_answer(submission: Submission, *, question: str, value: Any) -> Submission:
    """Store one answer of a draft; the urgency by rules is known when this returns.

    An answer other than "no" that is replaced stays in `answer_changes`, with the level of all answers before.
    Raises `ValidationError`, `IllegalMoveError`.
    """
    rows = Submission.objects.select_for_update(of=("self",)).select_related("case")
    submission = rows.get(pk=submission.pk)
    if submission.status != Status.DRAFT:
        raise IllegalMoveError(_("This was already sent."))
    policy = triage.policy(submission.policy)
    value = clean_red_flags({question: value}, policy, in_part=True)[question]
    before = submission.answers.get(question)
    if before == value:
        return submission
    if value != "no":
        held.stop_for(submission.case.patient_id, held.Stop.ANSWERS)
    if before not in (None, "no"):
        _keep_change(submission, question, before)
    submission.answers[question] = value
    result = triage.urgency_of(
        submission.answers,
        policy=policy,
        sites=submission.case.sites,
        corrected_from=submission.corrected_from,
    )
    # A draft that was sent before keeps what its photos and the AI raised.
    raised = submission.urgency if submission.urgency > submission.rule_urgency else result.urgency
    others = [flag for flag in submission.flags if flag["origin"] != Origin.ANSWERS]
    submission.rule_urgency, submission.urgency = result.urgency, max(result.urgency, raised)
    submission.flags = [*(flag.as_json() for flag in result.flags), *others]
    submission.save(update_fields=["answers", "answer_changes", "rule_urgency", "urgency", "flags"])
    return submission


def _keep_change(submission: Submission, question: str, before: str) -> None:
    """Add what was answered before. One entry for each question and answer, so that the list has an end."""
    level = int(triage.urgency_of(submission.answers, policy=triage.policy(submission.policy)).urgency)
    for change in submission.answer_changes:
        if (change["question"], change["was"]) == (question, before):
            change["level"] = max(change["level"], level)
            return
    entry = {"question": question, "was": before, "until": timezone.now().isoformat(), "level": level}
    submission.answer_changes.append(entry)
