"""After Carol's erasure a search of database, photos, Valkey and logs finds only the tombstone."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest
from django.apps import apps
from django.core.management import call_command
from django.db import IntegrityError
from django.db.models import ForeignKey, Model
from django.db.models.functions import Now

from contract import messages
from contract.storage import files
from teleder.accounts.models import ChildInvitation, Guardianship, User
from teleder.audit import entries
from teleder.audit.models import Entry, Verb
from teleder.cases.models import DamagedFile, HeldAnswer, Job, Photo, Review, Submission, TakenBackAnswer
from teleder.pipeline import dispatch, results
from teleder.privacy import belongings, erasure, invariants, remnants
from teleder.privacy.models import Remnant, Tombstone, trace_of
from tests.privacy.conftest import (
    TRACES,
    database,
    hold_an_answer,
    media,
    photo_folder,
    request_erasure_and_wait,
    sweep,
    valkey,
)

pytestmark = pytest.mark.django_db(transaction=True)


def _all_traces(carol) -> dict[str, str]:
    numbers = {f"case {n}": case.number for n, case in enumerate(carol.cases.all())}
    return {**TRACES, **numbers, "password": carol.password}


def test_no_data_of_carol_remain_and_bobs_are_unchanged(carol, bob, dana, submission_of, found, settings):
    hold_an_answer(carol, dana)
    bobs = submission_of(bob, photos=2)
    dispatch.dispatch_all()  # her draft's photo and bob's are in the queue now
    traces, pk = _all_traces(carol) | {"id": str(carol.pk)}, carol.pk
    before, her_photos = _of_bob(bob, bobs), [str(photo.pk) for photo in _photos(carol)]
    places = {where for where, _what in found(traces)}
    assert places >= {
        "accounts_user",
        "cases_submission",
        "cases_answerdraft",
        "cases_heldanswer",
        "cases_secondopinion",
        "cases_handovernote",
        "django_session",
        "django_admin_log",
        "valkey",
        "media",
    }
    request_erasure_and_wait(carol)
    head = entries.head()
    # Only these duties: the others would process bob's jobs.
    settings.SWEEP_DUTIES = [duty for duty in settings.SWEEP_DUTIES if duty.startswith("teleder.privacy.")]
    sweep()
    # The audit log keeps her random id, which no row explains any more; remnants name it for a day.
    assert found(traces) <= {("audit_entry", "id"), ("privacy_remnant", "id")}
    assert not [key for key, text in valkey() if any(word in key + text for word in [str(pk), *her_photos])]
    assert not [name for name, _content in media(settings.MEDIA_ROOT) if any(p in name for p in her_photos)]
    stone = Tombstone.objects.get()
    assert (stone.person_sha256, stone.why) == (trace_of(pk), "request")
    assert list(entries.faults(head)) == []
    assert Entry.objects.filter(verb=Verb.ERASE, object=str(stone.pk), person=None).count() == 1
    assert _of_bob(bob, bobs) == before
    call_command("check_record")


def test_the_web_role_can_erase_her(carol, acting_as_web, found, settings):
    traces, head = _all_traces(carol), entries.head()
    request_erasure_and_wait(carol)
    with acting_as_web():
        sweep()
    assert found(traces) == set()
    assert list(entries.faults(head)) == []
    assert Tombstone.objects.get().listed_at is not None


def _photos(person):
    return Photo.objects.filter(submission__case__patient=person)


def _of_bob(bob, submission) -> tuple:
    """Return bob's rows and the bytes of his photos."""
    words = [str(bob.pk), bob.email, str(submission.pk), *(str(photo.pk) for photo in _photos(bob))]
    rows = sorted(
        (table, row)
        for table, row in database()
        if any(word in row for word in words) and table not in {"audit_entry", "django_session"}
    )
    files = {
        path: path.read_bytes()
        for photo in _photos(bob)
        for path in photo_folder(photo).rglob("*")
        if path.is_file()
    }
    return rows, files


