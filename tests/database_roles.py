"""Sessions of a database role, and what it may do in them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import psycopg


@contextmanager
def session_of(role: str, password: str) -> Iterator[psycopg.Connection]:
    """Yield a separate connection, logged in as that role."""
    from django.db import connection

    owner = connection.settings_dict
    where = {"host": owner["HOST"], "port": owner["PORT"], "dbname": owner["NAME"]}
    with psycopg.connect(**where, user=role, password=password, autocommit=True) as found:
        yield found


def allowed_of(session: psycopg.Connection, statements: Iterable[str]) -> list[str]:
    """Return the statements that were not refused for want of a right."""
    allowed = []
    for statement in statements:
        try:
            session.execute(statement)
            allowed.append(statement)
        except psycopg.errors.InsufficientPrivilege:
            pass
    return allowed
