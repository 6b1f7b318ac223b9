"""`manage.py move_storage FROM TO`: copy every photo's files from one storage to another, and prove it."""

from __future__ import annotations

import hashlib
from argparse import ArgumentParser
from collections import Counter
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from contract import storage
from contract.environment import InvalidSettingError

REPORT_EVERY = 100

NEXT = (
    "Every file is in {target}, with the same SHA-256 when read back. Next: stop web and workers, run this once more, set "
    "TELEDER_STORAGE={target} for all of them, start them, and run `manage.py check_record`. Nothing was changed in "
    "{source}: keep it until then."
)


class Command(BaseCommand):
    help = "Copies all photos to another storage and verifies each. May be stopped and run again; changes nothing at FROM."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("source", metavar="FROM", help=storage.EXAMPLES)
        parser.add_argument("target", metavar="TO", help=storage.EXAMPLES)

    def handle(self, *, source: str, target: str, **_options: Any) -> None:
        try:
            old, new = storage.from_url(source), storage.from_url(target)
        except (storage.StorageSettingError, InvalidSettingError) as error:
            raise CommandError(str(error)) from None
        if _is_within(old, new) or _is_within(new, old):
            raise CommandError("FROM and TO are one place, or one is within the other.")
        counts: Counter[str] = Counter()
        try:
            new.check()
            total = sum(1 for _entry in old.list("photos"))
            for entry in old.list("photos"):
                counts[self._move(old, new, entry.key)] += 1
                if counts.total() % REPORT_EVERY == 0:
                    self.stdout.write(f"{counts.total()} of {total}")
            if (mark := old.mark()) and new.mark() != mark:
                new.create(
                    storage.MARK, mark.encode()
                )  # KeyExistsError: the photos of another installation are there
        except storage.StorageError as error:
            raise CommandError(
                f"stopped after {_in_words(counts)}: {type(error).__name__} ({error}). Run it again to go on."
            ) from None
        self.stdout.write(f"{_in_words(counts)}.")
        if counts["failed"]:
            raise CommandError(f"{counts['failed']} files are not the same at TO. Run it again.")
        self.stdout.write(NEXT.format(source=old, target=new))

    def _move(self, old: storage.Storage, new: storage.Storage, key: str) -> str:
        """Copy one file unless it is there already; return what came of it, a key of `_in_words`."""
        try:
            content = old.read(key)
        except storage.FileMissingError:
            return "gone"  # erased since it was listed, or no regular file
        except storage.StorageKeyError:
            self.stderr.write(f"left out, no key of ours: {key!r}")
            return "skipped"
        if _sha256_at(new, key) == (wanted := hashlib.sha256(content).digest()):
            return "present"
        new.write(key, content)
        if _sha256_at(new, key) == wanted:
            return "copied"
        self.stderr.write(f"not the same when read back: {key}")
        return "failed"


def _sha256_at(place: storage.Storage, key: str) -> bytes:
    digest = hashlib.sha256()
    try:
        with place.open(key) as file:
            while chunk := file.read(2**20):
                digest.update(chunk)
    except storage.FileMissingError:
        return b""
    return digest.digest()


def _is_within(inner: storage.Storage, outer: storage.Storage) -> bool:
    """Whether all of one storage is at, or below, the place of the other."""
    if isinstance(inner, storage.FileStorage) and isinstance(outer, storage.FileStorage):
        return inner.root.resolve().is_relative_to(outer.root.resolve())
    # One command has one S3 server.
    return f"{inner}/".startswith(f"{outer}/")


def _in_words(counts: Counter[str]) -> str:
    return (
        f"{counts['copied']} copied, {counts['present']} there already, {counts['gone']} gone meanwhile, "
        f"{counts['skipped']} left out, {counts['failed']} failed"
    )
