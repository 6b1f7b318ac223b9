"""Django's settings of the database from one URL. Errors never quote the URL."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl

import dj_database_url
from psycopg import Connection, Error
from psycopg.conninfo import make_conninfo
from psycopg_pool import ConnectionPool

from contract import environment

# A thread holds one connection at a time, and a web process has four threads. An attempt to connect is given up no later
# than the request that waits for it, so that the next request tries at once: by default they get rarer for 5 minutes.
POOL = {"min_size": 1, "max_size": 8, "timeout": 5, "reconnect_timeout": 5}
ESCAPES = "in a user, password or name, / is written %2F, @ %40, # %23 and ? %3F"


def from_url(text: str, *, pooler: bool = False, name: str = "DATABASE_URL") -> dict[str, Any]:
    """Read `postgresql://user:password@host:port/name?sslmode=verify-full&…`, with libpq's connection options.

    `pooler`: a transaction pooler (pgbouncer) stands between, which gives each transaction another session: no cursor
    stays open on the server, and no options are sent when a connection begins. Django prepares no statements.
    Raises `environment.InvalidSettingError`.
    """
    parts = environment.address(name, text)
    if parts.scheme not in {"postgres", "postgresql"}:
        raise environment.InvalidSettingError(f"{name} must begin with postgresql://")
    if parts.fragment or {"/", "@"} & set(parts.path[1:]):
        raise environment.InvalidSettingError(f"{name} cannot be read as an address; {ESCAPES}")
    try:
        pairs = parse_qsl(parts.query, strict_parsing=True, keep_blank_values=True) if parts.query else []
    except ValueError:
        raise environment.InvalidSettingError(
            f"{name} must end with options as name=value; {ESCAPES}"
        ) from None
    if len(dict(pairs)) < len(pairs):
        raise environment.InvalidSettingError(f"{name} says an option twice")
    for option, value in pairs:
        try:
            make_conninfo(**{option: value})
        except Error:
            raise environment.InvalidSettingError(
                f"{name} has an option that PostgreSQL's client does not know"
            ) from None
    if pooler and "options" in dict(pairs):
        raise environment.InvalidSettingError(
            f"{name} has options=…, which pgbouncer refuses: set them with ALTER ROLE … SET, "
            "or remove TELEDER_DATABASE_POOLER=1"
        )
    return dj_database_url.parse(
        text, conn_max_age=60, conn_health_checks=True, disable_server_side_cursors=pooler
    )


def pooled(database: dict[str, Any]) -> dict[str, Any]:
    """Return the settings with a pool of connections for all threads of a process, given back after each request."""
    return {
        **database,
        "CONN_MAX_AGE": 0,
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": {**database.get("OPTIONS", {}), "pool": POOL},
    }


def replace_all_when_one_is_broken(pool: ConnectionPool | None) -> None:
    """After a restart of PostgreSQL every idle connection is broken: the first that is found so has all replaced.

    psycopg_pool replaces the one it found, pauses before it tries the next, each time for longer, and gives up after 5 s
    with four broken ones. Without a pool, as where a command imports the WSGI application, nothing is done.
    """
    if pool is None:
        return

    def check(connection: Connection) -> None:
        try:
            ConnectionPool.check_connection(connection)
        except Exception:
            pool.drain()
            raise

    pool._check = check  # Django passes its own and takes no other
