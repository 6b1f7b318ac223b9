"""How often the AI's alarms ring, by submission, beside what its card and the clinic's base rates predict.

After 500 photos the clinic's own first 500 take the card's place: the card was measured on teaching photos.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings

from contract import messages
from contract.alarms import Alarm, Alarms
from teleder.accounts.models import User
from teleder.cases.counting import EXACT, recent
from teleder.cases.intervals import Z_95, Share, beta_of, prediction_band
from teleder.cases.models import Analysis

WINDOW_PHOTOS = 200
BASELINE_PHOTOS = 500
BASELINE_SECONDS = 600
FEWEST_PHOTOS = 20  # before that no rate is judged


@dataclass(frozen=True, kw_only=True)
class AlarmRate:
    """Submissions with an alarm among those of the newest `photos`; `low` to `high` is the 99 % prediction band.

    `abstained` counts photos of which the model names nothing, `devices` those that each kind of device classified.
    """

    photos: int
    alarmed: Share
    abstained: Share = Share(of=0, n=0)
    devices: dict[str, int] = field(default_factory=dict)
    low: int | None = None
    high: int | None = None
    is_own_baseline: bool = False

    @property
    def is_outside(self) -> bool:
        return self.low is not None and not self.low <= self.alarmed.of <= self.high


def alarm_rate(user: User) -> AlarmRate:
    """Judge the model that was used last, in the clinic of `user`, by each alarm that rings, whether or not it may raise.

    Joins along keys and the order of ids keep it cheap: the board asks every ten seconds.
    """
    of_clinic = user.in_own_clinic("photo__submission__clinic")
    seen = Analysis.objects.filter(of_clinic, classified_at__isnull=False).order_by("-pk")
    columns = "photo__submission", "alarms", "abstention", "device", "classification_model__sha256"
    last = list(seen.values_list(*columns)[:WINDOW_PHOTOS])
    if not last:
        return AlarmRate(photos=0, alarmed=Share(of=0, n=0))
    alarms, model = last[0][1], last[0][4]
    rows = seen.filter(classification_model__sha256=model).values_list("photo__submission", "alarms")
    window = [row for row in last if row[4] == model]
    if len(window) < len(last) == WINDOW_PHOTOS:  # another model is among them: older ones fill the window
        window = list(rows.values_list(*columns)[:WINDOW_PHOTOS])
    alarmed = _by_submission(row[:2] for row in window)
    counted: dict[str, Any] = {
        "photos": len(window),
        "alarmed": alarmed,
        "abstained": Share(of=sum(bool(row[2]) for row in window), n=len(window)),
        "devices": dict(Counter(row[3] or "unknown" for row in window)),
    }
    measured = [one for one in _alarms(alarms) if one.sensitivity and one.likelihood_ratio]
    if not measured or len(window) < FEWEST_PHOTOS:
        return AlarmRate(**counted)
    first = recent(
        f"baseline.{model}",
        user,
        BASELINE_SECONDS,
        lambda: list(rows.order_by("pk")[:BASELINE_PHOTOS]),
        rows=lambda found: (
            EXACT + 1 if len(found) == BASELINE_PHOTOS else 0
        ),  # once there, they stay the same
    )
    has_baseline = len(first) == BASELINE_PHOTOS
    if has_baseline:
        own = _by_submission(first)
        rate = own.of + 1, own.n - own.of + 1
    else:
        rate = _predicted_rate(measured, len(window) / alarmed.n)
    low, high = prediction_band(alarmed.n, *rate)
    return AlarmRate(**counted, low=low, high=high, is_own_baseline=has_baseline)


def _alarms(stored: Any) -> tuple[Alarm, ...]:
    return messages.reader_of(Alarms)(stored or ())


def _by_submission(rows: Iterable[tuple[Any, Any]]) -> Share:
    found: dict[Any, bool] = {}
    for submission, stored in rows:
        rang = any(alarm.rings for alarm in _alarms(stored))
        found[submission] = found.get(submission, False) or rang
    return Share(of=sum(found.values()), n=len(found))


def _predicted_rate(alarms: list[Alarm], photos_each: float) -> tuple[float, float]:
    """Return a and b of the beta distribution of the rate by submission.

    The spread is that of LR+, and of not knowing how much the photos of one submission agree: between one answer for
    all of them and one for each.
    """
    low, middle, high = (_rate_by_photo(alarms, bound) for bound in ("high", "value", "low"))
    apart = 1 - (1 - middle) ** photos_each
    mean = (middle + apart) / 2
    spread = (high - low) / (2 * Z_95) * mean / middle
    return beta_of(mean, math.hypot(spread, (apart - middle) / math.sqrt(12)))


def _rate_by_photo(alarms: list[Alarm], bound: str) -> float:
    """Return how many photos of a clinic like this ring any alarm, 0..1; a high LR+ means few false alarms."""
    silent = 1.0
    for alarm in alarms:
        base, found = settings.BASE_RATES.get(alarm.condition, 0.0), alarm.sensitivity.value
        silent *= 1 - (base * found + (1 - base) * min(1.0, found / getattr(alarm.likelihood_ratio, bound)))
    return 1 - silent
