"""Writes the entries of the audit log, and verifies their hash chain."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC
from uuid import UUID

from django.db import connection
from django.http import HttpRequest

from teleder.accounts.models import User
from teleder.audit.models import Entry, Verb

FIRST = "0" * 64
SYSTEM = "system"
LINK = "link"  # a visitor who has a share link
COLUMNS = ("person", "role", "clinic", "verb", "door", "kind", "object", "cases", "trace", "status")
# With its schema: a temporary table of the same name would otherwise receive the entries.
INSERT = f"INSERT INTO public.audit_entry ({', '.join(COLUMNS)}) VALUES (%s, %s, %s, %s, %s, %s, %s, %s::uuid[], %s, %s)"  # noqa: S608


def write_entry(
    verb: Verb,
    door: str,
    *,
    by: User | None = None,
    kind: str = "",
    pk: object = "",
    cases: Iterable[UUID] = (),
    trace: str = "",
    status: int = 0,
    role: str = "",
) -> None:
    """Add one entry. Without `by` the actor is the system, or an operator at its console, or a visitor of a `role`.

    Writers wait for each other until they commit: call it outside of a transaction or as its last step, never before
    taking another lock.
    """
    role, person = (by.role, by.pk) if by else (role or SYSTEM, None)
    values = [person, role, by and by.clinic_id, verb.value, door, kind, str(pk), list(cases), trace, status]
    with connection.cursor() as cursor:
        cursor.execute(INSERT, values)


def set_verb(request: HttpRequest, verb: Verb) -> None:
    """Set the verb of this request's entry, where the default ("change") says too little."""
    request.audit_verb = verb


def name_object(request: HttpRequest, kind: str, words: str) -> None:
    """Say in this request's entry what was changed, where the address names no row. `words` come from our own code only."""
    request.audit_object = (kind, words)


# --- Verifying --------------------------------------------------------------------------------------------
def digest(entry: Entry) -> str:
    """Return the hash the entry must have (`audit_digest` of migration 0001, in Python)."""
    parts = (
        entry.previous,
        entry.number,
        entry.at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f"),
        entry.person or "",
        entry.role,
        entry.clinic or "",
        entry.verb,
        entry.door,
        entry.kind,
        entry.object,
        ",".join(map(str, entry.cases)),
        entry.trace,
        entry.status,
    )
    return hashlib.sha256("|".join(map(str, parts)).encode()).hexdigest()


def faults(head: str = "") -> Iterator[str]:
    """Yield a description of each fault of the chain; `head` ("number:hash") is one that was kept elsewhere.

    Without a head, neither missing entries at the end nor a chain rewritten from the start can be detected.
    """
    number, hashed, blamed = 0, FIRST, 0
    for entry in Entry.objects.order_by("number").iterator(chunk_size=5000):
        gap = entry.number != number + 1
        if gap:
            yield _missing(number + 1, entry.number - 1)
        if digest(entry) != entry.hash:
            moved = not gap and entry.previous != hashed
            yield f"entry {entry.number} was {'put in another place' if moved else 'changed'}"
            blamed = entry.number
        elif entry.previous != hashed and not gap and blamed != number:
            yield (
                f"entry {number} was changed and hashed again"
                if number
                else "the first entry is not the first"
            )
        number, hashed = entry.number, entry.hash
    if head:
        kept, kept_hash = parse_head(head)
        if kept > number:
            yield f"{_missing(number + 1, kept)} at the end"
        elif not Entry.objects.filter(number=kept, hash=kept_hash).exists():
            yield f"entry {kept} is not the one whose hash was kept: the chain was rewritten"


def the_audit_log_is_as_it_was_written() -> Iterator[str]:
    yield from faults()


INVARIANTS: tuple[Callable[[], Iterator[str]], ...] = (the_audit_log_is_as_it_was_written,)


def _missing(first: int, last: int) -> str:
    return f"entry {first} is missing" if first == last else f"entries {first} to {last} are missing"


def parse_head(head: str) -> tuple[int, str]:
    """Raise `ValueError` for what is not "number:hash"."""
    if not re.fullmatch(r"\d+:[0-9a-f]{64}", head):
        raise ValueError("a head is NUMBER:HASH, as `audit head` prints it")
    number, _colon, hashed = head.partition(":")
    return int(number), hashed


def head() -> str:
    """Return "number:hash" of the last entry, to be kept on a system with other administrators."""
    last = Entry.objects.order_by("-number").first()
    return f"{last.number}:{last.hash}" if last else f"0:{FIRST}"
