"""Unreadable photos are detected before a dermatologist gets them, and each fault has one name."""

from __future__ import annotations

import functools

import cv2
import numpy as np
import pytest

from contract.messages import QualityFault
from inference_worker.models import quality
from training import phantom

CONDITIONS = [name for name in phantom.CONDITIONS if name != "NORMAL"]


@functools.cache
def scene(condition: str = "AD", seed: int = 1) -> np.ndarray:
    """A well-lit, sharp photo, to which the faults below are applied."""
    return phantom.draw(seed, condition=condition, light="daylight", blur=0).photo


def fault_of(photo: np.ndarray) -> QualityFault | None:
    return quality.assess_quality(photo)[1]


def times(photo: np.ndarray, factor: float) -> np.ndarray:
    return (photo.astype(float) * factor).clip(0, 255).astype(np.uint8)


def out_of_focus(photo: np.ndarray) -> np.ndarray:
    return cv2.GaussianBlur(photo, (0, 0), 4)


def shaken(photo: np.ndarray, degrees: float = 0) -> np.ndarray:
    """The camera moved by 31 px along a direction."""
    kernel, way = np.zeros((31, 31), np.float32), np.radians(degrees)
    reach = 15 * np.array([np.cos(way), np.sin(way)])
    start, end = (tuple(int(v) for v in np.round(15 + sign * reach)) for sign in (-1, 1))
    cv2.line(kernel, start, end, 1)
    return cv2.filter2D(photo, -1, kernel / kernel.sum())


def with_noise(photo: np.ndarray) -> np.ndarray:
    """What is left of the noise of a phone's camera at this size, after the blur as in a real photo."""
    noise = np.random.default_rng(1).normal(0, 0.7, photo.shape)
    return (photo + noise).clip(0, 255).astype(np.uint8)


def with_spot(photo: np.ndarray, x: int, y: int, radius: int = 110) -> np.ndarray:
    return cv2.circle(photo.copy(), (x, y), radius, (255, 255, 255), -1)


@pytest.mark.parametrize("condition", phantom.CONDITIONS)
def test_a_good_photo_has_no_fault(condition):
    assert [fault_of(scene(condition, seed)) for seed in (1, 3)] == [None] * 2


@pytest.mark.parametrize("condition", CONDITIONS)
def test_a_photo_taken_in_the_dark_is_too_dark(condition):
    assert fault_of(times(scene(condition), 0.25)) == QualityFault.TOO_DARK


@pytest.mark.parametrize("tone", [-60, -30, 0, 70])
def test_dark_skin_in_daylight_is_not_too_dark(tone):
    """The limit is about the light, not about the patient's skin."""
    photos = [
        phantom.draw(seed, condition="AD", light="daylight", blur=0, tone=tone).photo for seed in range(4)
    ]
    assert QualityFault.TOO_DARK not in map(fault_of, photos)


def test_an_overexposed_photo_is_too_bright():
    assert fault_of(times(scene(), 3)) == QualityFault.TOO_BRIGHT


@pytest.mark.parametrize("condition", CONDITIONS)
@pytest.mark.parametrize("as_taken", [lambda photo: photo, with_noise], ids=["clean", "noisy"])
def test_a_photo_out_of_focus_is_blurred(condition, as_taken):
    assert fault_of(as_taken(out_of_focus(scene(condition)))) == QualityFault.BLURRED


@pytest.mark.parametrize("degrees", range(0, 180, 15))
def test_a_photo_shaken_in_any_direction_is_blurred(degrees):
    spoilt = shaken(scene(), degrees)
    assert fault_of(spoilt) == fault_of(with_noise(spoilt)) == QualityFault.BLURRED


def test_blur_takes_detail_and_sharpness():
    sharp, soft, softer = (
        quality.assess_quality(cv2.GaussianBlur(scene(), (0, 0), px))[0] for px in (0.3, 2, 5)
    )
    for name in ("detail", "sharpness"):
        assert sharp[name] > soft[name] > softer[name]


