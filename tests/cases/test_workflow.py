"""What people can do with a submission, and what is refused."""

from __future__ import annotations

import errno
from datetime import timedelta

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, OperationalError, transaction
from django.utils import timezone

from contract import messages
from contract.messages import Reason
from contract.storage import files
from teleder.accounts import people
from teleder.accounts.models import Purpose
from teleder.accounts.people import end_consent
from teleder.cases import consents, intake, reviews, triage, withdrawal
from teleder.cases.models import AIStatus, Case, EventKind, Job, PhotoState, Review, Status, Submission
from teleder.cases.originals import RefusedError
from teleder.cases.transitions import IllegalMoveError
from teleder.cases.triage import Urgency
from teleder.pipeline import ai_status, recovery, results
from tests.conftest import CALM, MODEL, send_for_test

pytestmark = pytest.mark.django_db
ANSWER = {"impression": "AD", "disposition": "self_care", "text": "It looks like a flare of your eczema."}


def kinds(submission) -> list[str]:
    return list(submission.events.values_list("kind", flat=True))


def test_a_submission_goes_from_draft_to_closed(alice, dana, alices_draft):
    submission = intake.submit(alices_draft, by=alice)
    reviews.claim(submission, by=dana)
    reviews.sign(submission, by=dana, **ANSWER)
    reviews.close(submission, by=dana)
    assert submission.status == Status.CLOSED
    assert kinds(submission) == ["opened", "submitted", "claimed", "signed", "closed"]
    assert submission.answer().author == dana


def test_a_red_flag_is_found_before_any_photo_or_worker(alice):
    submission = intake.start(patient=alice, answers=CALM | {"eye_symptoms": "yes"})
    assert submission.level == Urgency.EMERGENCY
    assert not Job.objects.exists()


def test_alice_is_on_the_worklist_the_moment_she_submits(alices_submission):
    assert list(Submission.objects.worklist()) == [alices_submission]
    assert alices_submission.ai_status == AIStatus.WAITING
    assert alices_submission.due_at > timezone.now()


def test_the_worklist_is_ordered_by_urgency_then_due_time(alice, bob, submission_of):
    calm, later = submission_of(alice), submission_of(alice)
    urgent = submission_of(bob, fever="yes")
    assert list(Submission.objects.worklist()) == [urgent, calm, later]


def test_a_submission_needs_site_photo_and_consent(alice, photo_file):
    submission = intake.start(patient=alice, answers=CALM)
    with pytest.raises(RefusedError, match="choose the place"):
        intake.submit(submission, by=alice)
    intake.describe(submission, body_site="face")
    with pytest.raises(RefusedError, match="photo"):
        intake.submit(submission, by=alice)
    end_consent(alice, Purpose.CARE)
    with pytest.raises(RefusedError, match="agree"):
        intake.start(patient=alice, answers=CALM)
    with pytest.raises(RefusedError, match="agree"):
        intake.add_photo(submission, view="close_up", upload=photo_file())
    with pytest.raises(RefusedError, match="agree"):
        intake.submit(submission, by=alice)


EYE_REGION = {"origin": "answers", "code": "eye_region", "level": None}


def test_a_rash_around_the_eyes_is_flagged_and_stays_routine(alice, draft_of):
    draft = draft_of(alice, near_eye="no")
    intake.describe(draft, body_site="around_eyes")
    submission = intake.submit(draft, by=alice)
    assert (submission.urgency, submission.flags) == (Urgency.ROUTINE, [EYE_REGION])
    assert submission.due_at == triage.policy().due(Urgency.ROUTINE, submission.submitted_at)
    follow_up = intake.start(patient=alice, answers=CALM, case=submission.case)
    assert follow_up.flags == [EYE_REGION]


def test_a_draft_of_an_earlier_policy_is_judged_by_it(alice, draft_of):
    draft = draft_of(alice)
    intake.describe(draft, body_site="around_eyes")
    Submission.objects.update(policy="2026-11-28")
    submission = intake.submit(draft, by=alice)
    assert (submission.policy, submission.flags) == ("2026-11-28", [])


def test_without_consent_to_ai_the_due_time_is_the_same(alice, draft_of):
    end_consent(alice, Purpose.AI)
    submission = intake.submit(draft_of(alice), by=alice)
    assert submission.ai_status == AIStatus.NOT_USED
    assert set(Job.objects.values_list("stage", flat=True)) == {"prepare"}


