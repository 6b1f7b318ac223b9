"""The audit log: no change to it goes unnoticed."""

from __future__ import annotations

import pytest
from django.core.management import call_command
from django.db import ProgrammingError, connection, transaction

from teleder.audit import entries
from teleder.audit.models import Entry, Verb

pytestmark = pytest.mark.django_db


@pytest.fixture
def five(alice, dana) -> int:
    """Five entries; return the number before the first."""
    before = int(entries.head().partition(":")[0])
    for n in range(5):
        entries.write_entry(
            Verb.READ, f"web:review{n}", by=dana, kind="submission", pk=alice.pk, cases=[alice.pk]
        )
    return before


def tamper(*statements: str) -> None:
    """Run statements with the triggers disabled, which only the owner of the table can do."""
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE audit_entry DISABLE TRIGGER USER")
        for statement in statements:
            cursor.execute(statement)
        cursor.execute("ALTER TABLE audit_entry ENABLE TRIGGER USER")


def rehash(number: int) -> str:
    return f"UPDATE audit_entry SET hash = audit_digest(audit_entry) WHERE number = {number}"


def test_an_unchanged_log_has_no_faults(five):
    assert list(entries.faults(entries.head())) == []
    assert Entry.objects.filter(number__gt=five).count() == 5


@pytest.mark.parametrize(
    "statement", ["UPDATE audit_entry SET role = 'x'", "DELETE FROM audit_entry", "TRUNCATE audit_entry"]
)
def test_changes_are_refused_even_to_the_owner(five, statement):
    with (
        pytest.raises(ProgrammingError, match="append-only"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(statement)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_entry SET role = 'x'",
        "DELETE FROM audit_entry",
        "TRUNCATE audit_entry",
        "ALTER TABLE audit_entry DISABLE TRIGGER USER",
    ],
)
def test_the_application_may_not_change_the_log(five, statement):
    with connection.cursor() as cursor:
        cursor.execute("CREATE ROLE teleder_app_test")
        call_command("audit", "protect", "teleder_app_test")
        cursor.execute("SET LOCAL ROLE teleder_app_test")
        entries.write_entry(Verb.READ, "web:review")  # it may add entries
        with pytest.raises(ProgrammingError, match="permission denied|must be owner"), transaction.atomic():
            cursor.execute(statement)
        cursor.execute("RESET ROLE")


def test_the_role_of_the_application_is_created_with_a_password_and_without_superuser(five, monkeypatch):
    for password in ("it's one", "another"):
        monkeypatch.setenv("TELEDER_ROLE_PASSWORD", password)
        call_command("audit", "protect", "teleder_app_test")
    with connection.cursor() as cursor:
        cursor.execute("SELECT rolcanlogin, rolsuper FROM pg_roles WHERE rolname = 'teleder_app_test'")
        assert cursor.fetchone() == (True, False)
        cursor.execute("SET LOCAL ROLE teleder_app_test")
        with pytest.raises(ProgrammingError, match="permission denied"), transaction.atomic():
            cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute("RESET ROLE")


def test_an_owner_who_may_not_change_roles_can_still_protect_the_log(five, capsys):
    """On a managed server the command prints the statements that another role must run."""
    with connection.cursor() as cursor:
        cursor.execute("CREATE ROLE teleder_app_test")
        cursor.execute("CREATE ROLE teleder_owner_test")
        database = connection.settings_dict["NAME"]
        cursor.execute(f"ALTER DATABASE {database} OWNER TO teleder_owner_test")
        cursor.execute("ALTER SCHEMA public OWNER TO teleder_owner_test")
        for things in ("ALL TABLES IN SCHEMA public", "ALL SEQUENCES IN SCHEMA public"):
            cursor.execute(f"GRANT ALL ON {things} TO teleder_owner_test WITH GRANT OPTION")
        cursor.execute("GRANT ALL ON FUNCTION erase_submissions TO teleder_owner_test WITH GRANT OPTION")
        cursor.execute("SET LOCAL ROLE teleder_owner_test")
        call_command("audit", "protect", "teleder_app_test")
        cursor.execute("RESET ROLE")
        assert 'ALTER ROLE "teleder_app_test" SET "lock_timeout" = \'5s\'' in capsys.readouterr().out
        cursor.execute("SELECT has_table_privilege('teleder_app_test', 'audit_entry', 'INSERT')")
        assert cursor.fetchone() == (True,)
        cursor.execute("SELECT rolconfig FROM pg_roles WHERE rolname = 'teleder_app_test'")
        assert cursor.fetchone() == (None,)


def test_a_changed_entry_is_named(five):
    tamper(f"UPDATE audit_entry SET person = NULL WHERE number = {five + 2}")
    assert list(entries.faults()) == [f"entry {five + 2} was changed"]


def test_an_entry_that_was_changed_and_hashed_again_is_named(five):
    tamper(f"UPDATE audit_entry SET person = NULL WHERE number = {five + 2}", rehash(five + 2))
    assert list(entries.faults()) == [f"entry {five + 2} was changed and hashed again"]


def test_removed_entries_are_named(five):
    tamper(f"DELETE FROM audit_entry WHERE number IN ({five + 2}, {five + 3})")
    assert list(entries.faults()) == [f"entries {five + 2} to {five + 3} are missing"]


def test_a_kept_head_shows_entries_removed_at_the_end(five):
    kept = entries.head()
    tamper(f"DELETE FROM audit_entry WHERE number > {five + 3}")
    assert list(entries.faults()) == []
    assert list(entries.faults(kept)) == [f"entries {five + 4} to {five + 5} are missing at the end"]


def test_entries_that_were_swapped_are_named(five):
    first, second = five + 2, five + 3
    tamper(
        f"UPDATE audit_entry SET number = -1 WHERE number = {first}",
        f"UPDATE audit_entry SET number = {first} WHERE number = {second}",
        f"UPDATE audit_entry SET number = {second} WHERE number = -1",
    )
    assert list(entries.faults()) == [f"entry {n} was put in another place" for n in (first, second)]


def test_a_rewritten_chain_does_not_match_the_kept_head(five):
    kept = entries.head()
    statements = [f"UPDATE audit_entry SET person = NULL WHERE number = {five + 2}", rehash(five + 2)]
    for n in range(five + 3, five + 6):
        last = f"(SELECT hash FROM audit_entry WHERE number = {n - 1})"
        statements += [f"UPDATE audit_entry SET previous = {last} WHERE number = {n}", rehash(n)]
    tamper(*statements)
    assert list(entries.faults()) == []
    assert list(entries.faults(kept)) == [
        f"entry {five + 5} is not the one whose hash was kept: the chain was rewritten"
    ]


def test_an_entry_cannot_contain_text_that_people_write(alice):
    with pytest.raises(Exception, match="ids_and_names_only"), transaction.atomic():
        entries.write_entry(Verb.READ, "web:review", by=alice, kind="it itches")


def test_the_command_fails_and_names_what_was_changed(five, capsys):
    tamper(f"UPDATE audit_entry SET person = NULL WHERE number = {five + 2}")
    with pytest.raises(SystemExit):
        call_command("audit", "verify")
    assert f"entry {five + 2} was changed" in capsys.readouterr().out.splitlines()
    with pytest.raises(SystemExit):
        call_command("check_record")
    assert "BROKEN the audit log is as it was written" in capsys.readouterr().out.splitlines()


def test_the_head_is_mailed_to_the_address_in_the_settings(five, settings, mailoutbox):
    settings.AUDIT_MAIL = "keeper@example.com"
    call_command("audit", "head", "--mail")
    assert mailoutbox[0].body == entries.head()
