"""Retention erases expired data by purpose if the clinic enables it; a restore does not bring back erased people."""

from __future__ import annotations

import json
import uuid
from datetime import timedelta
from pathlib import Path

import pytest
from django.conf import settings as django_settings
from django.contrib.admin.models import LogEntry
from django.core.management import CommandError, call_command
from django.db.models import F

from teleder.accounts import people
from teleder.accounts.models import Invitation, Role, User
from teleder.audit.models import Entry, Verb
from teleder.cases import intake, reviews, withdrawal
from teleder.cases.models import Case, Event, Photo, Review, Submission
from teleder.privacy import erasure, holds, retention, tasks, tombstones
from teleder.privacy.models import Erasure, Tombstone, trace_of
from tests.conftest import rewrite
from tests.privacy.conftest import photo_folder, request_erasure_and_wait

pytestmark = pytest.mark.django_db
TIMES = {
    Submission: ("created_at", "submitted_at", "due_at"),
    Event: ("at",),
    Photo: ("created_at", "removed_at"),
    Review: ("signed_at",),
    Case: ("opened_at",),
    User: ("date_joined",),
    LogEntry: ("action_time",),
    Invitation: ("created_at", "expires_at"),
}


def move_into_the_past(days: int) -> None:
    """Move all timestamps into the past."""
    for model, names in TIMES.items():
        rewrite(model.objects, **{name: F(name) - timedelta(days=days) for name in names})


def test_the_web_role_can_apply_retention_and_erase_again(
    acting_as_web, alice, dana, submission_of, tmp_path
):
    for sign in (True, False):
        submission = submission_of(alice)
        reviews.claim(submission, by=dana)
        if sign:
            reviews.sign(submission, by=dana, impression="AD", disposition="today", text="Please come.")
            reviews.close(submission, by=dana)
    move_into_the_past(days=20 * 365)
    with acting_as_web():
        call_command("retention", apply=True)
    assert [row.reviews.count() for row in Submission.objects.all()] == [0]
    listed = {"id": str(uuid.uuid4()), "person_sha256": trace_of(alice.pk), "erased_on": "2026-01-01"}
    file = tmp_path / "list.jsonl"
    file.write_text(json.dumps(listed | {"why": "request", "policy": "x"}) + "\n")
    with acting_as_web():
        call_command("retention", reapply=file)
    assert not User.objects.filter(pk=alice.pk).exists() and not Event.objects.exists()


def counted() -> dict[str, int]:
    return {rule.name: count for rule, count in retention.report() if count}


@pytest.fixture
def old(alice, bob, dana, adam, draft_of, submission_of) -> dict:
    """Alice's draft with a removed photo, withdrawn and answered submissions, notes and an invitation."""
    draft = draft_of(alice, photos=2)
    removed = draft.photos.first()
    intake.remove_photo(removed)
    back, answered = submission_of(alice), submission_of(alice)
    withdrawal.withdraw(back, by=alice)
    reviews.claim(answered, by=dana)
    reviews.sign(answered, by=dana, impression="AD", disposition="today", text="Please come.")
    people.deactivate(bob, by=adam)
    people.activate(bob, by=adam)
    Invitation.issue(email="erik@example.com", role=Role.ADMIN, by=adam)
    return {"draft": draft, "removed": removed, "back": back, "answered": answered}


def test_nothing_is_expired_today(old):
    assert counted() == {}


@pytest.mark.parametrize(
    ("days", "expected"),
    [
        (29, {}),
        (31, {"removed_photo": 1}),
        (91, {"removed_photo": 1, "draft": 1}),
        (373, {"removed_photo": 1, "draft": 1, "withdrawn": 1, "invitation": 1}),
        (1826, {"removed_photo": 1, "draft": 1, "withdrawn": 1, "invitation": 1, "account": 1}),
        (
            1828,
            {"removed_photo": 1, "draft": 1, "withdrawn": 1, "invitation": 1, "account": 1}
            | {"medical_record": 2, "back_room_log": 2},
        ),
    ],
)
def test_each_purpose_has_its_retention_time(old, days, expected):
    move_into_the_past(days)
    found = counted()
    assert found == expected


def test_a_dry_run_is_the_default_and_changes_nothing(old, capsys):
    move_into_the_past(1828)
    call_command("retention")
    said = capsys.readouterr().out
    assert "a draft that nobody signed" in said
    assert "医師法 24 条" in said
    assert "nothing was changed" in said
    assert (Case.objects.count(), Photo.objects.count()) == (3, 4)