@pytest.mark.parametrize(
    ("module", "name", "where"),
    [
        (belongings, "forget_mentions", "django_session"),
        (belongings, "forget_mentions", "django_admin_log"),
        (belongings, "forget_mentions", "accounts_invitation"),
        (remnants, "_remove_folder", "media"),
        (remnants, "_forget_in_valkey", "valkey"),
    ],
)
def test_the_search_finds_data_that_an_erasure_missed(carol, found, monkeypatch, module, name, where):
    dispatch.dispatch_all()
    monkeypatch.setattr(module, name, lambda *_: 0)
    request_erasure_and_wait(carol)
    sweep()
    assert not User.objects.filter(pk=carol.pk).exists()
    assert where in {place for place, _what in found()}


TABLES = [*belongings.OF_SUBMISSION, *belongings.OF_PERSON[:-1]]


@pytest.mark.parametrize("left_out", [model for model, _path in TABLES], ids=lambda model: model.__name__)
def test_a_table_that_was_left_out_stops_the_erasure(carol, dana, person, monkeypatch, left_out):
    for name in ("OF_SUBMISSION", "OF_PERSON"):
        rest = tuple(row for row in getattr(belongings, name) if row[0] is not left_out)
        monkeypatch.setattr(belongings, name, rest)
    if left_out is User.user_permissions.through:
        from django.contrib.auth.models import Permission

        carol.user_permissions.add(Permission.objects.first())
    if left_out is Guardianship:
        Guardianship.objects.create(child=carol, guardian=person("guardian"), relation="parent")
    if left_out is ChildInvitation:
        ChildInvitation.issue(carol, "take_over", email="a@example.com", days=7)
    if left_out is HeldAnswer:
        hold_an_answer(carol, dana)
    if left_out is TakenBackAnswer:  # without it: her export has no answer that was taken back
        review = Review.objects.get(submission__case__patient=carol)
        TakenBackAnswer.objects.create(review=review, by=dana, reason="wrong case")
    if left_out is DamagedFile:
        DamagedFile.objects.create(
            photo=Photo.objects.filter(submission__case__patient=carol).first(), name="display"
        )
    request_erasure_and_wait(carol)
    with pytest.raises(IntegrityError):
        erasure.carry_out()
    assert User.objects.filter(pk=carol.pk).exists()
    assert carol.cases.count() == 2
    assert not Tombstone.objects.exists()


# --- Every table has a rule -------------------------------------------------------------------------------
def erased_models() -> set[type[Model]]:
    tables = (*belongings.OF_PHOTO, *belongings.OF_SUBMISSION, *belongings.OF_PERSON)
    return {model for model, _path in tables} | {*belongings.HISTORY, *belongings.MENTIONING}


def test_every_table_is_erased_with_the_person_or_listed_as_kept():
    known = {model._meta.label for model in erased_models()} | set(belongings.KEPT)
    models = {model._meta.label for model in apps.get_models(include_auto_created=True)}
    assert models - known == set(), "add these tables to teleder/privacy/belongings.py"
    assert known - models == set()


def test_no_kept_table_references_an_erased_one():
    kept = [apps.get_model(*label.split(".", 1)) for label in belongings.KEPT if "_" not in label]
    pointing = [
        f"{model._meta.label}.{field.name}"
        for model in kept
        for field in model._meta.get_fields()
        if isinstance(field, ForeignKey) and field.related_model in erased_models()
    ]
    # All of staff, who are not erased.
    assert pointing == [
        "notifications.Alert.acknowledged_by",
        "accounts.ClinicText.written_by",
        "accounts.ClinicTextApproval.approved_by",
        "cases.Snippet.owner",
        "cases.ReplyTemplate.written_by",
        "cases.ReplyTemplate.approved_by",
        "accounts.DermatologistProfile.user",
        "accounts.DermatologistProfile.licence_checked_by",
    ]


# --- At any step ------------------------------------------------------------------------------------------
class Killed(BaseException):
    """Simulates kill -9: no handler of `Exception` catches it."""


