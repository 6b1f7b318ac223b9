"""Log lines name request, photo and job, and contain no text that a person wrote."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys

import pytest

from contract import environment, logs

CANARY = "TELEDER-PII-CANARY-7f3a"
UUID = "0197c9a4-6f0e-4d3b-9a51-2b6c1f0e8d77"
LINES = [logs.JSONLines(), logs.Text()]


def line(formatter: logging.Formatter, name: str, message: object, *args: object, error: bool = False) -> str:
    info = sys.exc_info() if error else None
    return formatter.format(logging.LogRecord(name, logging.ERROR, __file__, 1, message, args, info))


@pytest.mark.parametrize("formatter", LINES)
def test_an_exception_is_logged_with_types_and_places_and_without_its_message(formatter):
    try:
        try:
            raise LookupError(f"Failing row contains ({CANARY})")
        except LookupError as error:
            raise ValueError(CANARY) from error
    except ValueError:
        written = line(formatter, "teleder.cases", "it failed", error=True)
    assert CANARY not in written
    assert (
        "ValueError" in written
        and "LookupError" in written
        and "test_logs.py" in written
        and "it failed" in written
    )


@pytest.mark.parametrize("formatter", LINES)
@pytest.mark.parametrize(
    ("name", "message", "args"),
    [
        ("django.request", "Not Found: %s", [f"/invitation/{CANARY}"]),
        ("django.security.DisallowedHost", f"Invalid HTTP_HOST header: {CANARY!r}", []),
        (
            "celery.app.trace",
            "Task %(name)s[%(id)s] raised %(exc)s",
            [{"name": "t", "id": "1", "exc": CANARY}],
        ),
        ("celery.worker.consumer.consumer", "Received unregistered task: %s", [{"body": CANARY}]),
        ("other.package", ValueError(CANARY), []),
        ("other.package", "%d of %s", [CANARY]),
    ],
)
def test_arguments_of_library_log_lines_are_left_out(formatter, name, message, args):
    written = line(formatter, name, message, *args)
    assert CANARY not in written and name in written


def test_library_log_lines_keep_template_and_numbers():
    assert "took 7 rows from …" in line(LINES[1], "other.package", "took %d rows from %s", 7, "alice")


@pytest.mark.parametrize("formatter", LINES)
def test_a_line_break_cannot_forge_a_log_line(formatter):
    written = line(formatter, "teleder.web", "%s", "a\r\n2026-01-01 INFO forged\u2028\x1b[31m")
    assert len(written.splitlines()) == 1 and "\x1b" not in written


def test_a_json_line_has_the_current_ids():
    before = logs.current("trace")
    with logs.about(trace="t1", photo="p1"), logs.about(job="j1", nothing=""):
        row = json.loads(line(LINES[0], "teleder.cases", "sent"))
    assert (row["trace"], row["photo"], row["job"], row["message"]) == ("t1", "p1", "j1", "sent")
    assert "nothing" not in row and logs.current("trace") == before


@pytest.mark.parametrize("given", [UUID, UUID.replace("-", "")])
def test_a_uuid_is_accepted_as_a_trace_id(given):
    assert logs.trace_of(given) == given


@pytest.mark.parametrize("given", ["", None, "alice", "A" * 32, "a" * 32 + "\n", f"{UUID} x", 7, {"a": 1}])
def test_anything_else_is_replaced(given):
    assert logs.trace_of(given) != given and logs.TRACE.fullmatch(logs.trace_of(given))


# --- Secrets ----------------------------------------------------------------------------------------------
SECRETS = ["DATABASE_URL", "REDIS_URL", "TELEDER_EMAIL_URL", "TELEDER_PHOTO_KEYS", "TELEDER_SECRET_KEY"]
OF_EACH = {
    "DATABASE_URL": "postgresql://me:from-file@127.0.0.1:5432/x",
    "REDIS_URL": "redis://:from-file@127.0.0.1:6379/0",
    "TELEDER_EMAIL_URL": "smtps://me:from-file@mail.example:587",
    "TELEDER_PHOTO_KEYS": "ZnJvbS1maWxlLWZyb20tZmlsZS1mcm9tLWZpbGUtLi4=",
    "TELEDER_SECRET_KEY": "from-file",
    "TELEDER_SECRET_KEY_FALLBACKS": "from-file older",
}
ASK = """
import django; django.setup()
from django.conf import settings as s
found = [s.DATABASES["default"]["PASSWORD"], s.REDIS_URL, s.CACHES["default"]["LOCATION"], s.EMAIL_HOST_PASSWORD,
    s.SECRET_KEY, *s.SECRET_KEY_FALLBACKS, *(key.decode() for key in s.PHOTO_KEYS.by_name.values())]