def test_applied_retention_uses_the_erasure_and_writes_the_audit_log(old, alice, bob):
    move_into_the_past(1828)
    folders = [photo_folder(photo) for photo in Photo.objects.all()]
    call_command("retention", "--apply")
    assert not Case.objects.exists()
    assert not any(folder.exists() for folder in folders)
    assert Entry.objects.filter(verb=Verb.RETAIN, door="privacy:retention:medical_record").exists()
    assert set(Erasure.objects.values_list("person", "why")) == {
        (bob.pk, "retention"),
        (alice.pk, "retention"),
    }
    assert User.objects.filter(pk__in=[alice.pk, bob.pk]).count() == 2  # they are notified first
    call_command("check_record")


def test_a_photo_that_a_dermatologist_may_have_seen_is_part_of_the_record(alice, dana, submission_of):
    submission = submission_of(alice, photos=2)
    reviews.claim(submission, by=dana)
    reviews.request_photos(submission, by=dana, reason="blurred")
    intake.remove_photo(submission.photos.first())
    move_into_the_past(400)
    assert counted() == {}


def test_an_open_case_never_expires(alice, submission_of):
    submission_of(alice)
    move_into_the_past(4000)
    assert "medical_record" not in counted()


def test_a_legal_hold_stops_retention(old, alice, adam):
    move_into_the_past(1828)
    holds.set_hold(alice, reason="court", by=adam)
    assert set(counted()) == {"invitation", "account", "back_room_log"}
    call_command("retention", "--apply")
    assert Case.objects.filter(patient=alice).count() == 3


@pytest.mark.parametrize("switched_on", [False, True])
def test_the_nightly_run_applies_retention_only_if_the_clinic_enabled_it(old, settings, switched_on):
    settings.RETENTION_BY_NIGHT = switched_on
    move_into_the_past(91)
    tasks.retain_task()
    assert Submission.objects.filter(pk=old["draft"].pk).exists() != switched_on


def test_retention_is_off_by_default():
    assert django_settings.RETENTION_BY_NIGHT is False


# --- After a restore --------------------------------------------------------------------------------------
@pytest.fixture
def restored_alice(alice, bob, submission_of, settings) -> User:
    """Alice was erased, then an older backup was restored: she exists again, her tombstone does not."""
    submission_of(alice)
    submission_of(bob)
    row = {"id": "7f3a0000-0000-4000-8000-000000000001", "person_sha256": trace_of(alice.pk)}
    Tombstone.objects.create(**row, why="request", policy="2026-11-25-draft")
    tombstones.write_list()
    Tombstone.objects.all().delete()
    return alice


def test_patients_erased_before_a_restore_are_erased_again(restored_alice, bob, capsys):
    folder = photo_folder(Photo.objects.get(submission__case__patient=restored_alice))
    call_command("retention", "--reapply")
    assert "1 erased again, 0 under a legal hold" in capsys.readouterr().out
    assert not User.objects.filter(pk=restored_alice.pk).exists()
    assert not folder.exists()
    assert Photo.objects.get().submission.patient == bob
    assert Tombstone.objects.get().id.hex.startswith("7f3a")
    call_command("retention", "--reapply")  # a second run changes nothing
    assert Tombstone.objects.count() == 1


def test_reapplying_the_list_restores_the_tombstones(restored_alice):
    erasure.erase_submissions(Submission.objects.filter(case__patient=restored_alice))
    call_command("retention", "--reapply")
    User.objects.filter(pk=restored_alice.pk).delete()
    Tombstone.objects.all().delete()
    call_command("retention", "--reapply")
    assert Tombstone.objects.get().listed_at


def test_a_legal_hold_in_the_backup_takes_precedence_and_is_reported(restored_alice, adam, capsys):
    holds.set_hold(restored_alice, reason="court", by=adam)
    with pytest.raises(SystemExit):
        call_command("retention", "--reapply")
    assert "0 erased again, 1 under a legal hold" in capsys.readouterr().out
    holds.lift_hold(restored_alice, by=adam)
    call_command("retention", "--reapply")
    assert not User.objects.filter(pk=restored_alice.pk).exists()


def test_a_list_that_cannot_be_read_changes_nothing(restored_alice, settings):
    with Path(settings.ERASED_LIST).open("a") as file:
        file.write("half a li")
    with pytest.raises(CommandError, match="line 2"):
        call_command("retention", "--reapply")
    assert User.objects.filter(pk=restored_alice.pk).exists()


def test_a_missing_list_is_an_error(db, tmp_path):
    with pytest.raises(CommandError):
        call_command("retention", "--reapply", str(tmp_path / "none.jsonl"))


def test_each_tombstone_is_listed_once_outside_the_database(alice):
    request_erasure_and_wait(alice)
    erasure.carry_out()
    assert (tombstones.write_list(), tombstones.write_list()) == (1, 0)
