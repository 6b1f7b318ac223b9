"""The invariants of the record: each check fails when it is violated."""

from __future__ import annotations

import os
import re
from datetime import timedelta
from pathlib import Path
from smtplib import SMTPRecipientsRefused

import pytest
from django.conf import settings
from django.core import mail
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from teleder.accounts.models import Clinic
from teleder.cases import invariants, leftovers, reviews, withdrawal
from teleder.cases.models import Analysis, Case, Event, HeldAnswer, Job, Photo, Submission
from teleder.notifications import invariants as of_messages
from teleder.notifications import outbox
from teleder.notifications.models import DueWarning, Message, UrgentCall
from teleder.notifications.reconcile import reconcile
from tests.conftest import rewrite

pytestmark = pytest.mark.django_db
LONG_AGO = timezone.now() - timedelta(hours=1)


def path_of(key: str) -> Path:
    return Path(settings.MEDIA_ROOT) / key


def broken() -> set[str]:
    return {name for name, _rows in invariants.broken()}


@pytest.fixture
def left_over(settings) -> Path:
    """A file without a row, a little more than two days old."""
    path = Path(settings.MEDIA_ROOT) / "photos" / "gone" / "original" / "tmp123"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"half a photo")
    old = timezone.now().timestamp() - 49 * 3600
    os.utime(path, (old, old))
    return path


def test_a_fresh_submission_breaks_nothing(alices_submission, dana):
    outbox.queue_messages()
    outbox.deliver()
    assert broken() == set()
    call_command("check_record")


def test_no_check_reads_a_list_anew_for_each_row(alices_submission):
    """At a million submissions one check took hours."""
    with CaptureQueriesContext(connection) as asked:
        for check in invariants.INVARIANTS:
            list(check())
    statements = [row["sql"] for row in asked.captured_queries]
    assert len(statements) >= len(invariants.INVARIANTS)
    assert [one for one in statements if re.search(r"NOT \([^()]* IN \(SELECT", one)] == []


def plant_clinic_without_dermatologist(submission, dana) -> None:
    dana.is_active = False
    dana.save()


def plant_patient_locked_out(submission, dana) -> None:
    reviews.claim(submission, by=dana)
    reviews.request_photos(submission, by=dana, reason="blurred")
    submission.patient.is_active = False
    submission.patient.save()


def plant_draft_that_is_read(submission, dana) -> None:
    withdrawal.withdraw(submission, by=submission.patient)
    withdrawal.restore(submission, by=submission.patient)
    Job.objects.update(stage="analyse")


def plant_late_ai(submission, dana) -> None:
    Submission.objects.update(ai_deadline=LONG_AGO)


def plant_no_job(submission, dana) -> None:
    Job.objects.update(state="cancelled")


def plant_no_photo(submission, dana) -> None:
    Photo.objects.update(removed_at=LONG_AGO)


def plant_reviewer_locked_out(submission, dana) -> None:
    reviews.claim(submission, by=dana)
    dana.is_active = False
    dana.save()


def plant_idle_claim(submission, dana) -> None:
    reviews.claim(submission, by=dana)
    Submission.objects.update(claimed_at=LONG_AGO)


def plant_unchecked_photo(submission, dana) -> None:
    Job.objects.all().delete()


def plant_job_without_result(submission, dana) -> None:
    Job.objects.update(state="done")


def plant_classification_without_findings(submission, dana) -> None:
    Job.objects.update(stage="analyse", state="done")
    Analysis.objects.create(
        photo=submission.photos.get(), mask_key="", skin=1, lesion=0, segmentation_model={}
    )


def plant_check_without_result(submission, dana) -> None:
    Job.objects.update(stage="check", state="done")


def plant_distance_report_without_result(submission, dana) -> None:
    Job.objects.update(stage="distance", state="done")


def plant_only_a_distance_report_left(submission, dana) -> None:
    Job.objects.update(stage="distance")


def plant_only_a_check_left(submission, dana) -> None:
    Job.objects.update(stage="check")


