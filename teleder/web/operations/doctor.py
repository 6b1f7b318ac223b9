"""`manage.py doctor`: is this installation complete? Every part that can be missing, with what to do about it.

The board says what goes wrong while the system runs; this asks whether it was set up right, also where nobody can log in
yet. What it returns names no person, address, key or password: it is made to be sent to whoever helps.
"""

from __future__ import annotations

import platform
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from importlib import metadata
from pathlib import Path

import pylopdf_fonts_jp
import redis
from django.conf import settings
from django.core import mail
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone

from contract import messaging
from teleder.accounts.models import Role, User
from teleder.audit import rights
from teleder.cases.models import Job
from teleder.pipeline.transitions import UNFINISHED
from teleder.web.operations import doctor_data
from teleder.web.operations.findings import Finding, Found, State, ago

LOCK = Path(__file__).parents[3] / "requirements-web.lock"
PYTHON = ((3, 11), (3, 13))
POSTGRES = 18  # the tests run on it
CLOCK_SECONDS = 2.0
QUIET_SECONDS = 60
EXTENSION = "pg_trgm"
# What no role of docker/valkey.conf may do.
FORBIDDEN = ("CONFIG", "GET", "save")


def examine() -> Iterator[Finding]:
    """Yield one or more findings for each part; a check that fails itself is a fault of its part."""
    for part, check in CHECKS.items():
        try:
            yield from (Finding(part, *found) for found in check())
        except DatabaseError as error:
            yield Finding(
                part,
                State.FAULT,
                f"the database did not answer this question ({type(error).__name__})",
                "Look at the line of the database first.",
            )


def _versions() -> Found:
    version = sys.version_info[:2]
    if not PYTHON[0] <= version <= PYTHON[1]:
        yield State.FAULT, f"Python {platform.python_version()}", "Use Python 3.11, 3.12 or 3.13."
    # A line with a marker belongs to some versions of Python only.
    lines = [line.split() for line in LOCK.read_text().splitlines() if "==" in line and ";" not in line]
    wanted = dict(words[0].split("==") for words in lines)
    other = [name for name, pin in wanted.items() if _installed(name) != pin]
    if other:
        yield (
            State.FAULT,
            f"{len(other)} of {len(wanted)} packages are not the locked ones: {', '.join(sorted(other)[:5])}",
            "Install requirements-web.lock, or build the image again.",
        )
    else:
        yield State.FINE, f"Python {platform.python_version()}, {len(wanted)} packages as locked"


