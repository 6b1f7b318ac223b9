"""The exact rights of two database roles: of web and results worker, and of jobs (exports, backups, checks of the record).

The owner of the tables calls `protect` for each after every migration. docs/threat-model.md shows the same tables.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from django.db import ProgrammingError, connection, transaction
from psycopg import sql

USUAL = "INSERT, UPDATE, DELETE"  # beside SELECT, on every table that is not named below
NONE = ""
RIGHTS = {
    "audit_entry": "INSERT",
    "cases_event": "INSERT, UPDATE (told_at)",
    "cases_review": "INSERT",
    "cases_submission": "INSERT, UPDATE",
    "cases_drawncrop": "INSERT, DELETE",
    "cases_drawncropfinding": "INSERT, DELETE",
    "accounts_clinic": "INSERT, UPDATE",
    "accounts_clinictext": "INSERT",
    "accounts_clinictextapproval": "INSERT",
    # An erasure empties these two; nothing fills them.
    "accounts_user_groups": "DELETE",
    "accounts_user_user_permissions": "DELETE",
    # The tables' owner makes backups.
    "backups_backup": NONE,
    # Only a migration writes these.
    "auth_group": NONE,
    "auth_group_permissions": NONE,
    "auth_permission": NONE,
    "django_content_type": NONE,
    "django_migrations": NONE,
}
# A job reads everything, and writes what it found of files and backups.
JOBS_RIGHTS = {
    "backups_backup": USUAL,
    "cases_damagedfile": "INSERT, UPDATE",
    "cases_photo": "UPDATE (files_read_at, display_sha256, analysis_sha256, thumbnail_sha256, veiled_sha256, full_sha256, full_key)",
    "cases_analysis": "UPDATE (mask_key, mask_sha256, attribution_key, attribution_sha256)",
}
OF_ALL = (
    "REVOKE TEMPORARY, CREATE ON DATABASE {database} FROM PUBLIC, {role}",
    "REVOKE CREATE ON SCHEMA public FROM PUBLIC, {role}",
    "GRANT USAGE ON SCHEMA public TO {role}",
    "REVOKE ALL ON ALL TABLES IN SCHEMA public FROM PUBLIC, {role}",
    "REVOKE ALL ON ALL SEQUENCES IN SCHEMA public FROM PUBLIC, {role}",
    "REVOKE ALL ON ALL ROUTINES IN SCHEMA public FROM {role}",
    # A restored dump has lost this: `pg_restore --no-privileges`.
    "REVOKE ALL ON FUNCTION public.erase_submissions(uuid[]) FROM PUBLIC",
)
OF_WEB = (
    "GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO {role}",
    "GRANT UPDATE ON SEQUENCE public.readiness_probe TO {role}",
    "GRANT EXECUTE ON FUNCTION public.erase_submissions(uuid[]) TO {role}",
)
OF_JOBS = ("GRANT SELECT ON ALL SEQUENCES IN SCHEMA public TO {role}",)  # pg_dump reads them
# What the role must not be able to do, and a query that returns whether it can.
EXCESS = {
    "is a superuser, makes roles or databases, replicates or skips row security": """
        SELECT rolsuper OR rolcreaterole OR rolcreatedb OR rolreplication OR rolbypassrls
        FROM pg_roles WHERE rolname = %(role)s""",
    "is a member of other roles": """
        SELECT EXISTS (SELECT FROM pg_auth_members WHERE member = quote_ident(%(role)s)::regrole)""",
    "makes temporary tables": "SELECT has_database_privilege(%(role)s, current_database(), 'TEMPORARY')",
    "makes schemas": "SELECT has_database_privilege(%(role)s, current_database(), 'CREATE')",
    "makes tables": "SELECT has_schema_privilege(%(role)s, 'public', 'CREATE')",
    "owns tables": """
        SELECT EXISTS (SELECT FROM pg_class
            WHERE relowner = quote_ident(%(role)s)::regrole AND relnamespace = 'public'::regnamespace)""",
    "changes signed answers, events or the audit log": """
        SELECT bool_or(has_table_privilege(%(role)s, 'public.' || name, 'UPDATE, DELETE, TRUNCATE, TRIGGER'))
        FROM unnest(ARRAY['audit_entry', 'cases_event', 'cases_review']) name""",
}

# On the role itself, so that they hold behind a transaction pooler, too, which refuses options at the start of a
# connection. Far above what a normal statement takes; a longer one ends with an error and frees its locks. Who waits for
# a lock gets 503 soon: otherwise one held lock would take every thread of the web.
TIME_OUTS = {
    "statement_timeout": "2min",
    "lock_timeout": "5s",
    "idle_in_transaction_session_timeout": "1min",
}


# A job reads whole tables. It waits for no lock for long, too: behind its wait others would wait.
JOBS_TIME_OUTS = {
    "statement_timeout": "1h",
    "lock_timeout": "30s",
    "idle_in_transaction_session_timeout": "10min",
}


class Rights(NamedTuple):
    """Of a kind of role: per table beside SELECT, those of tables that are not named, and what else it is granted."""

    tables: Mapping[str, str]
    usual: str
    statements: tuple[str, ...]
    time_outs: Mapping[str, str]


WEB = Rights(RIGHTS, USUAL, OF_WEB, TIME_OUTS)
JOBS = Rights(JOBS_RIGHTS, NONE, OF_JOBS, JOBS_TIME_OUTS)


class ExcessiveRightsError(Exception):
    """The role has more rights than it should; the message lists them."""


@transaction.atomic
def protect(role: str, password: str = "", given: Rights = WEB) -> None:
    """Grant the role its rights and revoke all others; create it, or set its password, where one is given.

    Changes nothing and raises ExcessiveRightsError where it would still have more, as the owner of the tables has.
    """
    with connection.cursor() as cursor:
        if password:
            cursor.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [role])
            verb = "ALTER" if cursor.fetchone() else "CREATE"
            statement = sql.SQL(verb + " ROLE {} LOGIN PASSWORD {}")
            cursor.execute(statement.format(sql.Identifier(role), sql.Literal(password)).as_string())
        cursor.execute("SELECT current_database()")
        names = {"role": sql.Identifier(role), "database": sql.Identifier(*cursor.fetchone())}
        for statement in (*OF_ALL, *given.statements):
            cursor.execute(sql.SQL(statement).format(**names).as_string())
        for table in connection.introspection.table_names(cursor):
            rights = ", ".join(filter(None, ("SELECT", given.tables.get(table, given.usual))))
            grant = sql.SQL("GRANT " + rights + " ON public.{table} TO {role}")
            cursor.execute(grant.format(table=sql.Identifier(table), **names).as_string())
    if found := list(excess(role)):
        raise ExcessiveRightsError(f"{role} {'; '.join(found)}")


def excess(role: str) -> Iterator[str]:
    """Yield a description of each right that the role has and should not have."""
    with connection.cursor() as cursor:
        for description, question in EXCESS.items():
            cursor.execute(question, {"role": role})
            if cursor.fetchone()[0]:
                yield description


def limit_times(role: str, given: Rights = WEB) -> list[str]:
    """Set the role's time-outs; return the statements instead where the owner of the tables may not change roles."""
    statements = [
        sql.SQL("ALTER ROLE {} SET {} = {}")
        .format(sql.Identifier(role), sql.Identifier(name), sql.Literal(value))
        .as_string()
        for name, value in given.time_outs.items()
    ]
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
    except ProgrammingError:
        return statements
    return []
