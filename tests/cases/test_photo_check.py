"""Photos of a draft are checked where the patient agreed to AI; the check holds nothing up and holds nothing back."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from contract import messages
from contract.messages import Stage
from contract.photos import PhotoAdvice, QualityFault, Reason
from teleder.accounts.models import Purpose
from teleder.cases import consents, intake, reviews
from teleder.cases.models import AIStatus, Job, JobState, Photo, Status, Submission
from teleder.cases.remedies import REMEDIES, remedy_for, remedy_for_wish
from teleder.pipeline import dispatch, recovery, results
from tests.cases.conftest import depth
from tests.conftest import MODEL, send_for_test

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("valkey")]


def checked(advice: PhotoAdvice | None = None) -> messages.Checked:
    return messages.Checked(advice=advice, skin=0.05, largest=0.04, lesion=0.01, model=MODEL)


def check(photo: Photo, advice: PhotoAdvice | None = None) -> bool:
    """Play the worker; return whether its result was taken."""
    job, attempt = send_for_test(photo, Stage.CHECK)
    return results.record(job=job, attempt=attempt, worker="w", outcome=checked(advice))


@pytest.fixture
def prepared(alices_draft, analyse) -> Photo:
    photo = alices_draft.photos.get()
    analyse(photo)
    return photo


def checks() -> list[str]:
    return list(Job.objects.filter(stage=Stage.CHECK).values_list("state", flat=True))


def test_a_prepared_photo_of_a_draft_is_checked_and_not_read(prepared):
    assert set(prepared.jobs.values_list("stage", flat=True)) == {Stage.PREPARE, Stage.CHECK}
    assert Submission.objects.get().ai_status == AIStatus.NOT_USED


def test_without_consent_to_ai_nothing_is_checked(alice, alices_draft, analyse):
    consents.withdraw_consent(alice, Purpose.AI)
    analyse(alices_draft.photos.get())
    assert checks() == []


def test_a_photo_of_poor_quality_has_its_remedy_and_is_not_checked(alices_draft, analyse):
    analyse(alices_draft.photos.get(), reason=Reason.POOR_QUALITY, fault=QualityFault.BLURRED)
    assert checks() == []


def test_a_photo_of_a_submission_is_read_and_not_checked(alices_submission, analyse):
    analyse(alices_submission.photos.get())
    assert checks() == []


def test_a_photo_that_a_dermatologist_asked_for_is_checked(alices_submission, dana, photo_file, analyse):
    reviews.claim(alices_submission, by=dana)
    reviews.request_photos(alices_submission, by=dana, reason="too_far")
    photo = intake.add_photo(alices_submission, view="close_up", upload=photo_file())
    analyse(photo)
    assert checks() == [JobState.QUEUED]


@pytest.mark.parametrize("advice", [None, *PhotoAdvice])
def test_the_advice_is_kept_with_what_it_rests_on_and_the_photo_stays_ready(prepared, advice):
    assert check(prepared, advice)
    photo = Photo.objects.get()
    assert (photo.state, photo.advice) == ("ready", advice or "")
    assert photo.check_result["skin"] == 0.05 and photo.check_result["model"] == vars(MODEL)
    assert bool(remedy_for(photo)) == bool(advice)


def test_news_of_a_check_is_found_by_the_time_of_the_last_change(prepared):
    before = Submission.objects.get().updated_at
    check(prepared, PhotoAdvice.TOO_FAR)
    assert Submission.objects.get().updated_at > before


def test_advice_keeps_nobody_from_sending(alice, alices_draft, prepared):
    check(prepared, PhotoAdvice.NO_SKIN)
    intake.submit(alices_draft, by=alice)
    submission = Submission.objects.get()
    assert (submission.status, submission.urgency) == (Status.SUBMITTED, submission.rule_urgency)


def test_with_the_submission_a_waiting_check_ends_and_the_photo_is_read(alice, alices_draft, prepared):
    intake.submit(alices_draft, by=alice)
    assert checks() == [JobState.CANCELLED]
    assert prepared.jobs.get(stage=Stage.ANALYSE).state == JobState.QUEUED


def test_a_result_after_the_submission_is_kept_and_ends_no_reading(alice, alices_draft, prepared):
    job, attempt = send_for_test(prepared, Stage.CHECK)
    intake.submit(alices_draft, by=alice)
    assert results.record(job=job, attempt=attempt, worker="w", outcome=checked(PhotoAdvice.TOO_FAR))
    submission = Submission.objects.get()
    assert (submission.ai_status, submission.urgency) == (AIStatus.WAITING, submission.rule_urgency)


def test_the_ai_is_done_although_a_check_is_under_way(alice, alices_draft, prepared):
    send_for_test(prepared, Stage.CHECK)
    intake.submit(alices_draft, by=alice)
    analyse, attempt = send_for_test(prepared, Stage.ANALYSE)
    failed = messages.Failed(code="weights_refused")
    assert results.record(job=analyse, attempt=attempt, worker="w", outcome=failed)
    assert Submission.objects.get().ai_status == AIStatus.UNAVAILABLE


def test_a_result_after_the_consent_was_withdrawn_is_ignored(alice, prepared):
    job, attempt = send_for_test(prepared, Stage.CHECK)
    consents.withdraw_consent(alice, Purpose.AI)
    assert not results.record(job=job, attempt=attempt, worker="w", outcome=checked(PhotoAdvice.TOO_FAR))
    assert Photo.objects.get().advice == ""


def test_a_result_of_an_old_attempt_is_ignored(prepared):
    job, attempt = send_for_test(prepared, Stage.CHECK)
    send_for_test(prepared, Stage.CHECK)
    assert not results.record(job=job, attempt=attempt, worker="w", outcome=checked(PhotoAdvice.TOO_FAR))
    assert check(prepared) and Photo.objects.get().advice == ""


def test_a_check_that_failed_is_not_repeated_by_itself(prepared):
    job, attempt = send_for_test(prepared, Stage.CHECK)
    failed = messages.Failed(code="weights_refused")
    assert results.record(job=job, attempt=attempt, worker="w", outcome=failed)
    assert checks() == [JobState.FAILED]


def test_a_silent_check_is_taken_back_like_any_job(prepared):
    send_for_test(prepared, Stage.CHECK)
    Job.objects.update(deadline=timezone.now() - timedelta(seconds=1))
    assert recovery.expire() == 1
    assert checks() == [JobState.QUEUED]


def test_a_check_waits_while_a_submitted_photo_waits(prepared, bob, submission_of, analyse, valkey):
    photo = submission_of(bob).photos.get()
    job, attempt = send_for_test(photo, Stage.PREPARE)
    copies = {f"{name}_key": f"photos/{photo.pk}/prepare/{attempt}/{name}.jpg" for name in
              ("display", "analysis", "thumbnail")}  # fmt: skip
    sides = dict.fromkeys(("width", "height", "analysis_width", "analysis_height"), 8)
    outcome = messages.Prepared(**copies, **sides, quality={})
    assert results.record(job=job, attempt=attempt, worker="w", outcome=outcome)
    assert dispatch.dispatch_stage(Stage.CHECK) == 0
    assert depth(valkey, Stage.CHECK) == 0
    assert dispatch.dispatch_all() == 2  # first the submitted photo, then the draft's
    assert depth(valkey, Stage.ANALYSE) == depth(valkey, Stage.CHECK) == 1


def test_a_result_that_leaves_nothing_waiting_sends_a_check(
    prepared, alice, submission_of, django_capture_on_commit_callbacks
):
    job, attempt = send_for_test(submission_of(alice).photos.get(), Stage.PREPARE)
    with django_capture_on_commit_callbacks(execute=True):
        failed = messages.Failed(code="file_missing")
        results.record(job=job, attempt=attempt, worker="w", outcome=failed)
    assert checks() == [JobState.SENT]


def test_drafts_are_checked_in_the_order_of_their_photos(alice, bob, draft_of, analyse, settings):
    settings.JOB_WINDOW = settings.JOB_BATCH = 1
    first, urgent = draft_of(alice).photos.get(), draft_of(bob, fever="yes").photos.get()
    for photo in (first, urgent):
        analyse(photo)
    dispatch.dispatch_stage(Stage.CHECK)
    assert Job.objects.get(stage=Stage.CHECK, state=JobState.SENT).photo == first


def test_a_removed_photo_is_not_checked(prepared):
    intake.remove_photo(prepared)
    assert checks() == [JobState.CANCELLED]


def test_each_advice_has_a_remedy_of_its_own_and_none_says_that_nothing_was_found():
    remedies = [str(REMEDIES[advice]) for advice in PhotoAdvice]
    assert len(set(remedies)) == len(PhotoAdvice)
    assert not any(word in remedy for remedy in remedies for word in ("nothing", "no lesion", "not found"))
    assert remedy_for_wish("too_far") == REMEDIES[PhotoAdvice.TOO_FAR]
