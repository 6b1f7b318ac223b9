"""Two intervals of counts, without numpy: of a share (Wilson), and of a count to come (beta-binomial)."""

from __future__ import annotations

import math
from dataclasses import dataclass

Z_95 = 1.959964


@dataclass(frozen=True, kw_only=True)
class Share:
    """`of` cases among `n`."""

    of: int
    n: int

    @property
    def percent(self) -> float | None:
        return 100 * self.of / self.n if self.n else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """The 95 % interval by Wilson, in percent; none without cases."""
        if not self.n:
            return None
        share, more = self.of / self.n, Z_95**2 / self.n
        middle = share + more / 2
        half = Z_95 * math.sqrt((share * (1 - share) + more / 4) / self.n)
        low, high = ((middle + side * half) / (1 + more) for side in (-1, 1))
        return 100 * max(0.0, low), 100 * min(1.0, high)


def beta_of(mean: float, deviation: float) -> tuple[float, float]:
    """Return a and b of the beta distribution with this mean and standard deviation, both in 0..1."""
    mean = min(max(mean, 1e-6), 1 - 1e-6)
    weight = max(mean * (1 - mean) / max(deviation, 1e-6) ** 2 - 1, 1e-3)
    return mean * weight, (1 - mean) * weight


def prediction_band(n: int, a: float, b: float, share: float = 0.99) -> tuple[int, int]:
    """Return the least and the greatest count among `n` to expect, where the rate is Beta(a, b)."""
    tail, below, low = (1 - share) / 2, 0.0, 0
    for count in range(n + 1):
        ways = -math.log(n + 1) - _log_beta(count + 1, n - count + 1)  # log of n over count
        below += math.exp(ways + _log_beta(count + a, n - count + b) - _log_beta(a, b))
        if below < tail:
            low = count + 1
        if below >= 1 - tail:
            return low, count
    return low, n


def _log_beta(a: float, b: float) -> float:
    return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)