def test_after_withdrawn_consent_to_ai_no_photo_is_analysed(alice, alices_submission, dana):
    photo = alices_submission.photos.get()
    job, attempt = send_for_test(photo, "prepare")
    folder = f"photos/{photo.pk}/prepare/{attempt}"
    keys = {f"{name}_key": f"{folder}/{name}.jpg" for name in ("display", "analysis", "thumbnail")}
    sizes = {"width": 8, "height": 6, "analysis_width": 8, "analysis_height": 6}
    prepared = messages.Prepared(**keys, **sizes, quality={}, reason=None, fault=None)
    results.record(job=job, attempt=attempt, worker="test", outcome=prepared)
    job, attempt = send_for_test(photo, "analyse")
    consents.withdraw_consent(alice, Purpose.AI)
    mask = f"photos/{photo.pk}/analyse/{attempt}/mask.png"
    segmented = messages.Segmented(mask_key=mask, skin=0.8, lesion=0.2, boxes=(), model=MODEL)
    partial = messages.Analysed(segmented=segmented, failure="weights_refused")
    assert not results.record(job=job, attempt=attempt, worker="test", outcome=partial)
    assert not recovery.requeue(Job.objects.get(pk=job), by=None)
    alices_submission.refresh_from_db()
    assert (alices_submission.ai_status, photo.analyses.count()) == (AIStatus.NOT_USED, 0)
    reviews.claim(alices_submission, by=dana)  # people can still read it


def test_a_photo_checked_after_withdrawn_consent_to_ai_is_not_analysed(alice, alices_submission, analyse):
    end_consent(alice, Purpose.AI)
    analyse(alices_submission.photos.get())
    assert set(Job.objects.values_list("stage", flat=True)) == {"prepare"}


def test_the_same_photo_twice_is_one_photo(alice, alices_draft, photo_file):
    same = photo_file().read()
    one = intake.add_photo(alices_draft, view="overview", upload=photo_file(content=same))
    two = intake.add_photo(alices_draft, view="other", upload=photo_file(content=same))
    assert one == two
    assert alices_draft.photos.count() == 2


def test_a_seventh_photo_is_refused(alice, draft_of, photo_file):
    full = draft_of(alice, photos=6)
    with pytest.raises(RefusedError, match="Six"):
        intake.add_photo(full, view="other", upload=photo_file())


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", Reason.EMPTY_FILE),
        (b"<html><script>alert(1)</script></html>", Reason.UNSUPPORTED_FORMAT),
        (b"\xff\xd8\xff" + b"\x00" * (25 * 1024 * 1024), Reason.FILE_TOO_LARGE),
        (b"II*\x00" + b"\x00" * 100, Reason.UNSUPPORTED_FORMAT),
    ],
)
def test_a_file_that_is_not_a_photo_is_refused_with_its_reason(
    alice, alices_draft, photo_file, content, reason
):
    with pytest.raises(RefusedError) as refusal:
        intake.add_photo(alices_draft, view="other", upload=photo_file(content=content))
    assert refusal.value.code == reason
    assert alices_draft.photos.count() == 1


def test_a_refused_photo_leaves_no_file_behind(alice, draft_of, photo_file, settings):
    full = draft_of(alice, photos=6)
    with pytest.raises(RefusedError):
        intake.add_photo(full, view="other", upload=photo_file())
    assert len([path for path in settings.MEDIA_ROOT.rglob("*") if path.is_file()]) == 6


def test_intimate_photos_of_children_are_refused(person, child_of):
    child = child_of(person("carol"), years=12)
    submission = intake.start(patient=child, answers=CALM)
    with pytest.raises(RefusedError) as refusal:
        intake.describe(submission, body_site="groin")
    assert refusal.value.code == "intimate_photo_of_minor"


def test_a_poor_photo_asks_for_a_decision_but_never_stops_a_red_flag(alice, draft_of):
    calm, urgent = draft_of(alice), draft_of(alice, fever="yes")
    for submission in (calm, urgent):
        submission.photos.update(state="poor", display_key="d", analysis_key="a")
    with pytest.raises(RefusedError, match="hard to read"):
        intake.submit(calm, by=alice)
    assert intake.submit(urgent, by=alice).status == Status.SUBMITTED
    assert intake.submit(calm, by=alice, send_anyway=True).photos.get().sent_anyway


def test_a_poor_photo_that_is_sent_is_due_within_two_days(alice, draft_of):
    calm = draft_of(alice)
    calm.photos.update(state="poor", display_key="d", analysis_key="a")
    submission = intake.submit(calm, by=alice, send_anyway=True)
    assert submission.level == Urgency.DAYS_2
    assert submission.due_at - submission.submitted_at == timedelta(days=1)


def test_a_repeat_with_the_same_key_is_the_same_submission(alice, bob):
    one = intake.start(patient=alice, answers=CALM, key="k1")
    assert intake.start(patient=alice, answers=CALM, key="k1") == one
    assert intake.start(patient=bob, answers=CALM, key="k1") != one
    with pytest.raises(RefusedError) as refusal:
        intake.start(patient=alice, answers=CALM | {"fever": "yes"}, key="k1")
    assert refusal.value.code == "key_reused"


