"""A database as a clinic would have it after years: examples (benchmarks/examples.py) multiplied by bulk SQL.

`python -m benchmarks.fill --submissions N` fills the empty, migrated database of the environment and prints what it made.
Each row is a copy of one that the product wrote itself, with ids, keys, people and times of its own, so that a column which
is new is filled too. Triggers and foreign keys sleep meanwhile (session_replication_role); the audit log's chain is hashed as
the database does it.
"""

from __future__ import annotations

import argparse
import json
import logging
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any

from benchmarks.audit_and_files import link_files, write_audit
from benchmarks.examples import Example, Maker

DAYS = 365  # over which the answered ones are spread
SHARE_OPEN = 0.02  # 20,000 of a million
SUBMISSIONS_PER_CASE = 5 / 4
CASES_PER_PATIENT = 8 / 5
CLINIC_SHARES = (70, 20, 8, 2)  # of 100 patients
READERS_PER_CLINIC = 10
LETTERS = "23456789ABCDEFGHJKMNPQRSTVWXYZ"
LATE = 1.1  # open ones are up to so many times their due time old: one in eleven is overdue
AI_SECONDS = 120  # how long the AI has been at those that wait for it


@dataclass(frozen=True)
class Filled:
    submissions: int
    open: int
    photos: int
    bytes: int  # of the database
    files: int


def fill(submissions: int, *, files: str = "open", share_open: float = SHARE_OPEN) -> Filled:
    """Fill an empty, migrated database. `files`: of which photos there are files ("open", "all", "none")."""
    from django.db import connection, transaction

    from teleder.notifications import outbox

    maker = Maker()
    examples = [(example, example.make()) for example in maker.examples()]
    while outbox.queue_messages() or outbox.deliver():
        pass
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute("SET LOCAL work_mem = '256MB'")
        _people(cursor, maker, submissions)
        _plan(cursor, examples, submissions, share_open)
        for table, source, replaced in TABLES:
            _multiply(cursor, table, source, replaced)
        write_audit(cursor)
        _move_sequences(cursor)
        linked = link_files(cursor, all_of_them=files == "all") if files != "none" else 0
        cursor.execute(
            "SELECT count(*) FILTER (WHERE is_open), (SELECT count(*) FROM bench_photo) FROM bench_plan"
        )
        is_open, photos = cursor.fetchone()
        for table in ("bench_photo", "bench_plan", "bench_case", "bench_person", "bench_reader"):
            cursor.execute(f"DROP TABLE {table}")
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")
        cursor.execute("SELECT pg_database_size(current_database())")
        return Filled(submissions, is_open, photos, cursor.fetchone()[0], linked)


# --- Who, and which submissions ---------------------------------------------------------------------------
def _people(cursor: Any, maker: Maker, submissions: int) -> None:
    """Make clinics, dermatologists and an admin by the product, and ids for patients and cases."""
    from drills.people import create
    from teleder.accounts.models import FIRST_CLINIC, Clinic

    names = [f"Clinic {number}" for number in range(1, len(CLINIC_SHARES))]
    clinics = [FIRST_CLINIC, *(Clinic.objects.create(name=name).pk for name in names)]
    cursor.execute("CREATE TABLE bench_reader (clinic uuid, place int, id uuid)")
    for number, clinic in enumerate(clinics):
        create(f"admin{number}@example.org", "admin", name="Admin", clinic_id=clinic)
        for place in range(READERS_PER_CLINIC):
            reader = create(f"reader{place}.{number}@example.org", "dermatologist", clinic_id=clinic)
            cursor.execute("INSERT INTO bench_reader VALUES (%s, %s, %s)", [clinic, place, reader.pk])
    cases = max(1, round(submissions / SUBMISSIONS_PER_CASE))
    patients = max(1, round(cases / CASES_PER_PATIENT))
    bounds = [sum(CLINIC_SHARES[: number + 1]) for number in range(len(CLINIC_SHARES))]
    cursor.execute(
        "CREATE TABLE bench_person AS SELECT n, uuidv7(n * interval '1 s' - interval '2 years') AS id, "
        "(%s::uuid[])[1 + (SELECT count(*) FROM unnest(%s::int[]) b WHERE b <= n %% 100)] AS clinic "
        "FROM generate_series(0, %s) n",
        [clinics, bounds[:-1], patients - 1],
    )
    cursor.execute("CREATE UNIQUE INDEX ON bench_person (n)")
    example = {"example": maker.patient.pk}
    common = {"id": "p.id", "clinic_id": "p.clinic", "email": "'patient' || p.n || '@example.org'"}
    common |= {"name": "'Patient ' || p.n", "user_id": "p.id", "person_id": "p.id"}
    source = "accounts_user t, bench_person p WHERE t.id = %(example)s"
    _multiply(cursor, "accounts_user", source, common, example)
    for table, column, more in (
        ("accounts_patientprofile", "user_id", {"birth_year": "1930 + p.n % 85"}),
        ("account_emailaddress", "user_id", {"id": None}),
        ("accounts_consent", "person_id", {"id": None}),
    ):
        source = f"{table} t, bench_person p WHERE t.{column} = %(example)s"
        _multiply(cursor, table, source, common | more, example)


