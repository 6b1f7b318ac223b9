"""How often alarms ring is compared with what the card and the clinic's base rates predict."""

from __future__ import annotations

import random

import pytest
from django.utils import timezone

from teleder.cases import alarm_rate
from teleder.cases.intervals import Share, beta_of, prediction_band
from teleder.cases.models import Analysis, Case, Photo, Submission
from tests.conftest import MODEL, NO_WORTH, alarm

QUIET, LOUD = 0.1, 0.9


# --- The arithmetic ---------------------------------------------------------------------------------------
def test_wilson_is_honest_at_none_and_all():
    assert Share(of=0, n=0).interval is None and Share(of=0, n=0).percent is None
    assert Share(of=0, n=20).interval == pytest.approx((0, 16.1), abs=0.1)
    assert Share(of=20, n=20).interval == pytest.approx((83.9, 100), abs=0.1)
    assert Share(of=7, n=10).interval == pytest.approx((39.7, 89.2), abs=0.1)


def test_the_beta_distribution_has_the_mean_and_deviation_that_were_asked_for():
    a, b = beta_of(0.14, 0.04)
    assert a / (a + b) == pytest.approx(0.14)
    assert (a * b / ((a + b) ** 2 * (a + b + 1))) ** 0.5 == pytest.approx(0.04)


@pytest.mark.parametrize(("n", "mean", "deviation"), [(100, 0.14, 0.001), (200, 0.14, 0.04), (30, 0.5, 0.1)])
def test_the_band_holds_99_of_100_counts(n, mean, deviation):
    rng = random.Random(7)
    a, b = beta_of(mean, deviation)
    low, high = prediction_band(n, a, b)
    counts = []
    for _ in range(4000):
        rate = rng.betavariate(a, b)
        counts.append(sum(rng.random() < rate for _ in range(n)))
    inside = sum(low <= count <= high for count in counts) / len(counts)
    assert 0.985 <= inside <= 1
    narrower = sum(low + 1 <= count <= high - 1 for count in counts) / len(counts)
    assert narrower < 0.99


# --- The clinic's rate ------------------------------------------------------------------------------------
@pytest.fixture
def clinic_with(alice):
    """Photos that were classified, oldest first; of each submission one photo, and whether it rang."""

    def make(scores: list[float], worth=None, **model) -> None:
        now = timezone.now()
        case = Case.objects.create(patient=alice, clinic=alice.clinic)
        for number, score in enumerate(scores):
            at = now - timezone.timedelta(minutes=len(scores) - number)
            submission = Submission.objects.create(
                case=case,
                policy="2026-11-28",
                rule_urgency=0,
                urgency=0,
                status="submitted",
                submitted_at=at,
                due_at=at,
            )
            photo = Photo.objects.create(submission=submission, view="other", size=1, sha256=str(number))
            rows = [vars_of(alarm("HI", score, **({"worth": worth} if worth else {})))]
            Analysis.objects.create(
                photo=photo,
                classified_at=at,
                skin=0.5,
                lesion=0.1,
                classification_model=vars(MODEL) | model,
                alarms=rows,
            )

    return make


def vars_of(one) -> dict:
    import dataclasses

    return dataclasses.asdict(one)


def mixed(n: int, loud: int) -> list[float]:
    scores = [LOUD] * loud + [QUIET] * (n - loud)
    random.Random(3).shuffle(scores)
    return scores


def test_an_empty_clinic_has_no_rate(dana):
    found = alarm_rate.alarm_rate(dana)
    assert (found.photos, found.alarmed.n, found.low, found.is_outside) == (0, 0, None, False)


@pytest.mark.parametrize(("loud", "outside"), [(28, False), (110, True), (0, True)])
def test_a_rate_that_the_card_does_not_predict_is_outside_the_band(
    dana, clinic_with, settings, loud, outside
):
    settings.BASE_RATES = {"HI": 0.02}
    clinic_with(mixed(200, loud))
    found = alarm_rate.alarm_rate(dana)
    assert (found.photos, found.alarmed.of, found.alarmed.n) == (200, loud, 200)
    # 0.02 * 0.7 + 0.98 * 0.7 / 5.4 = 0.14 of 200
    assert found.low < 28 < found.high
    assert (found.is_outside, found.is_own_baseline) == (outside, False)


def test_after_500_photos_the_clinics_own_first_ones_are_the_measure(dana, clinic_with):
    clinic_with(mixed(500, 300) + mixed(200, 120))
    usual = alarm_rate.alarm_rate(dana)
    assert (usual.photos, usual.is_own_baseline, usual.is_outside) == (200, True, False)
    clinic_with(mixed(200, 20))
    assert alarm_rate.alarm_rate(dana).is_outside


def test_few_photos_and_alarms_without_figures_are_not_judged(dana, clinic_with):
    clinic_with(mixed(19, 19))
    assert alarm_rate.alarm_rate(dana).low is None
    clinic_with([LOUD] * 30)
    assert alarm_rate.alarm_rate(dana).is_outside
    for row in Analysis.objects.all():
        row.alarms[0]["sensitivity"] = row.alarms[0]["likelihood_ratio"] = None
        row.save()
    found = alarm_rate.alarm_rate(dana)
    assert (found.alarmed.of, found.low, found.is_outside) == (49, None, False)


def test_an_alarm_that_may_not_raise_urgency_counts_as_well(dana, clinic_with):
    clinic_with([LOUD] * 30, worth=NO_WORTH)
    found = alarm_rate.alarm_rate(dana)
    assert found.alarmed.of == 30
    assert found.low is not None


def test_the_newest_model_is_judged_by_its_own_photos(dana, clinic_with):
    """Old workers may still run beside new ones: photos of another model lie among the last ones."""
    clinic_with([LOUD] * 150)
    clinic_with([QUIET] * 100, sha256="a" * 64)
    clinic_with([LOUD] * 30)
    found = alarm_rate.alarm_rate(dana)
    assert (found.photos, found.alarmed.of) == (180, 180)


def test_another_clinics_photos_do_not_count(nora, clinic_with):
    clinic_with(mixed(50, 50))
    assert alarm_rate.alarm_rate(nora).photos == 0


pytestmark = pytest.mark.django_db