STEPS = [
    (remnants, "leave"),
    (belongings, "forget_mentions"),
    (belongings, "delete"),
    (erasure, "write_last_entry"),
    (remnants, "clear"),
    (remnants, "_remove_folder"),
    (remnants, "_forget_in_valkey"),
]


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize(("module", "name"), STEPS, ids=[name for _module, name in STEPS])
def test_an_erasure_killed_at_any_step_completes_in_the_next_round(
    carol, found, monkeypatch, module, name, after
):
    step = getattr(module, name)

    def killed(*args, **more):
        if after:
            step(*args, **more)
        raise Killed

    traces = _all_traces(carol)
    request_erasure_and_wait(carol)
    with monkeypatch.context() as patch:
        patch.setattr(module, name, killed)
        with pytest.raises(Killed):
            erasure.carry_out()
    whole = User.objects.filter(pk=carol.pk).exists()
    assert whole == (carol.cases.count() == 2)  # either all rows or none
    Remnant.objects.update(next_at=Now())
    sweep()
    assert found(traces) == set()
    stone = Tombstone.objects.get()
    assert Entry.objects.filter(verb=Verb.ERASE, object=str(stone.pk)).count() == 1


def test_a_result_after_the_erasure_changes_nothing_and_leaves_no_file(carol, settings, analyse):
    photo = Submission.objects.get(case__patient=carol, status="draft").photos.get()
    dispatch.dispatch_all()
    job = Job.objects.get(photo=photo, stage="prepare")
    sent = {"job": str(job.pk), "attempt": job.attempt, "worker": "late"}
    request_erasure_and_wait(carol)
    sweep()
    late = photo_folder(photo) / "prepare" / str(job.attempt) / "display.jpg"
    late.parent.mkdir(parents=True)
    late.write_bytes(b"made by a worker that was reading it")
    results.started(worker="late", work={sent["job"]: sent["attempt"]})
    outcome = messages.Failed(code="file_missing")
    assert results.record(**sent, outcome=outcome) is False
    assert not Job.objects.filter(pk=job.pk).exists()
    Remnant.objects.update(next_at=Now())  # a minute later
    sweep()
    assert not photo_folder(photo).exists()
    assert Remnant.objects.exists()
    Remnant.objects.update(next_at=Now(), until=Now() - timedelta(seconds=1))  # a day later
    sweep()
    assert not Remnant.objects.exists()


def test_a_folder_that_cannot_be_removed_is_reported_and_stops_no_other_erasure(
    carol, bob, draft_of, monkeypatch
):
    stuck, others = (
        photo_folder(_photos(carol).first()),
        [photo_folder(photo) for photo in _photos(carol)[1:]],
    )
    remove = files.shutil.rmtree

    def refuse(name, *, dir_fd):
        if name == stuck.name:
            raise PermissionError
        remove(name, dir_fd=dir_fd)

    request_erasure_and_wait(carol)
    with monkeypatch.context() as patch:
        patch.setattr(files.shutil, "rmtree", refuse)
        sweep()
    assert stuck.exists()
    assert others and not any(folder.exists() for folder in others)
    Remnant.objects.filter(next_at__lte=Now()).update(next_at=Now() - timedelta(minutes=6))
    assert list(invariants.photos_that_were_erased_have_no_folder()) == [f"photos/{stuck.name}"]
    sweep()
    assert not stuck.exists()


def test_an_erasure_without_valkey_is_done_and_valkey_is_searched_later(carol, settings):
    address, pk = settings.REDIS_URL, str(carol.pk)
    request_erasure_and_wait(carol)
    settings.REDIS_URL = "redis://127.0.0.1:9/0"
    erasure.carry_out()
    settings.REDIS_URL = address
    assert not User.objects.filter(pk=pk).exists()
    assert [key for key, text in valkey() if pk in key + text]
    Remnant.objects.update(next_at=Now())
    remnants.clear()
    assert not [key for key, text in valkey() if pk in key + text]


def test_the_list_outside_the_database_contains_no_personal_data(carol, found, settings):
    request_erasure_and_wait(carol)
    sweep()
    sweep()
    (line,) = Path(settings.ERASED_LIST).read_text().splitlines()
    row = json.loads(line)
    assert row["person_sha256"] == trace_of(carol.pk)
    assert str(carol.pk) not in line
    assert Path(settings.ERASED_LIST).stat().st_mode & 0o777 == 0o600
    assert Tombstone.objects.get().listed_at