def _plan(cursor: Any, examples: list[tuple[Example, Any]], submissions: int, share_open: float) -> None:
    """Decide which example each submission copies, of whom it is and when it was; `shift` moves all its times."""
    cursor.execute(
        "CREATE TABLE bench_example (id uuid, case_id uuid, low float, high float, is_open bool, age interval)"
    )
    reached = {True: 0.0, False: 0.0}
    for example, submission in examples:
        low = reached[example.is_open]
        reached[example.is_open] += example.weight
        age = timedelta(days=DAYS)
        if example.is_open:
            age = (submission.due_at - submission.submitted_at) * LATE
        if submission.ai_status == "waiting":
            age = timedelta(seconds=AI_SECONDS)
        row = [submission.pk, submission.case_id, low, reached[example.is_open], example.is_open, age]
        cursor.execute("INSERT INTO bench_example VALUES (%s, %s, %s, %s, %s, %s)", row)
    cases = max(1, round(submissions / SUBMISSIONS_PER_CASE))
    cursor.execute("SELECT count(*) FROM bench_person")
    patients = cursor.fetchone()[0]
    # A fixed order that looks like none: the multipliers have no factor in common with what they are taken modulo.
    cursor.execute(
        "CREATE TABLE bench_plan AS WITH drawn AS ("
        " SELECT n, n %% %(cases)s AS case_n, (n * 611953::bigint %% 999983) / 999983.0 < %(open)s AS is_open,"
        "  (n * 7919::bigint %% 100003) / 100003.0 AS u, (n * 104729::bigint %% 1000003) / 1000003.0 AS age"
        "  FROM generate_series(0, %(submissions)s - 1) n)"
        " SELECT d.n, d.case_n, e.id AS example, d.is_open, now() - d.age * e.age - s.created_at AS shift,"
        "  uuidv7(-(d.age * e.age)) AS id, d.n %% %(readers)s AS reader"
        " FROM drawn d JOIN bench_example e ON e.is_open = d.is_open AND d.u * %(top)s >= e.low AND d.u * %(top)s < e.high"
        " JOIN cases_submission s ON s.id = e.id",
        {
            "cases": cases,
            "open": share_open,
            "submissions": submissions,
            "readers": READERS_PER_CLINIC,
            "top": min(reached.values()),
        },
    )
    cursor.execute(
        "CREATE TABLE bench_case AS SELECT DISTINCT ON (l.case_n) l.case_n AS n, l.shift,"
        " uuidv7(-(now() - (s.created_at + l.shift))) AS id, p.id AS patient, p.clinic, e.case_id AS example"
        " FROM bench_plan l JOIN bench_example e ON e.id = l.example JOIN cases_submission s ON s.id = l.example"
        " JOIN bench_person p ON p.n = l.case_n %% %s ORDER BY l.case_n, s.created_at + l.shift",
        [patients],
    )
    cursor.execute("CREATE UNIQUE INDEX ON bench_case (n)")
    cursor.execute("ALTER TABLE bench_plan ADD case_id uuid, ADD patient uuid, ADD clinic uuid, ADD who uuid")
    cursor.execute(
        "UPDATE bench_plan l SET case_id = c.id, patient = c.patient, clinic = c.clinic, who = r.id"
        " FROM bench_case c JOIN bench_reader r ON r.clinic = c.clinic WHERE c.n = l.case_n AND r.place = l.reader"
    )
    cursor.execute(
        "CREATE TABLE bench_photo AS SELECT l.*, t.id AS photo_example,"
        " uuidv7(t.created_at + l.shift - now()) AS photo_id, row_number() OVER (ORDER BY l.n, t.id) AS photo_n"
        " FROM bench_plan l JOIN cases_photo t ON t.submission_id = l.example"
    )
    cursor.execute("DROP TABLE bench_example")
    for table in ("bench_person", "bench_case", "bench_plan", "bench_photo"):
        cursor.execute(f"ANALYZE {table}")


