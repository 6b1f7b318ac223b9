"""What the database role of exports, backups and checks can do, tested in a session of that role."""

from __future__ import annotations

import os
import subprocess

import pytest
from django.core.management import call_command
from django.db import connection

from teleder.audit import rights
from teleder.backups import database
from tests.database_roles import allowed_of, session_of


@pytest.fixture
def jobs(transactional_db, monkeypatch):
    """Name and password of a real role of jobs."""
    role, password = f"jobs_of_{connection.settings_dict['NAME']}", "jobs-role-password"
    monkeypatch.setenv("TELEDER_ROLE_PASSWORD", password)
    call_command("audit", "protect", role, "--jobs")
    yield role, password
    with connection.cursor() as cursor:
        cursor.execute(f'DROP OWNED BY "{role}"')
        cursor.execute(f'DROP ROLE "{role}"')


@pytest.fixture
def as_jobs(jobs):
    with session_of(*jobs) as found:
        yield found


FORBIDDEN = [
    "INSERT INTO audit_entry (role, verb, door, kind, object, cases, trace, status) VALUES ('x', 'read', 'x', '', '', '{}', '', 0)",
    "UPDATE cases_submission SET urgency = 0",
    "UPDATE cases_photo SET original_key = 'x'",
    "DELETE FROM cases_photo",
    "DELETE FROM cases_damagedfile",
    "INSERT INTO cases_event DEFAULT VALUES",
    "UPDATE accounts_user SET password = 'x'",
    "DELETE FROM django_session",
    "SELECT public.erase_submissions('{}')",
    "SELECT setval('public.readiness_probe', 1)",
    "CREATE TABLE public.x ()",
    "CREATE TEMPORARY TABLE x ()",
    "CREATE ROLE x",
    "TRUNCATE backups_backup",
    "COPY cases_review TO '/tmp/x'",
    "SET session_replication_role = replica",
]


def test_the_role_of_jobs_is_refused_what_it_does_not_need(as_jobs):
    assert allowed_of(as_jobs, FORBIDDEN) == []


def test_the_role_of_jobs_reads_every_table(jobs):
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute("SELECT has_table_privilege(%s, %s, 'SELECT')", [jobs[0], table])
            assert cursor.fetchone() == (True,), table
    assert set(rights.JOBS_RIGHTS) <= set(connection.introspection.table_names())


def test_a_backup_of_that_role_is_whole(jobs, as_jobs, alice, monkeypatch):
    info = as_jobs.info
    monkeypatch.setattr(database, "_connection", lambda: as_jobs)
    content = b"".join(database.dump())
    assert database.can_be_read([content])
    listed = subprocess.run(
        [database.program("pg_restore"), "--list"],
        input=content,
        capture_output=True,
        check=True,
        env=os.environ,
    ).stdout.decode()
    assert "TABLE DATA public audit_entry" in listed and "TABLE DATA public accounts_user" in listed
    assert info.user == jobs[0]


def test_the_record_is_checked_with_that_role(jobs, dana, alices_submission, capsys):
    with connection.cursor() as cursor:
        cursor.execute(f'SET ROLE "{jobs[0]}"')
        try:
            call_command("check_record")
        finally:
            cursor.execute("RESET ROLE")
    assert "0 invariants broken" in capsys.readouterr().out


def test_the_role_of_jobs_has_time_outs_of_its_own(as_jobs):
    for name, value in rights.JOBS_TIME_OUTS.items():
        assert as_jobs.execute(f"SHOW {name}").fetchone() == (value,)