print(all("from-file" in each or each == "older" for each in found), len(found))
"""
ASK_THE_WORKER = """
from inference_worker import tasks
print("from-file" in tasks.app.conf.broker_url and b"from-file" in next(iter(tasks.photo_keys().by_name.values())), 2)
"""


@pytest.mark.parametrize(("script", "count"), [(ASK, 8), (ASK_THE_WORKER, 2)], ids=["web", "worker"])
def test_every_secret_can_be_read_from_a_file(tmp_path, script, count):
    kept = {key: value for key, value in os.environ.items() if key not in OF_EACH}
    for name, value in OF_EACH.items():
        (tmp_path / name).write_text(value + "\n")
        kept[f"{name}_FILE"] = str(tmp_path / name)
    kept["DJANGO_SETTINGS_MODULE"] = "teleder.settings"
    done = subprocess.run(
        [sys.executable, "-c", script], env=kept, capture_output=True, text=True, check=False
    )
    assert done.stdout.split() == ["True", str(count)], done.stderr


@pytest.mark.parametrize("name", SECRETS)
@pytest.mark.parametrize("value", ["scheme://me:sesame/5@host/x", "scheme://me:sesame@host:sesame/x"])
def test_a_secret_that_cannot_be_read_is_not_quoted(name, value):
    """Python's own error would quote the text in place of the port, such as a password with a slash in it."""
    if name == "TELEDER_SECRET_KEY":
        pytest.skip("any text is a key")
    real = os.environ | {name: value, "DJANGO_SETTINGS_MODULE": "teleder.settings"}
    script = "import django; django.setup()"
    done = subprocess.run(
        [sys.executable, "-c", script], env=real, capture_output=True, text=True, check=False
    )
    assert done.returncode and name in done.stderr
    assert "sesame" not in done.stderr + done.stdout


@pytest.mark.parametrize(
    ("url", "completed"),
    [
        ("redis://web@valkey:6379/0", "redis://web:p%2Fw%40%23@valkey:6379/0"),
        (
            "postgresql://teleder_web@/teleder?host=%2Frun",
            "postgresql://teleder_web:p%2Fw%40%23@/teleder?host=%2Frun",
        ),
        ("redis://web:own@valkey:6379/0", "redis://web:own@valkey:6379/0"),
        ("redis://valkey:6379/0", "redis://valkey:6379/0"),
        ("", ""),
    ],
)
def test_an_address_without_a_password_gets_that_of_the_file_beside_it(tmp_path, monkeypatch, url, completed):
    (tmp_path / "password").write_text("p/w@#\n")
    monkeypatch.delenv("REDIS_URL_FILE", raising=False)
    monkeypatch.setenv("REDIS_URL", url)
    monkeypatch.setenv("REDIS_PASSWORD_FILE", str(tmp_path / "password"))
    assert environment.secret("REDIS_URL") == completed


def test_a_missing_file_is_named_by_its_setting(monkeypatch):
    monkeypatch.setenv("REDIS_URL_FILE", "/no/such/file")
    with pytest.raises(environment.InvalidSettingError, match="REDIS_URL_FILE"):
        environment.secret("REDIS_URL")
