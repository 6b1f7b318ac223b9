"""The order of the worklist: level, what the AI says, due time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import NamedTuple, Self
from uuid import UUID

from django.db import models
from django.db.models import F


class Precedence(models.IntegerChoices):
    """What stands first inside a level, by what the AI says: neither raises the level or brings the due time forward.

    Alarms count that did not raise the case: one that did stands with its new level behind what the answers say.
    INCONCLUSIVE is also a case that the AI has not read, or may not read.
    """

    NONE = 0
    INCONCLUSIVE = 1
    ALARM = 2


# Level and precedence are one number, and all that decides goes upwards, so that an index can continue behind any row (`after`).
WORKLIST_RANK = F("urgency") * -len(Precedence) - F("ai_precedence")
WORKLIST_ORDER = (WORKLIST_RANK, "due_at", "id")
LARGEST_RANK = 1000


class Place(NamedTuple):
    """Where a submission stands in the order of the worklist: the values of its row, so that it outlives the row."""

    rank: int
    due_at: datetime
    id: UUID

    @classmethod
    def of(cls, urgency: int, ai_precedence: int, due_at: datetime, id: UUID) -> Self:
        return cls(-len(Precedence) * urgency - ai_precedence, due_at, id)

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Read what `str` wrote; `None` for anything else."""
        rank, _rest, due_and_id = text.partition("_")
        due, _rest, pk = due_and_id.partition("_")
        try:
            moment = datetime.fromtimestamp(0, UTC) + timedelta(microseconds=int(due))
            return cls(int(rank), moment, UUID(pk)) if abs(int(rank)) < LARGEST_RANK else None
        except (ValueError, OverflowError):
            return None

    def __str__(self) -> str:
        microseconds = (self.due_at - datetime.fromtimestamp(0, UTC)) // timedelta(microseconds=1)
        return f"{self.rank}_{microseconds}_{self.id}"
