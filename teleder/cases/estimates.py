"""The numbers beside an alarm: what it means in a clinic like this, and what it costs."""

from __future__ import annotations

from dataclasses import dataclass

from django.conf import settings
from django.utils.translation import gettext as _

from contract.alarms import Alarm


@dataclass(frozen=True, kw_only=True)
class OfHundred:
    """So many of 100 photos, with a 95 % interval; measured on `n`."""

    of_hundred: float
    low: float
    high: float
    n: int

    @property
    def texts(self) -> dict[str, str]:
        return {"n": _count(self.of_hundred), "low": _count(self.low), "high": _count(self.high)}

    @property
    def drawn(self) -> dict[str, float]:
        """The same numbers as places on an axis of 120 units whose ends, 0 and 100, lie 6 units inside."""
        numbers = {"of_hundred": self.of_hundred, "low": self.low, "high": self.high}
        return {name: round(6 + 1.08 * number, 1) for name, number in numbers.items()}


class Estimate(OfHundred):
    """Of 100 photos like this in a clinic like this, how many show the condition (95 % interval); `n` teaching photos."""

    @property
    def sentence(self) -> str:
        return (
            _("Of 100 photos like this in a clinic like this, about %(n)s show it (%(low)s–%(high)s).")
            % self.texts
        )

    @property
    def source(self) -> str:
        return _("Measured on %(n)d teaching photos, not on this clinic's patients.") % {"n": self.n}


class FalseAlarms(OfHundred):
    """Of 100 photos of AD or another disease, how many cross the alarm line too; `n` such photos measured."""

    @property
    def sentence(self) -> str:
        return _(
            "Of 100 photos without the condition (atopic dermatitis or another), about %(n)s (%(low)s–%(high)s) "
            "cross the same line too; measured on %(photos)d such photos."
        ) % (self.texts | {"photos": self.n})


def estimate_of(alarm: Alarm) -> Estimate | None:
    """Bayes: the odds of the clinic's base rate, times LR+ and its bounds."""
    ratio, base = alarm.likelihood_ratio, settings.BASE_RATES.get(alarm.condition)
    if ratio is None or not base:
        return None
    odds = [base / (1 - base) * factor for factor in (ratio.value, ratio.low, ratio.high)]
    of_hundred, low, high = (100 * each / (1 + each) for each in odds)
    return Estimate(of_hundred=of_hundred, low=low, high=high, n=ratio.n)


def false_alarms_of(alarm: Alarm) -> FalseAlarms | None:
    """P(alarm | AD or OTHER) = sensitivity / LR+, with the bounds of LR+.

    They hold the doubt about sensitivity too, so the interval is rather too wide. n of LR+ counts the photos with the
    condition, that of sensitivity only these.
    """
    found, ratio = alarm.sensitivity, alarm.likelihood_ratio
    if found is None or ratio is None or not ratio.low or ratio.n <= found.n:
        return None
    of_hundred, low, high = (
        100 * min(1.0, found.value / factor) for factor in (ratio.value, ratio.high, ratio.low)
    )
    return FalseAlarms(of_hundred=of_hundred, low=low, high=high, n=ratio.n - found.n)


def _count(photos: float) -> str:
    if photos < 0.1:
        return "<0.1"
    return f"{photos:.0f}" if photos >= 2 else f"{photos:.1f}"
