"""Audit entries as people read them: one line for what one person did to one case in one sitting."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from teleder.audit.models import Entry, Verb

PAUSE = timedelta(minutes=30)  # a longer one ends a sitting


@dataclass
class Sitting:
    """Entries of one case, of one person, the newest first; there is at least one."""

    entries: list[Entry]

    @property
    def person(self) -> UUID | None:
        return self.entries[0].person

    @property
    def role(self) -> str:
        return self.entries[0].role

    @property
    def first(self) -> datetime:
        return self.entries[-1].at

    @property
    def last(self) -> datetime:
        return self.entries[0].at

    @property
    def verbs(self) -> list[str]:
        """What was done, in the order of `Verb`, each once."""
        done = {entry.verb for entry in self.entries}
        return [str(verb.label) for verb in Verb if verb in done]


def sittings(entries: Iterable[Entry]) -> list[Sitting]:
    """Group entries of one case that come the newest first; the newest sitting is first.

    People who do not log in have no id: each share link is a reader of its own, the system is one.
    """
    found: list[Sitting] = []
    newest: dict[tuple[object, ...], Sitting] = {}
    for entry in entries:
        key = (entry.person, entry.role, "" if entry.person else entry.object)
        sitting = newest.get(key)
        if sitting is None or sitting.first - entry.at > PAUSE:
            newest[key] = sitting = Sitting([])
            found.append(sitting)
        sitting.entries.append(entry)
    return found
