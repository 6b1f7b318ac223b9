"""What the database role of web and workers cannot do, tested in a session of that role."""

from __future__ import annotations

import psycopg
import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from teleder.audit import entries, rights
from teleder.audit.models import Entry, Verb
from tests.database_roles import allowed_of

# A temporary table with the name of the audit log, which contains the largest possible number.
SHADOW = (
    "CREATE TEMPORARY TABLE audit_entry (LIKE public.audit_entry)",
    """INSERT INTO pg_temp.audit_entry VALUES
        (9223372036854775806, now(), NULL, 'x', NULL, 'x', 'x', '', '', '{}', '', 0, '', 'x')""",
    """INSERT INTO public.audit_entry (role, verb, door, kind, object, cases, trace, status)
        VALUES ('x', 'read', 'x', '', '', '{}', '', 0)""",
)


def last_number() -> int:
    return int(entries.head().partition(":")[0])


def test_a_temporary_table_of_the_web_role_does_not_end_the_chain(as_web):
    entries.write_entry(Verb.READ, "web:review")
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="temporary tables"):
        as_web.execute(SHADOW[0])
    before = last_number()
    entries.write_entry(Verb.READ, "web:review")
    assert last_number() == before + 1
    assert list(entries.faults()) == []


def test_a_permitted_temporary_table_changes_nothing(as_web, web_role):
    entries.write_entry(Verb.READ, "web:review")
    with connection.cursor() as cursor:
        cursor.execute(f'GRANT TEMPORARY ON DATABASE {connection.settings_dict["NAME"]} TO "{web_role[0]}"')
    before = last_number()
    for statement in SHADOW:
        as_web.execute(statement)
    assert last_number() == before + 1
    entries.write_entry(Verb.READ, "web:review")
    assert last_number() == before + 2
    assert list(entries.faults()) == []


@pytest.mark.parametrize("shadowed", ["text", "uuid"])
def test_a_temporary_type_with_the_name_of_a_database_type_changes_nothing(as_web, web_role, shadowed):
    with connection.cursor() as cursor:
        cursor.execute(f'GRANT TEMPORARY ON DATABASE {connection.settings_dict["NAME"]} TO "{web_role[0]}"')
    as_web.execute(f"CREATE DOMAIN pg_temp.{shadowed} AS integer")
    as_web.execute(SHADOW[2])
    assert list(entries.faults()) == []


@pytest.mark.parametrize("zone", ["UTC+5", "UTC-14", "<UTC>-3", "Asia/Tokyo"])
def test_the_time_zone_of_a_session_does_not_change_the_hash(as_web, zone):
    as_web.execute("SELECT set_config('timezone', %s, false)", [zone])
    as_web.execute(SHADOW[2])
    assert list(entries.faults()) == []


@pytest.mark.parametrize("cases", ["{NULL}", "{{%s},{%s}}", "{%s,NULL}"])
def test_an_entry_whose_hash_python_could_not_check_is_refused(as_web, cases):
    statement = SHADOW[2].replace("'{}'", "%s")
    with pytest.raises(psycopg.Error, match="cases_are_a_plain_list|multidimensional"):
        as_web.execute(statement, [cases.replace("%s", "00000000-0000-7000-8000-000000000001")])
    assert list(entries.faults()) == []


def test_entries_are_written_to_the_real_table_despite_a_temporary_one(transactional_db):
    before = last_number()
    with connection.cursor() as cursor:
        cursor.execute("CREATE TEMPORARY TABLE audit_entry (LIKE public.audit_entry)")
        entries.write_entry(Verb.READ, "web:review")
        cursor.execute("DROP TABLE pg_temp.audit_entry")
    assert last_number() == before + 1


