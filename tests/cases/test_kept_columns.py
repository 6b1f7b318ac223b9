"""Columns of a submission that the database keeps: its clinic, and when it was signed last."""

from __future__ import annotations

import pytest
from django.utils import timezone

from teleder.cases import invariants, reviews
from teleder.cases.models import Case, Submission

pytestmark = pytest.mark.django_db
ANSWER = {"impression": "AD", "disposition": "self_care", "text": "It looks like a flare of your eczema."}


def broken() -> list[str]:
    return list(invariants.submissions_know_their_clinic_and_when_they_were_signed())


def test_a_submission_is_of_the_clinic_of_its_case_whoever_writes_it(alice, north):
    case = Case.objects.create(patient=alice, clinic=north)
    made = Submission.objects.create(case=case, rule_urgency=0, urgency=0)  # as the version before does
    made.refresh_from_db()
    assert made.clinic == north
    Submission.objects.filter(pk=made.pk).update(clinic=alice.clinic)
    made.refresh_from_db()
    assert made.clinic == north and not broken()


def test_a_submission_knows_its_newest_signing(alices_submission, dana):
    assert alices_submission.last_signed_at is None
    reviews.claim(alices_submission, by=dana)
    first = reviews.sign(alices_submission, by=dana, **ANSWER)
    alices_submission.refresh_from_db()
    assert alices_submission.last_signed_at == first.signed_at
    second = reviews.amend(alices_submission, by=dana, **ANSWER, reason="A word was missing.")
    alices_submission.refresh_from_db()
    assert alices_submission.last_signed_at == second.signed_at > first.signed_at
    assert alices_submission.updated_at >= second.signed_at or not broken()


def test_a_time_of_signing_that_no_review_has_is_reported(alices_submission):
    Submission.objects.update(last_signed_at=timezone.now())
    assert broken() == [str(alices_submission.pk)]
