"""/healthz, /readyz and /status report the true state to operators."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.core.cache import cache
from django.db import OperationalError, connection
from django.test import Client
from knox.models import AuthToken

from contract.storage import FileStorage, files
from teleder.accounts.models import User
from teleder.cases.models import Job
from teleder.probes import LAST_NUMBER

DATABASE = "the database does not take a write\n"
STORAGE = "the storage of photos does not take a file\n"


def asked(client: Client, address: str) -> tuple[int, str]:
    answer = client.get(address)
    return answer.status_code, answer.content.decode()


@pytest.fixture
def database_is_gone(db, monkeypatch) -> Iterator[None]:
    def away(*_args):
        raise OperationalError("gone")

    with monkeypatch.context() as patch:
        patch.setattr(connection, "cursor", away)
        yield


# --- Liveness --------------------------------------------------------------------------------------------
def test_a_process_without_database_broker_or_storage_is_alive(
    client, database_is_gone, valkey_is_gone, settings
):
    settings.PHOTO_STORAGE = FileStorage(Path("/dev/null/nowhere"))
    assert asked(client, "/healthz") == (200, "ok\n")


@pytest.mark.parametrize("address", ["/healthz", "/readyz", "/service-worker.js"])
def test_a_probe_ignores_the_session(client, dana, address, django_assert_max_num_queries):
    client.force_login(dana)
    client.cookies["teleder_language"] = "ja"
    before = User.objects.get().last_login
    with django_assert_max_num_queries(10) as asked_for:
        assert client.get(address, headers={"Authorization": "Token x"}).status_code == 200
    statements = " ".join(query["sql"] for query in asked_for)
    assert "django_session" not in statements and "accounts_user" not in statements
    assert User.objects.get().last_login == before


def test_a_probe_with_a_cookie_is_answered_without_a_database(client, dana, monkeypatch):
    client.force_login(dana)
    with monkeypatch.context() as patch:
        patch.setattr(connection, "cursor", lambda *_: pytest.fail("the database was asked"))
        assert asked(client, "/healthz") == (200, "ok\n")


@pytest.mark.parametrize("address", ["/healthz", "/readyz"])
def test_probes_work_by_plain_http_and_status_does_not(client, db, settings, address):
    settings.SECURE_SSL_REDIRECT = True
    assert client.get(address).status_code == 200
    assert client.get("/status").status_code == 301


# --- Readiness ---------------------------------------------------------------------------------------------
def test_it_is_ready_without_broker_and_workers(client, db, valkey_is_gone, settings):
    settings.REDIS_URL = "redis://127.0.0.1:9/0"
    assert asked(client, "/readyz") == (200, "ready\n")


def test_the_web_role_is_ready(client, acting_as_web):
    with acting_as_web():
        assert asked(client, "/readyz") == (200, "ready\n")


BROKEN = {
    "only reads": "SET default_transaction_read_only = on",
    "only reads in this transaction": "SET TRANSACTION READ ONLY",
    "has no room for new pages": "SET temp_file_limit = 0",
    "has lost the sequence": "DROP SEQUENCE public.readiness_probe",
    "has lost the audit log": "ALTER TABLE audit_entry RENAME TO audit_entry_lost",
}


@pytest.mark.parametrize("fault", BROKEN)
def test_it_is_not_ready_while_the_database(client, db, fault):
    with connection.cursor() as cursor:
        cursor.execute(BROKEN[fault])
        if fault == "only reads":  # a new transaction sees it; this test is within one
            cursor.execute("SET transaction_read_only = on")
    assert asked(client, "/readyz") == (503, DATABASE)
    assert asked(client, "/healthz") == (200, "ok\n")


@pytest.mark.django_db(transaction=True)
def test_it_is_not_ready_with_a_read_only_database(client):
    name = connection.settings_dict["NAME"]
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    try:
        connection.close()
        assert asked(client, "/readyz") == (503, DATABASE)
        assert asked(client, "/healthz") == (200, "ok\n")
    finally:
        with connection.cursor() as cursor:
            cursor.execute("SET transaction_read_only = off")
            cursor.execute("SET default_transaction_read_only = off")
            cursor.execute(f"ALTER DATABASE {name} RESET default_transaction_read_only")
        connection.close()
    assert asked(client, "/readyz") == (200, "ready\n")


def test_it_is_not_ready_when_the_audit_log_is_full(client, db):
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE audit_entry DISABLE TRIGGER USER")
        cursor.execute(
            f"INSERT INTO audit_entry VALUES ({LAST_NUMBER}, now(), NULL, '', NULL, '', '', '', '', '{{}}', '', 0, '', '')"
        )
    assert asked(client, "/readyz") == (503, "the audit log in the database accepts no more entries\n")
    assert asked(client, "/healthz") == (200, "ok\n")


def test_it_is_not_ready_without_a_database(client, database_is_gone):
    assert asked(client, "/readyz") == (503, DATABASE)


@pytest.mark.parametrize("fault", ["is a file", "is full"])
def test_it_is_not_ready_while_the_storage(client, db, settings, tmp_path, monkeypatch, fault):
    if fault == "is a file":
        settings.PHOTO_STORAGE = FileStorage(tmp_path / "file")
        settings.PHOTO_STORAGE.root.touch()
    else:

        def full(_descriptor):
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr(files.os, "fsync", full)
    assert asked(client, "/readyz") == (503, STORAGE)
    assert asked(client, "/healthz") == (200, "ok\n")


def test_both_faults_are_named(client, database_is_gone, settings):
    settings.PHOTO_STORAGE = FileStorage(Path("/dev/null/nowhere"))
    assert asked(client, "/readyz") == (503, DATABASE + STORAGE)


def test_repeated_probes_leave_no_data(client, transactional_db, settings):
    def size() -> int:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT sum(pg_relation_size(oid)) FROM pg_class WHERE relnamespace = 'public'::regnamespace"
            )
            return cursor.fetchone()[0]

    client.get("/readyz")
    before = size()
    for _ in range(300):
        client.get("/readyz")
    assert size() == before
    assert not list((settings.MEDIA_ROOT / "photos").iterdir())


# --- Status ------------------------------------------------------------------------------------------------
def test_status_has_the_data_of_the_board(client, adam, alices_submission):
    Job.objects.update(state="failed", worker="w", finished_at="2020-01-01T00:00:00Z")
    client.force_login(adam)
    found = client.get("/status").json()
    assert found["stages"][0] | {"oldest": None} == {
        "stage": "prepare",
        "name": "prepare photos",
        "queued": 0,
        "sent": 0,
        "started": 0,
        "failed": 1,
        "quarantined": 0,
        "done": 0,
        "oldest": None,
        "wait": None,
        "took": None,
        "per_minute": 0,
        "stopped": 1,
        "is_silent": False,
        "work": None,
        "batch": None,
    }
    (failed,) = found["waiting_jobs"]
    assert (failed["state"], failed["urgency"], failed["n"]) == ("failed", "routine", 1)
    assert found["submissions"]["waiting"] == 1
    assert found["results_waiting"] == 0
    assert found["messages"] == {"queued": 0, "failed": 0, "oldest": None}
    assert [alarm["words"] for alarm in found["alarms"]] == ["1 job has stopped."]
    assert found["sentence"] == "1 job has stopped."
    assert set(found) == {
        *("sentence", "stages", "results_waiting", "submissions", "workers", "messages", "alarms", "refused"),
        *("alarm_rate", "spot_checks", "waiting_jobs", "storage", "unseen", "cancelled"),
    }


def test_status_reports_an_unavailable_broker(client, adam, settings):
    settings.REDIS_URL = "redis://127.0.0.1:9/0"
    client.force_login(adam)
    found = client.get("/status").json()
    assert found["results_waiting"] is None
    assert found["sentence"] == "The message broker does not answer."


def test_status_accepts_an_admins_token(client, adam, dana, alice):
    cache.clear()
    for person, status in ((adam, 200), (dana, 403), (alice, 403)):
        bearing = {"Authorization": f"Token {AuthToken.objects.create(person)[1]}"}
        answer = client.get("/status", headers=bearing)
        assert answer.status_code == status
    for bearing in ({}, {"Authorization": "Token x"}):
        answer = client.get("/status", headers=bearing)
        assert (answer.status_code, answer["Content-Type"]) == (401, "application/problem+json")


def test_status_needs_the_second_factor(client, adam, settings):
    settings.STAFF_SECOND_FACTOR = True
    client.force_login(adam)
    session = client.session
    session["account_authentication_methods"] = [{"method": "password", "at": 0}]
    session.save()
    answer = client.get("/status")
    assert (answer.status_code, answer["Content-Type"]) == (403, "application/problem+json")


def test_status_excludes_the_work_of_other_clinics(client, noel, alices_submission):
    client.force_login(noel)
    assert client.get("/status").json()["submissions"]["waiting"] == 0