FORBIDDEN = [
    "UPDATE audit_entry SET role = 'x'",
    "DELETE FROM audit_entry",
    "TRUNCATE audit_entry",
    "ALTER TABLE audit_entry DISABLE TRIGGER USER",
    "DROP TRIGGER audit_append ON audit_entry",
    "CREATE OR REPLACE FUNCTION public.audit_append() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'",
    "CREATE FUNCTION public.now() RETURNS timestamptz LANGUAGE sql AS 'SELECT pg_catalog.now()'",
    "CREATE RULE quiet AS ON INSERT TO audit_entry DO INSTEAD NOTHING",
    "CREATE TRIGGER quiet BEFORE INSERT ON cases_event FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()",
    "UPDATE cases_review SET text = 'x'",
    "UPDATE cases_review SET signed_at = signed_at",
    "DELETE FROM cases_review",
    "TRUNCATE cases_review CASCADE",
    "SELECT * FROM cases_review FOR UPDATE",
    "UPDATE cases_event SET at = now()",
    "DELETE FROM cases_event",
    "TRUNCATE cases_event CASCADE",
    "DELETE FROM cases_submission",
    "DELETE FROM django_migrations",
    "INSERT INTO auth_group (name) VALUES ('x')",
    "CREATE TABLE public.x ()",
    "CREATE SCHEMA x",
    "CREATE ROLE x",
    "ALTER TABLE accounts_user DISABLE TRIGGER ALL",
    "SET session_replication_role = replica",
    "SET ROLE pg_write_server_files",
    "COPY cases_review TO '/tmp/x'",
    "COPY cases_review TO PROGRAM 'cat'",
    "SELECT pg_read_file('/etc/passwd')",
    "SELECT lo_export(1, '/tmp/x')",
]


def test_the_web_role_is_refused_statements_that_it_does_not_need(as_web):
    assert allowed_of(as_web, FORBIDDEN) == []


def test_the_web_role_has_the_rights_that_the_product_needs(web_role):
    with connection.cursor() as cursor:
        tables = connection.introspection.table_names(cursor)
        for table in tables:
            for right in ("SELECT", *filter(None, rights.RIGHTS.get(table, rights.USUAL).split(", "))):
                asked = "has_any_column_privilege" if "(" in right else "has_table_privilege"
                cursor.execute(f"SELECT {asked}(%s, %s, %s)", [web_role[0], table, right.split(" (")[0]])
                assert cursor.fetchone() == (True,), f"{right} on {table}"
    assert set(rights.RIGHTS) <= set(tables)


def test_rights_granted_by_hand_are_revoked(web_role):
    role = web_role[0]
    with connection.cursor() as cursor:
        for grant in (
            f'GRANT ALL ON cases_review, audit_entry, django_migrations TO "{role}"',
            f'GRANT UPDATE (text) ON cases_review TO "{role}"',
            "GRANT DELETE ON cases_event TO PUBLIC",
            "GRANT CREATE ON SCHEMA public TO PUBLIC",
            f"GRANT TEMPORARY ON DATABASE {connection.settings_dict['NAME']} TO PUBLIC",
            "GRANT EXECUTE ON FUNCTION erase_submissions TO PUBLIC",
        ):
            cursor.execute(grant)
        call_command("audit", "protect", role)
        assert list(rights.excess(role)) == []
        cursor.execute("SELECT has_column_privilege(%s, 'cases_review', 'text', 'UPDATE')", [role])
        assert cursor.fetchone() == (False,)
        cursor.execute("SELECT has_function_privilege('public', 'erase_submissions(uuid[])', 'EXECUTE')")
        assert cursor.fetchone() == (False,)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ('ALTER ROLE "{role}" SUPERUSER', "superuser"),
        ('ALTER ROLE "{role}" CREATEROLE', "makes roles"),
        ('GRANT pg_execute_server_program TO "{role}"', "member of other roles"),
        ('ALTER TABLE accounts_clinic OWNER TO "{role}"', "owns tables"),
    ],
)
def test_a_role_with_too_many_rights_is_refused(web_role, given, words):
    owner = connection.settings_dict["USER"]
    with connection.cursor() as cursor:
        cursor.execute(given.format(role=web_role[0]))
        try:
            with pytest.raises(CommandError, match=words):
                call_command("audit", "protect", web_role[0])
        finally:
            cursor.execute(f"ALTER TABLE accounts_clinic OWNER TO {owner}")


def test_the_owner_of_the_tables_is_refused_as_web_role(transactional_db, monkeypatch):
    monkeypatch.delenv("TELEDER_ROLE_PASSWORD", raising=False)
    with pytest.raises(CommandError, match="owns tables"):
        call_command("audit", "protect", connection.settings_dict["USER"])
    Entry.objects.count()  # the owner lost no right
