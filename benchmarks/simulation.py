"""A discrete-event simulation of photos on their way to a finding: processes with slots that share cores.

Photos arrive and go through stations in order. A station has slots: so many photos it serves at once, the most urgent first,
then the oldest. A photo in a slot needs CPU; what is served in one pool of cores shares them equally, as Linux does
between processes of one priority, and no photo uses more than one core. What takes no CPU (disk, network, the round of the sweeper)
is a delay beside it.
"""

from __future__ import annotations

import heapq
import itertools
import math
import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

DAYS = 365
# Share of a day's submissions by hour, from midnight: an assumption, with the peak in the evening.
HOURS = (1, 1, 0, 0, 0, 1, 2, 4, 5, 5, 5, 5, 6, 5, 4, 4, 5, 6, 7, 9, 10, 8, 5, 2)


@dataclass(frozen=True)
class Station:
    """A process, or several alike: `cost` is CPU seconds a photo, `delay` seconds in which a slot is held without CPU."""

    name: str
    pool: str
    slots: int
    cost: float
    delay: float = 0.0


@dataclass(frozen=True)
class Photo:
    arrival: float  # s
    urgency: int = 0  # higher goes first


@dataclass
class _Pool:
    """Cores that are shared equally. Progress is counted in `served`: seconds that each running photo has had."""

    cores: float
    at: float = 0.0
    served: float = 0.0
    running: list[tuple[float, int, int]] = field(default_factory=list)  # (served at its end, photo, station)

    @property
    def speed(self) -> float:
        return min(1.0, self.cores / len(self.running)) if self.running else 0.0

    def advance(self, now: float) -> None:
        self.served += (now - self.at) * self.speed
        self.at = now

    def next_end(self) -> float:
        return self.at + max(0.0, self.running[0][0] - self.served) / self.speed if self.running else math.inf


def simulate(
    photos: Sequence[Photo],
    stations: Sequence[Station],
    cores: dict[str, float],
    spread: float = 0.0,
    seed: int = 1,
) -> list[float]:
    """Return when each photo has left the last station, in seconds, in the order of `photos`.

    `spread` is the coefficient of variation of the costs (gamma distributed); 0: all photos cost the same.
    """
    rng = random.Random(seed)
    pools = {name: _Pool(count) for name, count in cores.items()}
    free = [station.slots for station in stations]
    waiting: list[list[tuple[int, float, int]]] = [[] for _ in stations]
    ends = [math.nan] * len(photos)
    # Events without CPU: an arrival at a station (kind 0) or the end of a delay (kind 1).
    order = itertools.count()
    events = [(photo.arrival, next(order), 0, number, 0) for number, photo in enumerate(photos)]
    heapq.heapify(events)

    def start(station: int, now: float) -> None:
        while free[station] and waiting[station]:
            *_, number = heapq.heappop(waiting[station])
            free[station] -= 1
            own = stations[station]
            pool = pools[own.pool]
            pool.advance(now)
            cost = own.cost * (rng.gammavariate(spread**-2, spread**2) if spread else 1.0)
            heapq.heappush(pool.running, (pool.served + cost, number, station))

    def leave(number: int, station: int, now: float) -> None:
        free[station] += 1
        if station + 1 == len(stations):
            ends[number] = now
        else:
            heapq.heappush(events, (now, next(order), 0, number, station + 1))
        start(station, now)

    while True:
        pool = min(pools.values(), key=_Pool.next_end)
        now = pool.next_end()
        if events and events[0][0] <= now:
            now, _, kind, number, station = heapq.heappop(events)
            if kind:
                leave(number, station, now)
            else:
                photo = photos[number]
                heapq.heappush(waiting[station], (-photo.urgency, photo.arrival, number))
                start(station, now)
        elif pool.running:
            pool.advance(now)
            _, number, station = heapq.heappop(pool.running)
            if delay := stations[station].delay:
                heapq.heappush(events, (now + delay, next(order), 1, number, station))
            else:
                leave(number, station, now)
        else:
            return ends


def arrivals(
    submissions_a_year: float, photos_each: float, hours: Iterable[int], seed: int = 1
) -> Iterator[Photo]:
    """Yield the photos of these hours of a day: Poisson arrivals at the rate of each hour."""
    rng = random.Random(seed)
    for place, hour in enumerate(hours):
        rate = submissions_a_year * photos_each / DAYS * HOURS[hour] / sum(HOURS) / 3600
        at = rng.expovariate(rate) if rate else math.inf
        while at < 3600:
            yield Photo(place * 3600 + at)
            at += rng.expovariate(rate)
