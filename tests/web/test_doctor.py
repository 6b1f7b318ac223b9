"""`manage.py doctor`: every part that can be missing is named, with what to do; nothing secret is printed."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path

import pytest
from django.core.cache import caches
from django.core.management import call_command
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder
from django.utils import timezone

from contract import encryption
from contract.storage import FileStorage
from teleder.accounts.models import DermatologistProfile, User
from teleder.cases import storage_mark
from teleder.cases.models import Job, Photo
from teleder.web.operations import doctor, doctor_data
from teleder.web.operations.doctor import State
from tests.conftest import rewrite

pytestmark = pytest.mark.django_db


def found_of(part: str) -> list[tuple[State, str]]:
    return [(each.state, each.words) for each in doctor.examine() if each.part == part]


def state_of(part: str) -> State:
    """Return the worst state of a part; a part that is never judged has none."""
    return max((state for state, _words in found_of(part)), key=list(State).index)


@pytest.fixture
def installed(settings, dana, adam) -> None:
    """An installation without fault: the storage is marked, and somebody is on call."""
    call_command("init_storage")
    DermatologistProfile.objects.filter(user=dana).update(on_call=True)


def test_a_complete_installation_has_no_fault(installed, capsys):
    call_command("doctor")
    lines = capsys.readouterr().out.splitlines()
    parts = {line.split()[1] for line in lines if line.split()[0] in set(State)}
    assert parts == set(doctor.CHECKS) and lines[-1].split(": ")[1].startswith("0 faults")


def test_what_is_not_fine_has_a_remedy(installed, settings):
    settings.PHOTO_STORAGE = FileStorage(Path("/dev/null/nowhere"))
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    caches["process"].delete(storage_mark.KNOWN)
    User.objects.update(is_active=False)
    found = list(doctor.examine())
    assert {each.part for each in found if each.state == State.FAULT} == {"storage", "broker", "people"}
    assert all(each.remedy for each in found if each.state != State.FINE)


def test_a_fault_ends_with_1_and_brief_shows_faults_only(capsys):
    with pytest.raises(SystemExit) as end:
        call_command("doctor", "--brief")
    printed = capsys.readouterr().out
    assert end.value.code == 1 and "there is no admin" in printed
    assert not {"fine", "note"} & {line.split()[0] for line in printed.splitlines()}


def test_a_migration_that_was_not_applied_is_found(installed):
    MigrationRecorder.Migration.objects.filter(app="cases").order_by("-pk").first().delete()
    assert found_of("database")[-1] == (State.FAULT, "1 migrations are not applied")


def test_a_database_that_does_not_answer_is_told_in_its_parts(installed, monkeypatch):
    from django.db import OperationalError

    def away(*_args):
        raise OperationalError("host=secret.example password=hidden")

    monkeypatch.setattr(connection, "cursor", away)
    found = list(doctor.examine())
    assert state_of("database") == State.FAULT
    assert "secret.example" not in str(found) and "hidden" not in str(found)


def test_a_process_with_the_owners_rights_is_noted(installed):
    assert state_of("rights") == State.NOTE


@pytest.mark.django_db(transaction=True)
def test_the_role_of_web_and_workers_is_fine(installed, acting_as_web):
    with acting_as_web():
        assert state_of("rights") in {State.FINE, State.NOTE}
        assert not any("the role of this process" in words for _state, words in found_of("rights"))


def test_a_lost_key_is_found_before_anybody_looks(installed, alices_submission, settings):
    assert state_of("keys") == State.FINE
    rewrite(Photo.objects.all(), sealed_by="gonegone")
    assert found_of("keys")[0][0] == State.FAULT


def test_a_photo_that_was_never_sealed_is_found(installed, alices_submission):
    rewrite(Photo.objects.all(), sealed_by="")
    assert found_of("keys") == [
        (State.FAULT, "1 photos are kept as they came, from before originals were sealed")
    ]


@pytest.mark.parametrize(
    ("is_on", "newest", "fails", "state"),
    [
        (False, None, False, State.FINE),
        (True, timezone.now(), False, State.FINE),
        (True, None, True, State.FAULT),
    ],
)
def test_a_log_that_postgresql_cannot_keep_is_found(installed, monkeypatch, is_on, newest, fails, state):
    """The server of the tests keeps none: what it would say is put in its place, and the question is asked once."""
    assert state_of("log") == State.FINE
    monkeypatch.setattr(doctor_data, "log_kept", lambda: (is_on, newest, fails))
    assert state_of("log") == state


def test_a_photo_that_does_not_open_is_found(installed, alices_submission, settings):
    name = settings.PHOTO_KEYS.newest
    settings.PHOTO_KEYS = encryption.Keys({name: os.urandom(encryption.KEY_BYTES)})
    assert found_of("keys") == [(State.FAULT, "the newest photo does not open")]


def test_a_clock_that_is_off_is_found(installed, monkeypatch):
    ahead = timezone.now() + timedelta(seconds=40)
    monkeypatch.setattr(doctor.timezone, "now", lambda: ahead)
    assert found_of("clock")[0][0] == State.FAULT


def test_a_mail_server_that_does_not_answer_is_found(installed, settings):
    settings.EMAIL_BACKEND = "teleder.accounts.mail_backends.SmtpBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT, settings.EMAIL_HOST_PASSWORD = "127.0.0.1", 1, "hidden"
    assert found_of("mail") == [(State.FAULT, "the mail server takes nothing (ConnectionRefusedError)")]


def test_photos_that_wait_without_a_worker_are_told(installed, alices_submission):
    assert state_of("workers") == State.FINE
    rewrite(Job.objects.all(), created_at=timezone.now() - timedelta(minutes=2))
    assert found_of("workers")[0][0] == State.FAULT


def test_a_clinic_with_nobody_on_call_is_noted(installed):
    assert state_of("people") == State.FINE
    DermatologistProfile.objects.update(on_call=False)
    assert state_of("people") == State.NOTE


def test_packages_other_than_the_locked_ones_are_named(installed, monkeypatch):
    assert state_of("versions") == State.FINE
    installed_before = doctor._installed
    monkeypatch.setattr(
        doctor, "_installed", lambda name: "0" if name == "celery" else installed_before(name)
    )
    assert "celery" in found_of("versions")[0][1]


def test_nothing_secret_is_printed(installed, settings, alices_submission, capsys):
    call_command("doctor")
    printed = capsys.readouterr().out
    database = settings.DATABASES["default"]
    secrets = (settings.SECRET_KEY, settings.REDIS_URL, database["PASSWORD"], database["HOST"], "example.com")
    assert not [secret for secret in secrets if secret and secret in printed]
