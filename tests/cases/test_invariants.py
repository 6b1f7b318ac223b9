"""The record is checked against what must be true of it; each check is seen to fail."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core.management import call_command
from django.utils import timezone

from teleder.cases import invariants
from teleder.cases.models import Event, Job, Photo, Submission

pytestmark = pytest.mark.django_db
LONG_AGO = timezone.now() - timedelta(hours=1)


def broken() -> list[str]:
    return [check.__name__ for check in invariants.INVARIANTS if list(check())]


def test_a_fresh_submission_breaks_nothing(alices_submission):
    assert broken() == []
    call_command("check_record")


def test_each_check_sees_what_it_is_for(alices_submission):
    Submission.objects.update(ai_deadline=LONG_AGO)
    Job.objects.update(state="sent", sent_at=LONG_AGO, deadline=LONG_AGO)
    Photo.objects.update(original_key="photos/gone")
    Event.objects.update(at=LONG_AGO)
    assert broken() == [
        "submissions_that_wait_for_ai_are_not_late",
        "jobs_under_way_are_not_silent",
        "photos_have_their_files",
        "events_are_told_or_young",
    ]
    Job.objects.update(state="done")
    assert "submissions_that_wait_for_ai_have_a_job_that_can_still_move" in broken()
    with pytest.raises(SystemExit):
        call_command("check_record")