def test_an_idempotency_key_of_one_case_does_not_open_another(alice, alices_submission):
    other = Case.objects.create(patient=alice, clinic=alice.clinic)
    first = intake.start(patient=alice, answers=CALM, key="k1")
    follow_up = intake.start(patient=alice, answers=CALM, case=other, key="k2")
    assert intake.start(patient=alice, answers=CALM, case=other, key="k2") == follow_up
    for key, case in (("k1", alices_submission.case), ("k2", first.case), ("k2", None)):
        with pytest.raises(RefusedError, match="something else"):
            intake.start(patient=alice, answers=CALM, case=case, key=key)


def test_only_one_dermatologist_can_claim(alices_submission, dana, person):
    erik = person("erik", "dermatologist")
    stale = Submission.objects.get(pk=alices_submission.pk)
    reviews.claim(alices_submission, by=dana)
    with pytest.raises(IllegalMoveError):
        reviews.claim(stale, by=erik)
    with pytest.raises(IllegalMoveError):
        reviews.sign(stale, by=erik, **ANSWER)
    with pytest.raises(IllegalMoveError):
        reviews.release(stale, by=erik)


def test_an_admin_releases_a_claim(alices_submission, dana, adam):
    reviews.claim(alices_submission, by=dana)
    reviews.release(alices_submission, by=adam)
    assert alices_submission.status == Status.SUBMITTED


def test_an_idle_claim_returns_to_the_worklist(alices_submission, dana, settings):
    reviews.claim(alices_submission, by=dana)
    assert reviews.release_idle_claims() == 0
    Submission.objects.update(claimed_at=timezone.now() - timedelta(minutes=settings.CLAIM_IDLE_MINUTES + 1))
    assert reviews.release_idle_claims() == 1
    assert not reviews.keep_claim(alices_submission, by=dana)


def test_claims_of_a_locked_out_dermatologist_are_released_at_once(alices_submission, dana, adam):
    reviews.claim(alices_submission, by=dana)
    people.deactivate(dana, by=adam)
    assert reviews.release_idle_claims() == 1
    alices_submission.refresh_from_db()
    assert (alices_submission.status, alices_submission.claimed_by) == (Status.SUBMITTED, None)


def test_a_broken_photo_beside_a_good_one_leaves_the_ai_status_done(alice, draft_of, analyse, photo_file):
    draft = draft_of(alice)
    good, broken = draft.photos.get(), intake.add_photo(draft, view="other", upload=photo_file())
    intake.submit(draft, by=alice)
    broken.jobs.all().delete()
    draft.photos.filter(pk=broken.pk).update(state=PhotoState.UNUSABLE, reason=Reason.TRUNCATED_IMAGE)
    analyse(good)
    draft.refresh_from_db()
    assert draft.ai_status == AIStatus.DONE


def test_requested_photos_set_a_new_due_time(alice, dana, alices_submission, photo_file):
    first_due = alices_submission.due_at
    reviews.claim(alices_submission, by=dana)
    reviews.request_photos(alices_submission, by=dana, reason="blurred")
    assert alices_submission.status == Status.NEEDS_PHOTOS
    intake.add_photo(alices_submission, view="close_up", upload=photo_file())
    again = intake.submit(alices_submission, by=alice)
    assert again.status == Status.SUBMITTED
    assert again.due_at > first_due


def test_a_same_day_case_does_not_wait_for_photos(alice, dana, submission_of):
    urgent = submission_of(alice, grouped_blisters="yes")
    reviews.claim(urgent, by=dana)
    with pytest.raises(RefusedError):
        reviews.request_photos(urgent, by=dana, reason="blurred")
    assert urgent.status == Status.IN_REVIEW


def test_an_answer_below_the_triage_needs_a_reason(alice, dana, submission_of):
    urgent = submission_of(alice, fever="yes")
    reviews.claim(urgent, by=dana)
    with pytest.raises(ValidationError):
        reviews.sign(urgent, by=dana, **ANSWER)
    urgent.refresh_from_db()
    assert urgent.status == Status.IN_REVIEW
    reviews.sign(urgent, by=dana, **ANSWER, reason="Fever is from a cold; seen by the family doctor today.")


def test_the_database_refuses_a_downgrade_without_reason(alices_submission, dana):
    with pytest.raises(IntegrityError), transaction.atomic():
        Review.objects.create(
            submission=alices_submission,
            author=dana,
            impression="AD",
            disposition="self_care",
            text="x",
            triage_urgency=3,
            urgency=0,
        )


