"""The tiles at the top of the operations board: a word, a number, and its line over the last 24 hours."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil
from typing import Any

from django.urls import reverse
from django.utils import timezone
from django.utils.timesince import timesince
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from contract.messages import Stage
from teleder.accounts.models import User
from teleder.cases.board_samples import DAY, EVERY, Moment, answered_on_time, of_the_day
from teleder.cases.counting import EXACT, recent
from teleder.cases.intervals import Share
from teleder.web.operations.health import DAY_SECONDS, Board

WIDTH, HEIGHT = 120, 28  # of a line, in its own units
GAP = 3 * EVERY  # without a sample for longer, the line is broken
ON_TIME_PERCENT, POOR_PERCENT = 95, 90
VISIBLE_SECONDS, POOR_SECONDS, STEP_SECONDS = 15, 60, 15
FINE, CARE, BAD = "fine", "care", "bad"
WORDS = {FINE: "", CARE: gettext_lazy("watch"), BAD: gettext_lazy("act")}


@dataclass(frozen=True)
class Tile:
    """The whole tile links to `url`, the list or the page that the number is about."""

    name: str
    value: str
    unit: str
    url: str
    state: str
    lines: list[str]
    line_in_words: str

    @property
    def word(self) -> str:
        return str(WORDS[self.state])


def board_tiles(user: User, board: Board, now: datetime) -> list[Tile]:
    """Return the six tiles, from what the board has counted already where it has."""
    day = _kept("samples", user, lambda: of_the_day(user, now))
    answered = _kept("on_time", user, lambda: answered_on_time(user, now))
    waiting, silent, cases = board.submissions, board.alarm_rate.abstained, reverse("web:cases_admin")
    seconds, overdue = _photo_seconds(board, now), waiting["overdue"]
    oldest = timesince(waiting["oldest"], now) if waiting["oldest"] else "–"
    return [
        _tile(
            _("cases waiting"), str(waiting["waiting"]), "", f"{cases}?status=waiting", FINE, day, _waiting
        ),
        _tile(_("oldest wait"), oldest, "", f"{cases}?status=waiting", FINE, day, _oldest_hours),
        _tile(
            _("overdue"), str(overdue), "", f"{cases}?mark=overdue", BAD if overdue else FINE, day, _overdue
        ),
        _tile(
            _("answered on time"),
            _percent(answered),
            _("24 h, %(n)d cases, goal %(goal)d%%") % {"n": answered.n, "goal": ON_TIME_PERCENT},
            f"{cases}?status=answered",
            _state_of_answers(answered),
            day,
            lambda moment: moment.answered.percent,
        ),
        _tile(
            _("sent until visible"),
            _duration(seconds, now),
            _("95%% of photos, goal %(goal)d s") % {"goal": VISIBLE_SECONDS},
            f"{cases}?mark=unseen",
            _state_of_photos(seconds),
            day,
            lambda moment: moment.photo_seconds,
        ),
        _tile(
            _("AI says nothing"),
            _percent(silent),
            _("of the newest %(n)d photos") % {"n": silent.n},
            reverse("web:models"),
            FINE,
            day,
            lambda moment: moment.abstained.percent,
        ),
    ]


def _kept(name: str, user: User, count: Callable[[], Any]) -> Any:
    return recent(f"tiles.{name}", user, DAY_SECONDS, count, rows=lambda _found: EXACT + 1)


def _photo_seconds(board: Board, now: datetime) -> float | None:
    """The same as `board_samples.photo_seconds`, of what the board has read."""
    (stage,) = (row for row in board.stages if row["stage"] == Stage.PREPARE)
    waited = (now - stage["oldest"]).total_seconds() if stage["oldest"] else None
    done = stage["took"][1] if stage["took"] else None
    return max((seconds for seconds in (done, waited) if seconds is not None), default=None)


def _waiting(moment: Moment) -> float:
    return moment.waiting


def _overdue(moment: Moment) -> float:
    return moment.overdue


def _oldest_hours(moment: Moment) -> float:
    return moment.oldest_seconds / 3600


def _percent(share: Share) -> str:
    return "–" if share.percent is None else f"{share.percent:.0f}%"


def _duration(seconds: float | None, now: datetime) -> str:
    if seconds is None:
        return "–"
    if seconds < 60:  # in steps, so that a page that polls does not change each second
        return "≤ " + _("%(n)d s") % {"n": max(1, ceil(seconds / STEP_SECONDS)) * STEP_SECONDS}
    return timesince(now - timedelta(seconds=seconds), now)


def _state_of_answers(answered: Share) -> str:
    if answered.percent is None or answered.percent >= ON_TIME_PERCENT:
        return FINE
    return CARE if answered.percent >= POOR_PERCENT else BAD


def _state_of_photos(seconds: float | None) -> str:
    if seconds is None or seconds <= VISIBLE_SECONDS:
        return FINE
    return CARE if seconds <= POOR_SECONDS else BAD


def _tile(
    name: str,
    value: str,
    unit: str,
    url: str,
    state: str,
    day: list[Moment],
    figure: Callable[[Moment], float | None],
) -> Tile:
    found = [(moment.at, figure(moment)) for moment in day]
    known = [(at, number) for at, number in found if number is not None]
    return Tile(name, value, unit, url, state, lines(known), _in_words(known))


def lines(known: list[tuple[datetime, float]]) -> list[str]:
    """Return the points of each unbroken line, from left 24 hours ago to right now, zero at the bottom."""
    most = max((number for _at, number in known), default=0) or 1
    # The end of the sample's own five minutes, so that a line moves only when there is a new one.
    end = max((at for at, _number in known), default=timezone.now()) + EVERY
    found: list[list[str]] = []
    before = None
    for at, number in known:
        if before is None or at - before > GAP:
            found.append([])
        x, y = WIDTH * (1 - (end - at) / DAY), HEIGHT - 1 - (HEIGHT - 2) * number / most
        found[-1].append(f"{max(x, 0):.1f},{y:.1f}")
        before = at
    return [" ".join(points) for points in found if len(points) > 1]


def _in_words(known: list[tuple[datetime, float]]) -> str:
    if len(known) < 2:
        return _("no line yet: fewer than two measurements in 24 hours")
    numbers = [number for _at, number in known]
    words = _("24 hours: from %(first)s to %(last)s, between %(low)s and %(high)s")
    ends = {"first": numbers[0], "last": numbers[-1], "low": min(numbers), "high": max(numbers)}
    return words % {name: f"{number:.0f}" for name, number in ends.items()}
