"""Django's settings of the database from one URL. Errors never quote the URL."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl

import dj_database_url
from psycopg import Error
from psycopg.conninfo import make_conninfo

from contract import environment

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
    _check_options(name, parts.query, pooler=pooler)
    return dj_database_url.parse(
        text, conn_max_age=60, conn_health_checks=True, disable_server_side_cursors=pooler
    )


def _check_options(name: str, query: str, *, pooler: bool) -> None:
    try:
        pairs = parse_qsl(query, strict_parsing=True, keep_blank_values=True) if query else []
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
