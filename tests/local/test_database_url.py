"""DATABASE_URL: its options reach the driver, and errors in it are reported without quoting it."""

from __future__ import annotations

import importlib

import pytest
from django.core.exceptions import ImproperlyConfigured

from contract.environment import InvalidSettingError
from local import processes
from teleder import database

SECRET = "sesame-81c"


@pytest.mark.parametrize(
    ("query", "options"),
    [
        ("sslmode=require", {"sslmode": "require"}),
        (
            "sslmode=verify-full&sslrootcert=%2Fetc%2Fca.pem",
            {"sslmode": "verify-full", "sslrootcert": "/etc/ca.pem"},
        ),
        ("sslcert=/c.pem&sslkey=/k.pem", {"sslcert": "/c.pem", "sslkey": "/k.pem"}),
        ("connect_timeout=5", {"connect_timeout": 5}),
        ("options=-c%20statement_timeout%3D5s", {"options": "-c statement_timeout=5s"}),
        ("application_name=web&target_session_attrs=read-write", None),
        ("", {}),
    ],
)
def test_options_reach_the_driver(query, options):
    found = database.from_url(f"postgresql://me:{SECRET}@db.example:6000/teleder?{query}")
    assert (found["HOST"], found["PORT"], found["NAME"]) == ("db.example", 6000, "teleder")
    if options is not None:
        assert found.get("OPTIONS", {}) == options


@pytest.mark.parametrize(
    ("url", "parts"),
    [
        ("postgres://me:a%2Fb%40c%23d@h/d", ("me", "a/b@c#d", "h", "", "d")),
        ("postgresql://%E6%82%A3%E8%80%85:x@[::1]:5433/d", ("患者", "x", "::1", 5433, "d")),
        ("postgresql://me@%2Fvar%2Frun%2Fpostgresql/d", ("me", "", "/var/run/postgresql", "", "d")),
        ("postgresql:///d", ("", "", "", "", "d")),
    ],
)
def test_names_passwords_and_hosts_are_read_as_written(url, parts):
    found = database.from_url(url)
    assert tuple(found[each] for each in ("USER", "PASSWORD", "HOST", "PORT", "NAME")) == parts


@pytest.mark.parametrize(
    "url",
    [
        f"mysql://me:{SECRET}@h/d",
        f"sqlite:///{SECRET}",
        f"me:{SECRET}@h/d",
        f"postgresql://me:{SECRET}/x@h/d",
        f"postgresql://me:12/{SECRET}@h/d",
        f"postgresql://me:12#{SECRET}@h/d",
        f"postgresql://me:12?{SECRET}@h/d",
        f"postgresql://me:12?{SECRET}=@h/d",
        f"postgresql://me:{SECRET}@h:port/d",
        f"postgresql://me:{SECRET}@[::1/d",
        f"postgresql://me:{SECRET}@h/d?sslmode",
        f"postgresql://me:{SECRET}@h/d?ssl_mode=require",
        f"postgresql://me:{SECRET}@h/d?sslmode=require&sslmode=disable",
        f"postgresql://me:{SECRET}@h/d?ENGINE=x",
        "",
        " ",
    ],
)
def test_an_invalid_url_is_reported_and_not_quoted(url):
    with pytest.raises(InvalidSettingError) as refused:
        database.from_url(url)
    assert str(refused.value).startswith("DATABASE_URL ") and SECRET not in str(refused.value)
    assert refused.value.__suppress_context__ or refused.value.__context__ is None


def test_a_pooler_gets_no_cursors_and_no_startup_options():
    url = f"postgresql://me:{SECRET}@h/d"
    assert not database.from_url(url)["DISABLE_SERVER_SIDE_CURSORS"]
    assert database.from_url(url, pooler=True)["DISABLE_SERVER_SIDE_CURSORS"]
    with pytest.raises(InvalidSettingError, match="ALTER ROLE"):
        database.from_url(f"{url}?options=-c%20lock_timeout%3D5s", pooler=True)


@pytest.fixture
def settings_of(monkeypatch):
    """The database's settings for an environment and a command line."""
    settings = importlib.import_module("teleder.settings.environment")

    def read(*arguments: str, **environment: str) -> dict:
        monkeypatch.setattr(settings.sys, "argv", ["manage.py", *arguments])
        for name in ("DATABASE_DIRECT_URL", "TELEDER_DATABASE_POOLER"):
            monkeypatch.delenv(name, raising=False)
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        return settings.database_settings()

    return read


@pytest.mark.parametrize(
    ("arguments", "host", "cursors_off"),
    [
        (["migrate"], "direct", False),
        (["createsuperuser"], "direct", False),
        (["audit", "protect", "web"], "direct", False),
        (["audit", "verify"], "pooler", True),
        (["sweep"], "pooler", True),
        ([], "pooler", True),
    ],
)
def test_migrations_and_rights_bypass_pgbouncer(settings_of, arguments, host, cursors_off):
    urls = {"DATABASE_URL": "postgresql://pooler/d", "DATABASE_DIRECT_URL": "postgresql://direct/d"}
    found = settings_of(*arguments, **urls, TELEDER_DATABASE_POOLER="1")
    assert (found["HOST"], found["DISABLE_SERVER_SIDE_CURSORS"]) == (host, cursors_off)


def test_the_settings_name_the_invalid_url(settings_of):
    urls = {"DATABASE_URL": "postgresql://pooler/d", "DATABASE_DIRECT_URL": f"mysql://me:{SECRET}@h/d"}
    with pytest.raises(ImproperlyConfigured, match="^DATABASE_DIRECT_URL") as error:
        settings_of("migrate", **urls)
    assert SECRET not in str(error.value)


@pytest.mark.parametrize(
    ("owned", "left"),
    [
        ("owner:o@h:5433/d?sslmode=require&connect_timeout=3", "h:5433/d?sslmode=require&connect_timeout=3"),
        ("owner:o@h/d", "h/d"),
        ("owner@[::1]:5433/d", "[::1]:5433/d"),
        ("owner:o@%2Fvar%2Frun%2Fpostgresql/d", "%2Fvar%2Frun%2Fpostgresql/d"),
        ("h/d?sslmode=require", "h/d?sslmode=require"),
    ],
)
def test_the_webs_url_differs_only_in_user_and_password(monkeypatch, owned, left):
    monkeypatch.setattr(processes.subprocess, "run", lambda *_, **__: None)
    found = processes.restricted({"DATABASE_URL": f"postgresql://{owned}"})["DATABASE_URL"]
    assert found.startswith("postgresql://teleder_web:") and found.endswith(f"@{left}")
    assert database.from_url(found)["USER"] == "teleder_web"


def test_jobs_log_in_as_a_role_of_their_own_with_a_new_password(monkeypatch):
    calls = []
    monkeypatch.setattr(
        processes.subprocess, "run", lambda *given, **more: calls.append((given[0], more["env"]))
    )
    found = processes.for_jobs({"DATABASE_URL": "postgresql://owner:o@h:5433/d"})["DATABASE_URL"]
    again = processes.for_jobs({"DATABASE_URL": "postgresql://owner:o@h:5433/d"})["DATABASE_URL"]
    assert found.startswith("postgresql://teleder_jobs:") and found.endswith("@h:5433/d") and found != again
    command, environment = calls[0]
    assert command[1:] == ["manage.py", "audit", "protect", "teleder_jobs", "--jobs"]
    assert database.from_url(found)["PASSWORD"] == environment["TELEDER_ROLE_PASSWORD"]