# --- Rows -------------------------------------------------------------------------------------------------
# Letters of a case number by its place: the alphabet has 30, and the multiplier has no factor in common with 30^8.
_SHUFFLED = "(p.n * 48271::bigint * 7 % 656100000000)"
_NUMBER = " || ".join(
    f"substr('{LETTERS}', (1 + {_SHUFFLED} / {30**place} % 30)::int, 1)" + (" || '-'" if place == 3 else "")
    for place in range(8)
)
_SOMEBODY = "CASE WHEN t.{0} IS NULL THEN NULL WHEN u.role = 'patient' THEN p.patient ELSE p.who END"
_OF_PHOTO = {"photo_id": "p.photo_id", "submission_id": "p.id"}
_COPIED = 100_000  # above the numbers of the examples' own rows
_EACH = 10  # numbers kept free for the rows of one submission or photo
TABLES: tuple[tuple[str, str, dict[str, str | None]], ...] = (
    (
        "cases_case",
        "bench_case p JOIN cases_case t ON t.id = p.example",
        {"id": "p.id", "number": _NUMBER, "patient_id": "p.patient", "clinic_id": "p.clinic"},
    ),
    (
        "cases_submission",
        "bench_plan p JOIN cases_submission t ON t.id = p.example",
        {
            "id": "p.id",
            "case_id": "p.case_id",
            "clinic_id": "p.clinic",
            "spot_check": "t.urgency = 0 AND t.status <> 'draft' AND p.n % 20 = 0",
            "claimed_by_id": "CASE WHEN t.claimed_by_id IS NULL THEN NULL ELSE p.who END",
            "claimed_at": "CASE WHEN t.claimed_at IS NULL THEN NULL ELSE now() END",
        },
    ),
    (
        "cases_photo",
        "bench_photo p JOIN cases_photo t ON t.id = p.photo_example",
        # Read by night, as each file of a running system is once a month.
        {"id": "p.photo_id", "submission_id": "p.id", "files_read_at": "now()"},
    ),
    (
        "cases_job",
        "bench_photo p JOIN cases_job t ON t.photo_id = p.photo_example",
        _OF_PHOTO | {"id": "uuidv7(t.created_at + p.shift - now())"},
    ),
    (
        "cases_analysis",
        "bench_photo p JOIN cases_analysis t ON t.photo_id = p.photo_example",
        _OF_PHOTO | {"id": f"{_COPIED} + p.photo_n"},
    ),
    (
        "cases_finding",
        "bench_photo p JOIN cases_analysis a ON a.photo_id = p.photo_example JOIN cases_finding t ON t.analysis_id = a.id",
        {"id": None, "analysis_id": f"{_COPIED} + p.photo_n"},
    ),
    (
        "cases_event",
        "bench_plan p JOIN (SELECT e.*, row_number() OVER (PARTITION BY submission_id ORDER BY id) AS place FROM cases_event e)"
        " t ON t.submission_id = p.example LEFT JOIN accounts_user u ON u.id = t.actor_id",
        {
            "id": f"{_COPIED} + p.n * {_EACH}::bigint + t.place",
            "submission_id": "p.id",
            "actor_id": _SOMEBODY.format("actor_id"),
        },
    ),
    (
        "cases_review",
        "bench_plan p JOIN cases_review t ON t.submission_id = p.example",
        {"id": "uuidv7(t.signed_at + p.shift - now())", "submission_id": "p.id", "author_id": "p.who"},
    ),
    (
        "notifications_message",
        "bench_plan p JOIN (SELECT e.id AS event, e.at, e.submission_id, e.kind,"
        " row_number() OVER (PARTITION BY submission_id ORDER BY id) AS place FROM cases_event e) x"
        " ON x.submission_id = p.example JOIN notifications_message t ON t.event_id = x.event",
        {"id": None, "event_id": f"{_COPIED} + p.n * {_EACH}::bigint + x.place", "person_id": "p.patient"},
    ),
)


def _multiply(
    cursor: Any, table: str, source: str, replaced: dict[str, str | None], values: dict | None = None
) -> None:
    """Copy rows `t` of a table, as often as `source` names them; a column replaced by None takes its default.

    Times move by `p.shift`, and keys of files lie below their new photo.
    """
    cursor.execute(
        "SELECT column_name, data_type FROM information_schema.columns"
        " WHERE table_schema = 'public' AND table_name = %s AND is_generated = 'NEVER'",
        [table],
    )
    names, taken = [], []
    for name, kind in cursor.fetchall():
        expression = replaced.get(name, f't."{name}"')
        if name not in replaced and kind.startswith("timestamp") and "bench_person" not in source:
            expression = f't."{name}" + p.shift'
        if name not in replaced and name.endswith("_key") and "bench_photo" in source:
            expression = f"replace(t.{name}, p.photo_example::text, p.photo_id::text)"
        if expression is not None:
            names.append(f'"{name}"')
            taken.append(expression)
    statement = f"INSERT INTO {table} ({', '.join(names)}) SELECT {', '.join(taken)} FROM {source}"  # noqa: S608
    cursor.execute(statement.replace("%", "%%").replace("%%(", "%("), values or {})


def _move_sequences(cursor: Any) -> None:
    for table in ("cases_analysis", "cases_event"):
        cursor.execute(
            f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), (SELECT max(id) FROM {table}))"  # noqa: S608
        )


def main() -> None:
    import django

    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--submissions", type=int, default=1_000_000)
    parser.add_argument("--share-open", type=float, default=SHARE_OPEN, help="of them wait for an answer")
    parser.add_argument("--files", choices=("open", "all", "none"), default="open")
    options = parser.parse_args()
    django.setup()
    logging.disable(logging.WARNING)
    print(json.dumps(asdict(fill(options.submissions, files=options.files, share_open=options.share_open))))


if __name__ == "__main__":
    main()
