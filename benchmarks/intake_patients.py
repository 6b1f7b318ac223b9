"""Patients with a token and a draft each, for `benchmarks.intake`, and what one of their uploads costs by part of the code.

A child of it, in the environment of a database: `patients COUNT` adds them and prints [token, id of the draft] of each,
`sessions COUNT` as {"session": , "draft": } (for `benchmarks.upload`); `profile` takes the first list and a photo's path and
prints the share of the CPU of each part of the code.
"""

from __future__ import annotations

import cProfile
import io
import json
import logging
import pstats
import sys
import time
from pathlib import Path

from benchmarks.intake_form import BOUNDARY, form

WARM_UP = 3
# What a profile calls its lines, and where they come from; the first that matches counts.
PARTS = {
    "the bytes: form, hash, cipher, files": (
        "multipartparser",
        "_hashlib",
        "hazmat",
        "/originals.py",
        "/encryption.py",
        "/storage/",
        "'_io.",
        "posix.",
        "method 'find' of 'bytes'",
    ),
    "queries: Django's ORM and psycopg": ("django/db", "psycopg"),
    "REST framework: fields, answers": ("rest_framework",),
    "Valkey": ("redis/",),
    "Django: middleware, URLs, languages": ("django/", "allauth", "csp/", "whitenoise", "knox", "htmx"),
    "the product": ("/teleder/", "/contract/"),
}


def patients(count: int) -> list[tuple[str, str]]:
    from django.db import transaction

    from drills import people
    from drills.client import calm
    from teleder.accounts.models import User
    from teleder.cases import intake

    found = []
    with transaction.atomic():
        for number in range(count):
            person = people.with_token(f"intake{number}@example.com", "patient")
            draft = intake.start(patient=User.objects.get(email=person.email), answers=calm())
            intake.describe(draft, body_site="elbow_crease")
            found.append((person.token, str(draft.pk)))
    return found


def sessions(count: int) -> list[dict[str, str]]:
    from benchmarks.visits import session_of
    from teleder.cases.models import Submission

    drafts = [draft for _token, draft in patients(count)]
    return [
        {"session": session_of(Submission.objects.get(pk=draft).case.patient), "draft": draft}
        for draft in drafts
    ]


def profile(senders: list[tuple[str, str]], photo: bytes) -> dict[str, float]:
    """Return the share of each part of the code in the CPU of an upload, the server's reading of the body left out."""
    from teleder.wsgi import application

    for token, draft in senders[:WARM_UP]:
        _upload(application, token, draft, photo)
    profiler = cProfile.Profile(time.process_time)
    for token, draft in senders[WARM_UP:]:
        profiler.runcall(_upload, application, token, draft, photo)
    spent: dict[str, float] = dict.fromkeys([*PARTS, "the rest of Python"], 0.0)
    for (file, _line, name), (_calls, _all, own, _below, _callers) in pstats.Stats(profiler).stats.items():
        place = f"{file}:{name}"
        part = next((part for part, marks in PARTS.items() if any(mark in place for mark in marks)), None)
        spent[part or "the rest of Python"] += own
    return {part: own / sum(spent.values()) for part, own in spent.items()}


def _upload(application, token: str, draft: str, photo: bytes) -> None:
    body, statuses = b"".join(form(photo)), []
    environ = {
        "REQUEST_METHOD": "POST",
        "SCRIPT_NAME": "",
        "PATH_INFO": f"/api/v1/submissions/{draft}/photos",
        "QUERY_STRING": "",
        "CONTENT_TYPE": f"multipart/form-data; boundary={BOUNDARY}",
        "CONTENT_LENGTH": str(len(body)),
        "HTTP_AUTHORIZATION": f"Token {token}",
        "HTTP_HOST": "localhost",
        "REMOTE_ADDR": "127.0.0.1",
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": sys.stderr,
        "wsgi.url_scheme": "http",
    }
    answer = application(environ, lambda status, *_: statuses.append(status))
    text = b"".join(answer)
    answer.close()
    if not statuses[0].startswith("201"):
        raise RuntimeError(f"an upload was answered {statuses[0]}: {text[:200]!r}")


def main() -> None:
    import django

    django.setup()
    logging.disable(logging.WARNING)
    if sys.argv[1] == "patients":
        json.dump(patients(int(sys.argv[2])), sys.stdout)
    elif sys.argv[1] == "sessions":
        json.dump(sessions(int(sys.argv[2])), sys.stdout)
    else:
        json.dump(profile(json.loads(sys.argv[2]), Path(sys.argv[3]).read_bytes()), sys.stdout)


if __name__ == "__main__":
    main()
