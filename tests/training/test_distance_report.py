"""Does the answer hold from any distance?"""

from __future__ import annotations

import numpy as np
import pytest

from contract.alarms import Alarm, Condition
from contract.distance import SCALES, DistanceReport, Look
from contract.messages import Classified, ModelRef, View
from inference_worker.models.distance import report, verdict_code
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
    found = tuple(Look(scale=scale, boxes=(), verdict=said, scores={}) for scale, said in pairs)
    models = {"segmentation_model": MODEL, "classification_model": MODEL}
    return DistanceReport(looks=found, x=0.5, y=0.5, thresholds={}, **models)


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


def test_an_alarm_is_reported_before_a_photo_without_skin():
    assert verdict_code(classified(0.9), has_skin=False) == "alarm HI"
    assert verdict_code(classified(), has_skin=False) == "not usable"
    assert verdict_code(classified(), has_skin=True) == "inconclusive"


def test_the_demonstration_model_names_nothing():
    assert verdict_code(classified(top=Condition.AD), has_skin=True) == "inconclusive"
    assert verdict_code(classified(top=Condition.AD, demonstration=False), has_skin=True) == "named AD"


def test_the_report_shows_the_lesion_at_every_scale_with_its_crops_and_scores(rash):
    seen = []

    def classify(photos, boxes):
        seen.extend(photos)
        return [classified(0.6 if own else 0.1) for own in boxes]

    found, views = report(rash, segment, classify, model=MODEL)
    assert [look.scale for look in found.looks] == list(SCALES) and len(views) == len(seen) == 8
    areas = [np.count_nonzero(mask == 2) for mask in segment(views)]
    assert areas == sorted(areas) and areas[-1] == pytest.approx(3600 * 2.5**2, rel=0.1)
    for look in found.looks:
        assert look.scores == {"HI": 0.6 if look.boxes else 0.1}
        assert look.verdict == ("alarm HI" if look.boxes else "inconclusive")
    assert found.looks[SCALES.index(1.0)].boxes
    assert found.thresholds == {"HI": 0.5} and found.segmentation_model == found.classification_model == MODEL
    assert (found.x, found.y) == pytest.approx((280 / 400, 90 / 300), abs=0.01)


def test_the_strip_has_a_tile_for_each_scale_and_marks_the_change():
    found = looks(*["alarm HI"] * 2, *["inconclusive"] * 6)
    picture = strip(found, [np.full((300, 400, 3), 90, np.uint8)] * 8)
    assert picture.shape[1] == 8 * TILE
    marked = [bool((picture[0, TILE * n] == (255, 160, 0)).all()) for n in range(8)]
    assert marked == [False, False, True, False, False, False, False, False]
    assert picture[300 * TILE // 400 :].any()


def test_scales_go_from_a_third_to_two_and_a_half_with_the_photo_itself_among_them():
    assert min(SCALES) <= 0.35 and max(SCALES) >= 2.5 and 1.0 in SCALES
