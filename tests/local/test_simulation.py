"""The simulation agrees with what is known of simple queues, and the plan and the draft's figures with what they are made of."""

from __future__ import annotations

import random

import pytest

from benchmarks import draft
from benchmarks.draft import Judged
from benchmarks.frame import percentile
from benchmarks.plan import PHOTOS_EACH, WAIT_SECONDS, WEEKDAY, Costs, Drained, planned, section
from benchmarks.simulation import HOURS, Photo, Station, arrivals, simulate


def test_a_lone_photo_takes_the_sum_of_its_stations():
    stations = [Station("prepare", "own", 1, 0.2), Station("analyse", "own", 1, 0.5, delay=0.1)]
    assert simulate([Photo(3.0)], stations, {"own": 1}) == [pytest.approx(3.8)]


def test_two_slots_on_one_core_are_no_faster_and_on_two_twice_as_fast():
    photos = [Photo(0.0)] * 40
    ends = {
        (slots, cores): max(simulate(photos, [Station("analyse", "own", slots, 0.5)], {"own": cores}))
        for slots, cores in ((1, 1), (2, 1), (2, 2), (1, 2))
    }
    assert ends == {
        (1, 1): pytest.approx(20),
        (2, 1): pytest.approx(20),
        (2, 2): pytest.approx(10),
        (1, 2): pytest.approx(20),
    }


def test_a_delay_leaves_the_core_to_the_others():
    """Two that begin together share the core for a second and then wait half a second, twenty times."""
    ends = simulate([Photo(0.0)] * 40, [Station("web", "own", 2, 0.5, delay=0.5)], {"own": 1})
    assert max(ends) == pytest.approx(30)
    alone = simulate([Photo(0.0)] * 40, [Station("web", "own", 1, 0.5, delay=0.5)], {"own": 1})
    assert max(alone) == pytest.approx(40)


def test_an_urgent_photo_waits_for_those_that_are_served_alone():
    photos = [*[Photo(0.0)] * 50, Photo(1.0, urgency=1)]
    assert simulate(photos, [Station("analyse", "own", 1, 0.4)], {"own": 1})[-1] == pytest.approx(1.6)


def test_the_mean_wait_is_that_of_the_formula_for_one_server():
    """Pollaczek and Khinchine: at a load of .8 and equal costs the mean wait is .8 / (2 * .2) of a cost."""
    rng, at, photos = random.Random(3), 0.0, []
    for _ in range(60_000):
        at += rng.expovariate(0.8)
        photos.append(Photo(at))
    ends = simulate(photos, [Station("analyse", "own", 1, 1.0)], {"own": 1})
    waits = [end - photo.arrival - 1.0 for end, photo in zip(ends, photos, strict=True)]
    assert sum(waits) / len(waits) == pytest.approx(2.0, rel=0.1)


def test_a_day_has_the_submissions_of_a_day():
    day = list(arrivals(3_650_000, 2, range(24)))
    assert len(day) == pytest.approx(20_000, rel=0.03)
    peak = sum(20 * 3600 <= photo.arrival < 21 * 3600 for photo in day)
    assert peak == pytest.approx(20_000 * HOURS[20] / sum(HOURS), rel=0.1)


def test_a_plan_has_enough_processes_and_no_more_than_it_needs():
    costs = Costs({"web": 0.04, "prepare": 0.15, "inference": 0.5, "results": 0.02}, {})
    slots, waits = planned(costs, 10_000_000)
    assert percentile(waits, 95) <= WAIT_SECONDS
    rate = 10_000_000 * WEEKDAY * PHOTOS_EACH / 365 * 0.1 / 3600
    assert rate * 0.5 * 0.9 < slots < rate * 0.5 * 1.6


def test_the_plan_prints_its_check_beside_the_limit():
    names = ("web", "results", "prepare", "inference", "sweeper", "beat", "watch")
    costs = Costs(dict.fromkeys(names, 0.1), dict.fromkeys(names, 0.01))
    found = section(costs, [Drained(1, 60, 30.0, 31.0), Drained(2, 60, 20.0, 25.0)], (1_000_000,))
    assert [goal.reached for goal in found.goals] == [True, False]
    assert found.tables[1].rows[1][-1] == "25%"


def test_a_photo_that_was_never_checked_is_not_in_time():
    photos = [Judged(0.2, 0.9)] * 9 + [Judged(0.2, None)]
    found = draft.section(photos, photos, 60, 3_000_000)
    assert [goal.value for goal in found.goals] == [0.2, 0.2, 0.9, 120, 0.9]
    assert [goal.reached for goal in found.goals] == [True, True, True, False, False]