def plant_job_without_a_copy_to_read(submission, dana) -> None:
    Job.objects.update(stage="analyse", state="queued")


def plant_job_without_boxes(submission, dana) -> None:
    Photo.objects.update(analysis_key="photos/copy")
    Job.objects.update(stage="distance", state="queued")


def plant_forgotten_job(submission, dana) -> None:
    Job.objects.update(state="queued", created_at=timezone.now() - timedelta(hours=25))


def plant_unknown_state(submission, dana) -> None:
    Job.objects.update(state="lost")


def plant_silent_job(submission, dana) -> None:
    Job.objects.update(state="sent", sent_at=LONG_AGO, deadline=LONG_AGO)


def plant_lost_original(submission, dana) -> None:
    Photo.objects.update(original_key="photos/gone")


def plant_emptied_original(submission, dana) -> None:
    path_of(submission.photos.get().original_key).write_bytes(b"")


def plant_longer_original(submission, dana) -> None:
    with path_of(submission.photos.get().original_key).open("ab") as file:
        file.write(b"more")


def plant_emptied_copy(submission, dana) -> None:
    Photo.objects.update(display_key="photos/copy")
    path_of("photos/copy").touch()


def plant_lost_mask(submission, dana) -> None:
    Analysis.objects.create(
        photo=submission.photos.get(), mask_key="photos/gone", skin=1, lesion=0, segmentation_model={}
    )


def plant_event_without_notification(submission, dana) -> None:
    rewrite(Event.objects, at=LONG_AGO)


def plant_notified_event_without_message(submission, dana) -> None:
    Event.objects.update(told_at=LONG_AGO)


def plant_forgotten_message(submission, dana) -> None:
    outbox.queue_messages()
    Message.objects.update(due_at=LONG_AGO)


def plant_signing_without_review(submission, dana) -> None:
    Submission.objects.update(last_signed_at=LONG_AGO)


def plant_another_clinic(submission, dana) -> None:
    Case.objects.update(clinic=Clinic.objects.create(name="North"))


def plant_submission_in_a_merged_case(submission, dana) -> None:
    other = Case.objects.create(patient=submission.patient, clinic=submission.clinic)
    Case.objects.filter(pk=submission.case_id).update(merged_into=other)


def plant_answer_that_is_not_sent(submission, dana) -> None:
    settings.HOLD_SECONDS = 60
    reviews.claim(submission, by=dana)
    reviews.sign(submission, by=dana, impression="AD", disposition="self_care", text="Go on.")
    HeldAnswer.objects.update(send_at=LONG_AGO)


def plant_answer_held_of_a_free_case(submission, dana) -> None:
    plant_answer_that_is_not_sent(submission, dana)
    Submission.objects.update(status="submitted", claimed_by=None, claimed_at=None)


def plant_call_that_nobody_hears(submission, dana) -> None:
    Submission.objects.update(rule_urgency=3, urgency=3)
    outbox.queue_messages()
    UrgentCall.objects.update(tell_at=LONG_AGO)


def plant_forgotten_warning(submission, dana) -> None:
    outbox.queue_messages()
    DueWarning.objects.update(at=LONG_AGO)


