"""Intervals that say no more than the photos do."""

from __future__ import annotations

import numpy as np
import pytest

from training.statistics import auc_figure, bootstrap, likelihood_ratio, of_share, whole_folds, wilson


@pytest.mark.parametrize("n", [1, 7, 26, 80, 93, 262, 1000])
def test_no_hit_begins_at_nought_and_all_hits_end_at_one(n):
    none, every = wilson(0, n), wilson(n, n)
    assert none[0] == 0.0 and every[1] == 1.0
    assert none[1] == pytest.approx(1 - every[0]) and none[1] == pytest.approx(
        3.8415 / (n + 3.8415), abs=1e-4
    )  # z² / (n + z²)


def persons(n, photos_each=1):
    return [str(i // photos_each) for i in range(n)]


def test_none_of_eighty_is_not_certain():
    own = of_share(np.zeros(80, bool), persons(80))
    assert (own["value"], own["low"], own["n"]) == (0.0, 0.0, 80) and own["high"] == pytest.approx(
        0.0458, abs=1e-4
    )


def test_shares_are_drawn_as_any_measure_is():
    hits = np.arange(60) % 3 == 0
    groups = [str(i // 4) for i in range(60)]
    slow, fast = bootstrap(lambda i: float(hits[i].mean()), groups), of_share(hits, groups)
    assert fast == pytest.approx(slow, abs=1e-4)


def test_eighty_photos_of_four_persons_prove_as_little_as_four():
    own = of_share(np.ones(80, bool), persons(80, 20))
    assert own["low"] == pytest.approx(wilson(4, 4)[0], abs=1e-4) and own["high"] == 1.0


def test_one_person_has_an_interval_also_where_her_photos_differ():
    own = of_share(np.array([True, False]), ["a", "a"])
    assert own["value"] == 0.5 and own["low"] < 0.1 and own["high"] > 0.9


def test_a_perfect_order_of_few_persons_is_not_certain():
    score, positive = np.array([0.9, 0.8, 0.1, 0.2, 0.3]), np.array([True, True, False, False, False])
    own = auc_figure(score, positive, persons(5))
    assert own["value"] == own["high"] == 1.0 and own["low"] == pytest.approx(wilson(2, 2)[0], abs=1e-4)


def test_an_auc_needs_both_classes():
    assert auc_figure(np.array([0.1, 0.2]), np.array([True, True]), ["a", "b"])["value"] is None


ILL, WELL = np.arange(150) < 50, np.arange(150) >= 50


def test_an_alarm_that_rings_five_times_as_often_has_that_ratio_inside_its_interval():
    rings = np.zeros(150, bool)
    rings[:35] = rings[50:64] = True  # 35 of 50, 14 of 100
    own = likelihood_ratio(rings, ILL, WELL, persons(150))
    assert own["value"] == pytest.approx(5.0) and 2.5 < own["low"] < 5 < own["high"] < 11 and own["n"] == 150


def test_an_alarm_that_rings_alike_everywhere_may_be_worth_nothing():
    own = likelihood_ratio(np.arange(150) % 2 == 0, ILL, WELL, persons(150))
    assert own["value"] == pytest.approx(1.0) and own["low"] < 1 < own["high"]


def test_an_alarm_without_a_false_one_counts_half_a_one():
    own = likelihood_ratio(ILL, ILL, WELL, persons(150))
    assert own["value"] == own["high"] == pytest.approx(1 / (0.5 / 100))
    assert own["low"] == pytest.approx(wilson(50, 50)[0] / wilson(0, 100)[1], rel=1e-3)


def test_an_alarm_that_misses_all_is_worth_nothing_and_a_silent_one_cannot_be_judged():
    missing = likelihood_ratio(WELL, ILL, WELL, persons(150))
    assert (missing["value"], missing["low"]) == (0.0, 0.0) and missing["high"] < 0.1
    silent = likelihood_ratio(np.zeros(150, bool), ILL, WELL, persons(150))
    assert silent["value"] == silent["low"] == 0.0 and silent["high"] > 1
    assert likelihood_ratio(ILL, ILL, np.zeros(150, bool), persons(150))["n"] == 0


def test_photos_of_one_person_widen_the_interval_of_an_alarm():
    rings = np.zeros(150, bool)
    rings[:35] = rings[50:64] = True
    alone, together = (likelihood_ratio(rings, ILL, WELL, persons(150, size)) for size in (1, 5))
    assert together["high"] - together["low"] > 1.3 * (alone["high"] - alone["low"])


def test_a_fold_whose_class_vanishes_from_training_is_not_scored():
    truth = np.array(["AD", "AD", "HI", "HI"])
    splits = [(np.array([2, 3]), np.array([0, 1])), (np.array([0, 2]), np.array([1, 3]))]
    assert [test.tolist() for _, test in whole_folds(truth, splits)] == [[1, 3]]
