"""Does the answer hold from any distance?"""

from __future__ import annotations

import numpy as np
import pytest

from contract.alarms import Alarm, Condition
from contract.messages import Classified, ModelRef, View
from inference_worker.models import distance
from inference_worker.models.distance import SCALES, DistanceReport, Look, report, told
from inference_worker.models.zoom import WALL
from training.distance_strip import TILE, strip

MODEL = ModelRef(name="m", version="1", sha256="0" * 64)
FOUND = {name.value: 0.2 for name in Condition}


def classified(score: float = 0.1, *, top: Condition | None = None, demonstration: bool = True) -> Classified:
    return Classified(
        probabilities=FOUND,
        views=(View(box=None, probabilities=FOUND),),
        thresholds={},
        top=top,
        demonstration=demonstration,
        alarms=(Alarm(condition=Condition.HI, score=score, threshold=0.5),),
        model=MODEL,
    )


def looks(*answers: str) -> DistanceReport:
    pairs = zip(SCALES, answers, strict=True)
    return DistanceReport(tuple(Look(scale=scale, boxes=(), told=said, scores={}) for scale, said in pairs))


def segment(photos):
    """Find red as lesion; what is not the wall is skin."""
    masks = []
    for photo in photos:
        mask = (photo != WALL).any(axis=2).astype(np.uint8)
        mask[(photo[..., 0] > 150) & (photo[..., 1] < 100)] = 2
        masks.append(mask)
    return masks


@pytest.fixture
def rash():
    """A red square of 60 px off the middle of skin."""
    photo = np.full((300, 400, 3), (180, 140, 120), np.uint8)
    photo[60:120, 250:310] = (200, 60, 60)
    return photo


def test_an_answer_that_always_holds_is_stable():
    steady = looks(*["inconclusive"] * 8)
    assert (steady.stability, steady.changes, steady.is_stable) == (1.0, [], True)


def test_where_the_answer_changes_is_named():
    flipping = looks(*["alarm HI"] * 2, *["inconclusive"] * 6)
    assert flipping.changes == [(0.5, 0.7)]
    assert flipping.stability == pytest.approx(5 / 7) and not flipping.is_stable
    assert looks(*["inconclusive"] * 7, "alarm HI").is_stable


def test_an_alarm_is_told_before_a_photo_without_skin():
    assert told(classified(0.9), has_skin=False) == "alarm HI"
    assert told(classified(), has_skin=False) == "not usable"
    assert told(classified(), has_skin=True) == "inconclusive"


def test_the_demonstration_model_names_nothing():
    assert told(classified(top=Condition.AD), has_skin=True) == "inconclusive"
    assert told(classified(top=Condition.AD, demonstration=False), has_skin=True) == "named AD"


def test_the_report_shows_the_lesion_at_every_scale_with_its_crops_and_scores(rash):
    seen = []

    def classify(photos, boxes):
        seen.extend(photos)
        return [classified(0.6 if own else 0.1) for own in boxes]

    found, views = report(rash, segment, classify)
    assert [look.scale for look in found.looks] == list(SCALES) and len(views) == len(seen) == 8
    areas = [np.count_nonzero(mask == 2) for mask in segment(views)]
    assert areas == sorted(areas) and areas[-1] == pytest.approx(3600 * 2.5**2, rel=0.1)
    for look in found.looks:
        assert look.scores == {"HI": 0.6 if look.boxes else 0.1}
        assert look.told == ("alarm HI" if look.boxes else "inconclusive")
    assert found.looks[SCALES.index(1.0)].boxes


def test_the_strip_has_a_tile_for_each_scale_and_marks_the_change():
    found = looks(*["alarm HI"] * 2, *["inconclusive"] * 6)
    picture = strip(found, [np.full((300, 400, 3), 90, np.uint8)] * 8)
    assert picture.shape[1] == 8 * TILE
    marked = [bool((picture[0, TILE * n] == (255, 160, 0)).all()) for n in range(8)]
    assert marked == [False, False, True, False, False, False, False, False]
    assert picture[TILE:].any()


def test_scales_go_from_a_third_to_two_and_a_half_with_the_photo_itself_among_them():
    assert min(distance.SCALES) <= 0.35 and max(distance.SCALES) >= 2.5 and 1.0 in distance.SCALES