BREACHES = [
    (plant_submission_in_a_merged_case, "cases that were merged are empty and lead to one in force"),
    (plant_answer_that_is_not_sent, "answers that are held are sent soon"),
    (plant_answer_held_of_a_free_case, "answers that are held are of who holds the case"),
    (plant_call_that_nobody_hears, "urgent calls are told"),
    (plant_forgotten_warning, "warnings of due times are told"),
    (plant_signing_without_review, "submissions know their clinic and when they were signed"),
    (plant_another_clinic, "submissions know their clinic and when they were signed"),
    (plant_clinic_without_dermatologist, "submissions that are open have somebody who may answer"),
    (
        plant_patient_locked_out,
        "submissions that wait for photos have a patient who can send them",
    ),
    (plant_draft_that_is_read, "submissions that were not sent are not read"),
    (plant_late_ai, "submissions that wait for ai are not late"),
    (plant_no_job, "submissions that wait for ai have a job that can still move"),
    (plant_no_photo, "submissions that were sent have a photo"),
    (plant_reviewer_locked_out, "submissions in review are held by somebody who may sign"),
    (plant_idle_claim, "submissions in review are held by somebody who may sign"),
    (plant_unchecked_photo, "photos being checked have a job"),
    (plant_job_without_result, "jobs that are done have left their result"),
    (plant_classification_without_findings, "jobs that are done have left their result"),
    (plant_check_without_result, "jobs that are done have left their result"),
    (plant_only_a_check_left, "submissions that wait for ai have a job that can still move"),
    (plant_distance_report_without_result, "jobs that are done have left their result"),
    (plant_only_a_distance_report_left, "submissions that wait for ai have a job that can still move"),
    (plant_job_without_a_copy_to_read, "jobs that are unfinished have something to read"),
    (plant_job_without_boxes, "jobs that are unfinished have something to read"),
    (plant_forgotten_job, "jobs are in a state they can leave"),
    (plant_unknown_state, "jobs are in a state they can leave"),
    (plant_silent_job, "jobs under way are not silent"),
    (plant_lost_original, "photos have their files"),
    (plant_emptied_original, "photos have their files"),
    (plant_longer_original, "photos have their files"),
    (plant_emptied_copy, "photos have their files"),
    (plant_lost_mask, "masks and attributions have their files"),
    (plant_event_without_notification, "events are notified or recent"),
    (plant_notified_event_without_message, "notified events have a message"),
    (plant_forgotten_message, "messages are sent or still due"),
]


@pytest.mark.parametrize(("plant", "name"), BREACHES)
def test_a_planted_breach_is_found(plant, name, alices_submission, dana):
    assert name not in broken()
    plant(alices_submission, dana)
    assert name in broken()
    with pytest.raises(SystemExit):
        call_command("check_record")


def test_the_database_refuses_an_open_submission_without_due_time(alices_submission):
    from django.db import IntegrityError

    with pytest.raises(IntegrityError):
        Submission.objects.update(due_at=None)


def test_a_file_without_a_row_is_found_and_removed_and_others_stay(alices_submission, left_over):
    photo = alices_submission.photos.get()
    original = left_over.parents[2] / str(photo.pk) / "original" / photo.sha256
    os.utime(original, (0, 0))
    assert "files have their row" in broken()
    assert leftovers.collect_leftovers() == 1
    assert not left_over.exists()
    assert original.is_file()
    assert "files have their row" not in broken()


def test_a_recent_partial_file_is_not_removed(alices_submission, left_over):
    os.utime(left_over)
    assert leftovers.collect_leftovers() == 0


def test_adam_is_mailed_the_broken_invariants_without_health_data(alices_submission, adam, dana):
    assert reconcile() == []
    assert mail.outbox == []
    plant_lost_original(alices_submission, None)
    assert reconcile() == ["photos have their files"]
    (message,) = mail.outbox
    assert message.to == [adam.email]
    assert "photos have their files" in message.body
    assert str(alices_submission.photos.get().pk) not in message.body


def test_a_failed_mail_to_one_admin_does_not_stop_the_others(alices_submission, person, monkeypatch, caplog):
    recipients = []

    def send(_subject, _body, _sender, to):
        if to == ["first@example.com"]:
            raise SMTPRecipientsRefused({})
        recipients.extend(to)

    monkeypatch.setattr("teleder.notifications.reconcile.send_mail", send)
    for name in ("first", "second"):
        person(name, "admin")
    plant_lost_original(alices_submission, None)
    reconcile()
    assert recipients == ["second@example.com"]
    assert "first" not in caplog.text


@pytest.mark.parametrize("check", [*invariants.INVARIANTS, *of_messages.INVARIANTS])
def test_every_invariant_has_a_test_that_breaks_it(check):
    name = check.__name__.replace("_", " ")
    by_the_database = {"submissions that are open have a due time"}
    elsewhere = {"files have their row", "originals have a key that we hold", "originals are sealed"}
    assert name in {planted for _plant, planted in BREACHES} | by_the_database | elsewhere
