"""What lies beside the rows of a filled database: its audit log, with its chain of hashes, and the files of photos."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

LIST_READ_EACH = 100  # submissions: somebody looked at a page of the worklist
CHUNK = 20_000


def write_audit(cursor: Any) -> None:
    """Add what was looked at and changed: of each submission up to three entries, and pages of the worklist."""
    from teleder.audit import entries

    number, previous = entries.parse_head(entries.head())
    columns = ", ".join(("number", "at", *entries.COLUMNS, "previous", "hash"))
    cursor.execute("SELECT coalesce(max(n), -1) FROM bench_plan")
    for first in range(0, cursor.fetchone()[0] + 1, CHUNK):
        cursor.execute(
            "SELECT l.n, l.id, l.case_id, l.patient, l.clinic, l.who, s.created_at, s.status FROM bench_plan l"
            " JOIN cases_submission s ON s.id = l.id WHERE l.n >= %s AND l.n < %s ORDER BY l.n",
            [first, first + CHUNK],
        )
        rows = cursor.fetchall()
        with cursor.copy(f"COPY audit_entry ({columns}) FROM STDIN") as copy:
            for at, *entry in _entries(rows):
                number += 1
                hashed = _digest(previous, number, at, entry)
                copy.write_row((number, at, *entry, previous, hashed))
                previous = hashed


def _entries(rows: list[tuple]) -> Iterator[tuple]:
    """Yield time, person, role, clinic, verb, view, kind, id, cases, trace and status of each entry."""
    for n, pk, case, patient, clinic, reader, at, status in rows:
        trace = f"{n:032x}"
        yield (
            at,
            patient,
            "patient",
            clinic,
            "change",
            "web:submit",
            "submission",
            str(pk),
            [case],
            trace,
            302,
        )
        if status in {"answered", "closed", "needs_photos", "in_review"}:
            seen = (reader, "dermatologist", clinic)
            yield at, *seen, "read", "web:review", "submission", str(pk), [case], trace, 200
            if status in {"answered", "closed"}:
                yield at, *seen, "change", "web:answer", "submission", str(pk), [case], trace, 302
        if n % LIST_READ_EACH == 0:
            cases = sorted({row[2] for row in rows[n % CHUNK : n % CHUNK + 50] if row[4] == clinic})
            yield at, reader, "dermatologist", clinic, "read", "web:worklist", "", "", cases, trace, 200


def _digest(previous: str, number: int, at: datetime, entry: list[Any]) -> str:
    """Return what `audit_digest` of the database and `teleder.audit.entries.digest` return."""
    texts = (",".join(map(str, value)) if isinstance(value, list) else str(value) for value in entry)
    parts = (previous, str(number), at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f"), *texts)
    return hashlib.sha256("|".join(parts).encode()).hexdigest()


def link_files(cursor: Any, *, all_of_them: bool) -> int:
    """Give photos of open submissions, or all, the files of the photo that they copy, by hard link; return how many."""
    from django.conf import settings

    root, count = settings.PHOTO_STORAGE.root, 0
    cursor.execute(
        "SELECT p.photo_example::text, p.photo_id::text FROM bench_photo p WHERE p.is_open OR %s ORDER BY p.photo_n",
        [all_of_them],
    )
    of_example: dict[str, list[Path]] = {}
    for example, photo in cursor.fetchall():
        if example not in of_example:
            folder = root / "photos" / example
            of_example[example] = [path for path in folder.rglob("*") if path.is_file()]
        for path in of_example[example]:
            target = root / "photos" / photo / path.relative_to(root / "photos" / example)
            target.parent.mkdir(parents=True, exist_ok=True)
            try:
                os.link(path, target)
            except OSError as error:  # a file has at most so many names
                if error.errno != errno.EMLINK:
                    raise
                shutil.copy2(path, target)
            count += 1
    return count