def test_a_correction_keeps_the_first_answer(alices_submission, dana):
    reviews.claim(alices_submission, by=dana)
    first = reviews.sign(alices_submission, by=dana, **ANSWER)
    second = reviews.amend(alices_submission, by=dana, **ANSWER | {"text": "Please see me this week."})
    assert alices_submission.answer() == second
    assert second.amends == first
    assert alices_submission.reviews.count() == 2


def test_alice_withdraws_and_restores_a_submission(alice, alices_submission):
    withdrawal.withdraw(alices_submission, by=alice)
    assert not Submission.objects.worklist().exists()
    withdrawal.restore(alices_submission, by=alice)
    assert alices_submission.status == Status.DRAFT
    assert intake.submit(alices_submission, by=alice).ai_status == AIStatus.WAITING


def test_illegal_moves_are_refused(alices_draft, alice, dana, adam):
    for verb in (
        lambda: reviews.claim(alices_draft, by=dana),
        lambda: reviews.close(alices_draft, by=dana),
        lambda: reviews.reopen(alices_draft, by=adam),
        lambda: withdrawal.restore(alices_draft, by=alice),
        lambda: reviews.amend(alices_draft, by=dana, **ANSWER),
        lambda: reviews.reassign(alices_draft, to=dana, by=adam),
    ):
        with pytest.raises(IllegalMoveError):
            verb()
    assert kinds(alices_draft) == ["opened"]


def test_an_admin_reassigns_and_reopens(alices_submission, dana, adam, alice):
    with pytest.raises(RefusedError):
        reviews.reassign(alices_submission, to=alice, by=adam)
    reviews.reassign(alices_submission, to=dana, by=adam)
    reviews.sign(alices_submission, by=dana, **ANSWER)
    reviews.reopen(alices_submission, by=adam)
    assert list(Submission.objects.worklist()) == [alices_submission]


def test_silent_ai_becomes_unavailable_and_the_due_time_stays(alices_submission):
    due = alices_submission.due_at
    assert ai_status.give_up_waiting_for_ai() == 0
    Submission.objects.update(ai_deadline=timezone.now() - timedelta(seconds=1))
    assert ai_status.give_up_waiting_for_ai() == 1
    alices_submission.refresh_from_db()
    assert (alices_submission.ai_status, alices_submission.due_at) == (AIStatus.UNAVAILABLE, due)
    assert EventKind.AI_UNAVAILABLE in kinds(alices_submission)


def test_bob_and_dana_see_nothing_of_alices_draft(alices_draft, bob, dana, adam, alice):
    assert alices_draft in Submission.objects.visible_to(alice)
    for other in (bob, dana, adam):
        assert alices_draft not in Submission.objects.visible_to(other)


def test_a_draft_that_was_sent_once_and_restored_is_hidden_from_dana(dana, alice, alices_submission):
    withdrawal.withdraw(alices_submission, by=alice)
    assert Submission.objects.visible_to(dana).exists()
    withdrawal.restore(alices_submission, by=alice)
    assert not Submission.objects.visible_to(dana).exists()


def test_a_request_for_new_photos_needs_a_reason(dana, alices_submission):
    reviews.claim(alices_submission, by=dana)
    with pytest.raises(ValidationError, match="what is wrong"):
        reviews.request_photos(alices_submission, by=dana, reason="ugly")


def test_a_commit_without_confirmation_keeps_its_photo(alices_draft, photo_file, settings, monkeypatch):
    """PostgreSQL committed and then dropped the connection; the row's file was deleted (found by drill R6)."""
    record = intake.record_photo

    def commit_and_lose_the_connection(photo, replaced):
        record(photo, replaced)
        raise OperationalError("server closed the connection unexpectedly")

    monkeypatch.setattr(intake, "record_photo", commit_and_lose_the_connection)
    with pytest.raises(OperationalError):
        intake.add_photo(alices_draft, view="other", upload=photo_file())
    newest = alices_draft.photos.order_by("created_at").last()
    assert alices_draft.photos.count() == 2
    assert (settings.MEDIA_ROOT / newest.original_key).is_file()


def test_a_full_disk_is_reported_and_leaves_neither_row_nor_file(
    alices_draft, photo_file, settings, monkeypatch
):
    """This used to answer 500 and leave half a photo on the full disk."""
    before = {path for path in settings.MEDIA_ROOT.rglob("*") if path.is_file()}

    def full(_descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(files.os, "fsync", full)
    with pytest.raises(RefusedError) as refused:
        intake.add_photo(alices_draft, view="other", upload=photo_file())
    assert refused.value.code == "storage_full"
    assert alices_draft.photos.count() == 1
    assert {path for path in settings.MEDIA_ROOT.rglob("*") if path.is_file()} == before
