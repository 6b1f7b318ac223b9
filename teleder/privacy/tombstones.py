"""The list of tombstones that is kept outside of the database, so that who was erased stays erased after a restore.

One line of JSON each, only ever added to: {"id", "person_sha256", "erased_on", "why", "policy"}.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import F
from django.db.models.functions import Now

from teleder.accounts.models import Role, User
from teleder.privacy import erasure, remnants
from teleder.privacy.models import Tombstone, trace_of

FIELDS = ("id", "person_sha256", "erased_on", "why", "policy")


class TombstoneListError(ValueError):
    """The list cannot be read; the message says which line."""


def write_list() -> int:
    """Write tombstones that are not in the list yet to its end; return how many. A line may come twice."""
    new = list(Tombstone.objects.filter(listed_at=None))
    if not new:
        return 0
    path = Path(settings.ERASED_LIST)
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    lines = [json.dumps({name: str(getattr(stone, name)) for name in FIELDS}) + "\n" for stone in new]
    handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    with os.fdopen(handle, "ab") as file:
        file.write("".join(lines).encode())
        file.flush()
        os.fsync(file.fileno())
    Tombstone.objects.filter(pk__in=[stone.pk for stone in new]).update(listed_at=Now())
    return len(new)


def reapply(path: Path) -> tuple[int, int]:
    """Erase again everybody in the list whom a restore brought back; return how many, and how many are under a hold.

    Raises `TombstoneListError` before anything is changed, and OSError where there is no list.
    """
    listed = {row["person_sha256"]: row for row in _read(path)}
    # Children, who have no address, before their guardians, whom their rows name.
    patients = User.objects.filter(role=Role.PATIENT).order_by(F("email").asc(nulls_first=True))
    people = patients.values_list("pk", flat=True)
    back = [(pk, listed[trace_of(pk)]) for pk in people.iterator() if trace_of(pk) in listed]
    erased = 0
    for pk, row in back:
        try:
            with transaction.atomic():
                Tombstone.objects.filter(person_sha256=row["person_sha256"]).delete()
                erasure.lock(pk, wait=True)
                erasure.erase_person(pk, **row, listed_at=Now())
        except IntegrityError:  # under a legal hold that was lifted after the backup
            continue
        erased += 1
    known = set(Tombstone.objects.values_list("person_sha256", flat=True))
    restored = {row["person_sha256"] for _pk, row in back}
    missing = [row for key, row in listed.items() if key not in known | restored]
    Tombstone.objects.bulk_create([Tombstone(**row, listed_at=Now()) for row in missing])
    remnants.clear()
    return erased, len(back) - erased


def _read(path: Path) -> Iterator[dict[str, Any]]:
    for number, line in enumerate(path.read_text().splitlines(), start=1):
        try:
            row = json.loads(line)
            row = {name: row[name] for name in FIELDS}
            yield row | {"id": UUID(row["id"]), "erased_on": date.fromisoformat(row["erased_on"])}
        except (ValueError, KeyError, TypeError) as error:
            raise TombstoneListError(f"{path}, line {number}: {type(error).__name__}") from error
