"""What a class map suggests about how its photo was taken."""

from __future__ import annotations

import numpy as np
import pytest

from contract.messages import ModelRef
from contract.photos import PhotoAdvice
from inference_worker.models import photo_advice

MODEL = ModelRef(name="net", version="1", sha256="a" * 64)


def mask(skin: float, lesion: float = 0.0) -> np.ndarray:
    """A class map whose upper rows are skin, of which the first are lesion; shares of the whole."""
    rows = np.zeros((1000, 100), np.uint8)
    rows[: round(skin * 1000)] = 1
    rows[: round(lesion * 1000)] = 2
    return rows


@pytest.mark.parametrize(
    ("skin", "lesion", "advice"),
    [
        (0, 0, PhotoAdvice.NO_SKIN),
        (photo_advice.NO_SKIN_SHARE - 0.001, 0, PhotoAdvice.NO_SKIN),
        (photo_advice.NO_SKIN_SHARE + 0.001, 0.001, PhotoAdvice.TOO_FAR),
        (photo_advice.FAR_SHARE - 0.001, 0.05, PhotoAdvice.TOO_FAR),
        (photo_advice.FAR_SHARE + 0.001, 0.05, None),
        (0.6, 0.2, None),
        (1, photo_advice.NEAR_SHARE - 0.001, None),
        (1, photo_advice.NEAR_SHARE + 0.001, PhotoAdvice.TOO_NEAR),
        (0.6, 0, PhotoAdvice.LESION_NOT_FOUND),
    ],
)
def test_the_shares_decide(skin, lesion, advice):
    assert photo_advice.describe(mask(skin, lesion), model=MODEL, seconds=0).advice == advice


def test_specks_all_over_are_not_skin():
    speckled = np.zeros((200, 200), np.uint8)
    speckled[::4, ::4] = 1
    found = photo_advice.describe(speckled, model=MODEL, seconds=0)
    assert found.skin > photo_advice.NO_SKIN_SHARE > found.largest
    assert found.advice == PhotoAdvice.NO_SKIN


def test_what_decided_is_reported_with_the_model():
    found = photo_advice.describe(mask(0.5, 0.125), model=MODEL, seconds=0.25)
    assert (found.skin, found.largest, found.lesion) == (0.5, 0.5, 0.125)
    assert (found.model, found.seconds) == (MODEL, 0.25)
