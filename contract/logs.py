"""Log lines of every process: what happened, to which request, photo and job, and nothing that a person wrote.

Two rules hold for every line, as no caller can be trusted to think of them each time. An exception is logged with its
types and places, never with its message: PostgreSQL quotes whole rows there. A line of a library (Django, Celery) is
logged with its template only: URLs hold tokens, and messages hold arguments. Our own lines are logged as written.

`TELEDER_LOG_FORMAT=json` writes a JSON object a line, with `at`, `level`, `logger`, `message`, the ids in force
(`trace`, `photo`, `job`) and `error`; `text` (the default) is for reading.
"""

from __future__ import annotations

import json
import logging
import logging.config
import os
import re
import traceback
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

from contract.environment import InvalidSettingError

OURS = ("contract", "teleder", "inference_worker", "decoding")
QUOTING = ("django.security",)  # its lines are an exception's message
HIDDEN = "…"
SHOWN_OF_A_TASK = {"id", "name", "runtime"}
TRACE = re.compile(r"[0-9a-f]{32}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
BREAKING = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
TRACE_HEADER = "trace"  # of a message: beside the contract, so that any version of a worker can read the rest

_ids: ContextVar[Mapping[str, str]] = ContextVar("ids", default={})  # noqa: B039  (never changed in place)


# --- The ids of a line ------------------------------------------------------------------------------------
@contextmanager
def about(**ids: str) -> Iterator[None]:
    """Name these ids in every line of the block; an empty one is left out."""
    token = _ids.set({name: value for name, value in {**_ids.get(), **ids}.items() if value})
    try:
        yield
    finally:
        _ids.reset(token)


def current(name: str) -> str:
    """Return the id of this name that is in force, or nothing."""
    return _ids.get().get(name, "")


def trace_of(given: Any) -> str:
    """Return the given trace id if it is a UUID, which can hold nothing else; else a new one."""
    return given if isinstance(given, str) and TRACE.fullmatch(given) else uuid.uuid4().hex


# --- The text of a line -----------------------------------------------------------------------------------
def describe_error(error: BaseException | None) -> list[str]:
    """Return types and places of an exception and of its causes: no message, no value, no line of code."""
    lines = []
    while error is not None:
        # PostgreSQL's code and constraint hold no value.
        diagnosis = getattr(error, "diag", None)
        found = [getattr(diagnosis, name, None) for name in ("sqlstate", "constraint_name")]
        lines.append(" ".join([type(error).__name__, *(str(each) for each in found if each)]))
        frames = traceback.walk_tb(error.__traceback__)
        lines += [f"  {frame.f_code.co_filename}:{line} {frame.f_code.co_name}" for frame, line in frames]
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return lines


def message_of(record: logging.LogRecord) -> str:
    """Return a record's message in one line."""
    if record.name.split(".")[0] in OURS:
        message = record.getMessage()
    elif not isinstance(record.msg, str) or record.name.startswith(QUOTING):
        message = HIDDEN
    else:
        message = _filled(record.msg, record.args)
    return BREAKING.sub(lambda found: found[0].encode("unicode_escape").decode(), message)


def _filled(template: str, arguments: Any) -> str:
    if not arguments:
        return template
    if isinstance(arguments, Mapping):
        shown: Any = {
            name: value if name in SHOWN_OF_A_TASK else _shown(value) for name, value in arguments.items()
        }
    else:
        shown = tuple(map(_shown, arguments))
    try:
        return template % shown
    except (TypeError, ValueError, KeyError):
        return template


def _shown(value: Any) -> Any:
    return value if isinstance(value, int | float) else HIDDEN


class JSONLines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        row: dict[str, Any] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": message_of(record),
            **_ids.get(),
        }
        if record.exc_info:
            row["error"] = describe_error(record.exc_info[1])
        return json.dumps(row, ensure_ascii=False)


class Text(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created, UTC).isoformat(" ", "milliseconds")
        ids = "".join(f" {name}={value}" for name, value in _ids.get().items())
        lines = [f"{at} {record.levelname} {record.name} {message_of(record)}{ids}"]
        if record.exc_info:
            lines += describe_error(record.exc_info[1])
        return "\n  ".join(lines)


FORMATS = {"json": JSONLines, "text": Text}


def configuration() -> dict[str, Any]:
    """Return what `logging.config.dictConfig` takes; Django's own handlers are removed.

    They would write tracebacks with their messages, or mail them with the whole request.
    """
    silent = {"handlers": [], "propagate": True}
    named = os.environ.get("TELEDER_LOG_FORMAT", "text")
    if named not in FORMATS:
        raise InvalidSettingError(f"TELEDER_LOG_FORMAT must be one of {', '.join(FORMATS)}")
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": {"()": FORMATS[named]}},
        "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
        "root": {"handlers": ["console"], "level": os.environ.get("TELEDER_LOG_LEVEL", "INFO")},
        "loggers": {
            "django": silent | {"level": "INFO"},
            "django.request": silent | {"level": "ERROR"},  # web/request_log.py has a line for each request
            "django.server": silent | {"level": "WARNING"},
            "celery.beat": silent | {"level": "WARNING"},  # it has a line for each sign of life
            "celery.app.trace": silent | {"level": "WARNING"},  # our own lines name photo and job
            "celery.worker.strategy": silent | {"level": "WARNING"},
            "_granian": silent,
        },
    }


def configure(**_signal: Any) -> None:
    """Configure logging; also a receiver of Celery's `setup_logging`, which then leaves logging alone."""
    logging.config.dictConfig(configuration())
