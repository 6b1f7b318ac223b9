"""What a blind study says of a clinic: how often the answer differs from the impression signed before the AI's opinion.

Every share has its count and its 95 % interval (Wilson); of fewer than `FEWEST` reads only counts are told. Whether a change
was right is not known here: outcomes are not recorded.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from teleder.accounts.models import User
from teleder.cases.intervals import Share
from teleder.cases.models import Confidence, FirstImpression

FEWEST = 10
GROUPS = {"clinic": _("All"), "confidence": _("By confidence"), "reader": _("By dermatologist")}


@dataclass(frozen=True, kw_only=True)
class StudyRead:
    """One signed first impression beside its answer. `ai_said`: what the AI named or could not rule out."""

    reader: UUID
    name: str
    first: str
    final: str
    confidence: str
    ai_said: Sequence[str]

    @property
    def has_changed(self) -> bool:
        return self.first != self.final

    @property
    def may_go_toward(self) -> bool:
        return bool(self.ai_said) and self.first not in self.ai_said

    @property
    def may_go_away(self) -> bool:
        return self.first in self.ai_said

    @property
    def went_toward(self) -> bool:
        return self.may_go_toward and self.final in self.ai_said

    @property
    def went_away(self) -> bool:
        return self.may_go_away and self.final not in self.ai_said


@dataclass(frozen=True, kw_only=True)
class BiasRow:
    """`toward` is of the reads in which the AI said something else at first, `away` of those in which it said the same."""

    group: str
    label: str | Promise
    n: int
    changed: Share
    toward: Share
    away: Share

    @property
    def shares(self) -> list[tuple[Share, bool]]:
        """Each share, and whether it has enough reads for a percentage."""
        return [(share, share.n >= FEWEST) for share in (self.changed, self.toward, self.away)]


@dataclass(frozen=True, kw_only=True)
class BiasReport:
    rows: list[BiasRow]
    left_out: int  # reads that compare something else, too

    @property
    def groups(self) -> list[tuple[Promise, list[BiasRow]]]:
        found = [(name, [row for row in self.rows if row.group == group]) for group, name in GROUPS.items()]
        return [(name, rows) for name, rows in found if rows]


def sees_all_readers(user: User) -> bool:
    """Admins and leads do; a dermatologist sees the own reads only, so that nobody is compared with a colleague."""
    return user.is_admin or (user.is_dermatologist and user.dermatologist.is_lead)


def bias_report(user: User) -> BiasReport:
    """Return the figures that `user` may see, of the clinic of `user`."""
    sees_all = sees_all_readers(user)
    rows = FirstImpression.objects.study_reads().filter(submission__clinic=user.clinic_id)
    if not sees_all:
        rows = rows.filter(reader=user)
    names = (
        *("reader", "reader__name", "independent", "final", "confidence", "ai_said"),
        *("looked_before", "has_newer_photos", "saw_ai_first"),
    )
    reads, left_out = [], 0
    for reader, name, first, final, confidence, ai_said, *disturbed in rows.values_list(*names):
        if any(disturbed):
            left_out += 1
            continue
        reads.append(
            StudyRead(
                reader=reader, name=name, first=first, final=final, confidence=confidence, ai_said=ai_said
            )
        )
    return BiasReport(rows=list(_rows(reads, by_reader=sees_all)), left_out=left_out)


def _rows(reads: list[StudyRead], *, by_reader: bool) -> Iterable[BiasRow]:
    yield _row("clinic", _("all reads") if by_reader else _("your reads"), reads)
    for value, label in [*Confidence.choices, ("", _("not said"))]:
        if found := [read for read in reads if read.confidence == value]:
            yield _row("confidence", label, found)
    if by_reader:
        # By name, never by figure.
        for name, reader in sorted({(read.name, read.reader) for read in reads}):
            yield _row("reader", name, [read for read in reads if read.reader == reader])


def _row(group: str, label: Any, reads: list[StudyRead]) -> BiasRow:
    return BiasRow(
        group=group,
        label=label,
        n=len(reads),
        changed=Share(of=sum(read.has_changed for read in reads), n=len(reads)),
        toward=Share(of=sum(read.went_toward for read in reads), n=sum(read.may_go_toward for read in reads)),
        away=Share(of=sum(read.went_away for read in reads), n=sum(read.may_go_away for read in reads)),
    )