@pytest.mark.parametrize("tone", [-60, -30, 0, 70])
def test_sharp_skin_of_any_tone_is_not_blurred(tone):
    photos = [
        phantom.draw(seed, condition="NORMAL", light="daylight", blur=0, tone=tone).photo for seed in range(4)
    ]
    assert QualityFault.BLURRED not in map(fault_of, photos)


def test_smooth_skin_in_a_sharp_photo_is_not_blurred():
    """Skin without any texture and one pale patch: as little detail as in a blurred photo, but its edge is sharp."""
    smooth = cv2.circle(cv2.GaussianBlur(scene(), (0, 0), 40), (300, 300), 40, (150, 90, 80), -1)
    measured, fault = quality.assess_quality(smooth)
    assert fault is None and measured["detail"] < quality.BLURRED[0][0]
    assert fault_of(out_of_focus(smooth)) == QualityFault.BLURRED


@pytest.mark.parametrize(
    ("detail", "sharpness", "is_blurred"),
    [(5.9, 1.9, True), (5.9, 2.1, False), (6.1, 1.9, False), (19.9, 1.1, True), (20.1, 1.1, False)],
)
def test_detail_and_sharpness_must_both_be_low(monkeypatch, detail, sharpness, is_blurred):
    monkeypatch.setattr(quality, "_sharpness", lambda grey: (detail, sharpness))
    assert (fault_of(scene()) == QualityFault.BLURRED) is is_blurred


def test_a_flash_reflected_by_the_skin_is_glare_and_a_white_background_is_not():
    photo = scene()
    height, width = photo.shape[:2]
    assert fault_of(with_spot(photo, width // 2, height // 2)) == QualityFault.GLARE
    assert fault_of(with_spot(photo, 0, 0, radius=200)) is None  # just as white, but at the edge


def screen_shot() -> np.ndarray:
    page = np.full((800, 600, 3), 230, np.uint8)
    for row in range(4):
        cv2.putText(
            page, "rash since Monday", (40, 100 + 60 * row), cv2.FONT_HERSHEY_SIMPLEX, 1, (0, 0, 0), 2
        )
    return page


def finger_on_the_lens() -> np.ndarray:
    """Noise without any structure."""
    return np.random.default_rng(1).normal(128, 3, (600, 800, 1)).repeat(3, axis=2).astype(np.uint8)


@pytest.mark.parametrize("picture", [finger_on_the_lens(), screen_shot()], ids=["finger", "screen shot"])
def test_an_empty_or_drawn_picture_is_not_a_photo(picture):
    assert fault_of(picture) == QualityFault.NOT_A_PHOTO


def test_a_small_photo_is_assessed_at_its_own_size():
    """Preparation accepts photos from 200 px: they are not enlarged, and nothing divides by zero."""
    small = cv2.resize(scene(), (200, 200), interpolation=cv2.INTER_AREA)
    measured, fault = quality.assess_quality(small)
    assert fault is None
    assert np.isfinite(list(measured.values())).all()
    assert fault_of(out_of_focus(small)) == QualityFault.BLURRED


def test_a_narrow_strip_is_assessed_as_well():
    """A panorama shrinks to fewer rows than there are tiles."""
    strip = np.ascontiguousarray(np.tile(scene()[300:306], (1, 3, 1))[:, :1536])
    assert np.isfinite(list(quality.assess_quality(strip)[0].values())).all()


def test_a_large_photo_is_assessed_like_the_same_photo_small():
    """The limits are for one size; a phone with more pixels must not be assessed more strictly."""
    # Each pixel four times: reduced again, it is the same photo bit for bit.
    large = scene().repeat(2, axis=0).repeat(2, axis=1)
    assert quality.assess_quality(large) == quality.assess_quality(scene())


def test_the_more_serious_of_two_faults_is_reported():
    """In a dark and blurred photo the light is reported first, since more light may also fix the blur."""
    assert fault_of(times(out_of_focus(scene()), 0.25)) == QualityFault.TOO_DARK


def test_glare_is_told_before_blur():
    """Beside the edge of a white spot smooth skin seems blurred."""
    blurred = out_of_focus(scene())
    height, width = blurred.shape[:2]
    assert fault_of(with_spot(blurred, width // 2, height // 2)) == QualityFault.GLARE