def _installed(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""


def _database() -> Found:
    with connection.cursor() as cursor:
        cursor.execute("SHOW server_version_num")
        number = int(cursor.fetchone()[0])
        cursor.execute("SHOW server_encoding")
        (encoding,) = cursor.fetchone()
        cursor.execute("SELECT EXISTS (SELECT FROM pg_extension WHERE extname = %s)", [EXTENSION])
        (has_extension,) = cursor.fetchone()
    if number < POSTGRES * 10000:
        yield (
            State.NOTE,
            f"PostgreSQL {number // 10000}",
            f"The tests run on {POSTGRES}: upgrade when you can.",
        )
    if encoding != "UTF8":
        yield State.FAULT, f"encoding {encoding}", "Make the database anew with ENCODING 'UTF8'."
    migrations = MigrationExecutor(connection)
    if plan := migrations.migration_plan(migrations.loader.graph.leaf_nodes()):
        yield State.FAULT, f"{len(plan)} migrations are not applied", "Run `manage.py migrate`."
    elif not has_extension:
        yield (
            State.FAULT,
            f"the extension {EXTENSION} is missing",
            f"As the database's superuser: CREATE EXTENSION {EXTENSION};",
        )
    else:
        yield State.FINE, f"PostgreSQL {number // 10000}.{number % 10000}, all migrations applied"


def _rights() -> Found:
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_user")
        (role,) = cursor.fetchone()
        cursor.execute(
            "SELECT name, setting FROM pg_settings WHERE name = ANY(%s) AND setting = '0'",
            [list(rights.TIME_OUTS)],
        )
        unlimited = [name for name, _ in cursor.fetchall()]
    remedy = "Run `manage.py audit protect ROLE` as the tables' owner, and give web and workers that role."
    if too_much := list(rights.excess(role)):
        yield State.NOTE, f"the role of this process {'; '.join(too_much)}", remedy
    if unlimited:
        yield State.NOTE, f"the role has no {', '.join(sorted(unlimited))}", remedy
    if not (too_much or unlimited):
        yield State.FINE, "the role has no more rights than it needs, and its time-outs"


def _broker() -> Found:
    client = messaging.client(settings.REDIS_URL, "request")
    try:
        client.ping()
        client.execute_command(*FORBIDDEN)
    except redis.exceptions.NoPermissionError:
        yield State.FINE, "Valkey answers; the role may not change its settings"
    except redis.exceptions.AuthenticationError:
        yield (
            State.FAULT,
            "Valkey refuses this role or its password",
            "Compare REDIS_URL and REDIS_PASSWORD with what Valkey was given (docker/secrets.sh).",
        )
    except redis.RedisError as error:
        yield (
            State.FAULT,
            f"Valkey does not answer ({type(error).__name__})",
            "Start it, and see that REDIS_URL leads to it. Nothing is lost meanwhile.",
        )
    else:
        yield (
            State.NOTE,
            "this process may do everything in Valkey",
            "Give each process the role of docker/valkey.conf (docs/running.md, Valkey).",
        )


def _clock() -> Found:
    with connection.cursor() as cursor:
        before = timezone.now()
        cursor.execute("SELECT clock_timestamp()")
        (there,) = cursor.fetchone()
    off = abs((there - before).total_seconds())
    if off > CLOCK_SECONDS:
        yield (
            State.FAULT,
            f"this machine's clock and the database's differ by {off:.0f} s",
            "Let both follow a time server (NTP).",
        )
    else:
        yield State.FINE, f"within {CLOCK_SECONDS:.0f} s of the database's"


def _fonts() -> Found:
    if pylopdf_fonts_jp.sans_path().is_file():
        yield State.FINE, "the Japanese font of documents is there"
    else:
        yield State.FAULT, "the Japanese font of documents is missing", "Install requirements-web.lock again."


def _mail() -> Found:
    backend = mail.get_connection()
    if "smtp" not in settings.EMAIL_BACKEND.lower():
        yield (
            State.NOTE,
            "mail is not sent: it goes to a file or to the log",
            "Set TELEDER_EMAIL_URL=smtps://… to your mail server.",
        )
        return
    try:
        backend.open()
    except OSError as error:  # smtplib's errors are
        yield (
            State.FAULT,
            f"the mail server takes nothing ({type(error).__name__})",
            "Compare TELEDER_EMAIL_URL with the server's name, port, user and password.",
        )
    else:
        backend.close()
        yield State.FINE, "the mail server takes our connection"


def _workers() -> Found:
    since = timezone.now() - timedelta(seconds=QUIET_SECONDS)
    waiting = Job.objects.filter(state__in=UNFINISHED, created_at__lt=since)
    stages = sorted(set(waiting.order_by().values_list("stage", flat=True)))
    busy = set(Job.objects.filter(finished_at__gte=since).order_by().values_list("stage", flat=True))
    if still := [stage for stage in stages if stage not in busy]:
        yield (
            State.FAULT,
            f"photos wait for longer than a minute, and no worker finished one: {', '.join(still)}",
            "Start the workers and the sweeper (docs/running.md, Processes); the operations page says which one.",
        )
        return
    newest = Job.objects.filter(finished_at__isnull=False).order_by("-finished_at").first()
    yield State.FINE, f"no photo waits long; the last one was finished {ago(newest and newest.finished_at)}"


def _people() -> Found:
    active = User.objects.filter(is_active=True)
    if not active.filter(role=Role.ADMIN).exists():
        yield State.FAULT, "there is no admin", "Run `manage.py createsuperuser` as the tables' owner."
        return
    doctors = active.filter(role=Role.DERMATOLOGIST)
    if not doctors.exists():
        yield State.FAULT, "there is no dermatologist: nobody can answer", "Invite one (People)."
        return
    on_call = doctors.filter(dermatologist__on_call=True)
    if doctors.exclude(clinic__in=on_call.values("clinic")).exists():
        yield (
            State.NOTE,
            "in a clinic nobody is on call: urgent cases call everybody",
            "Set who is on call (People).",
        )
    else:
        yield State.FINE, "there are admins, dermatologists and somebody on call"


CHECKS: dict[str, Callable[[], Found]] = {
    "versions": _versions,
    "database": _database,
    "rights": _rights,
    "broker": _broker,
    "storage": doctor_data.storage,
    "keys": doctor_data.keys,
    "backup": doctor_data.backup,
    "log": doctor_data.log,
    "clock": _clock,
    "fonts": _fonts,
    "mail": _mail,
    "workers": _workers,
    "people": _people,
}
