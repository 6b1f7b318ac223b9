"""Measures whether the answer to a photo holds when the rash is shown nearer or farther away.

The crops of the 80/10 rule are meant to make distance harmless. This measures it on the photo at hand, and where the
answer changes says so.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import numpy as np

from contract.distance import (
    INCONCLUSIVE,
    NOT_USABLE,
    SCALES,
    DistanceReport,
    Look,
    alarm_verdict,
    named_verdict,
)
from contract.messages import Box, Classified, ModelRef
from inference_worker.models.cropping import LESION, boxes_of
from inference_worker.models.zoom import middle_of, zoomed

Segment = Callable[[Sequence[np.ndarray]], list[np.ndarray]]
Classify = Callable[[Sequence[np.ndarray], Sequence[Sequence[Box]]], list[Classified]]


def verdict_code(found: Classified, *, has_skin: bool) -> str:
    """Return the verdict on a photo. An alarm comes first: a poor photo never silences it."""
    if alarms := [alarm.condition for alarm in found.alarms if alarm.rings]:
        return alarm_verdict(alarms)
    if not has_skin:
        return NOT_USABLE
    return named_verdict(found.top) if found.top and not found.demonstration else INCONCLUSIVE


def report(
    photo: np.ndarray, segment: Segment, classify: Classify, *, model: ModelRef
) -> tuple[DistanceReport, list[np.ndarray]]:
    """Return the report on a photo (H, W, 3) uint8, and the photo at each scale. `model` is the one that segments.

    It takes nine segmentations and eight classifications.
    """
    started = time.perf_counter()
    x, y = middle_of(segment([photo])[0] == LESION)
    views = [zoomed(photo, scale, centre=(x, y)) for scale in SCALES]
    masks = segment(views)
    boxes = [tuple(boxes_of(mask)[0]) for mask in masks]
    answers = classify(views, boxes)
    looks = [
        Look(
            scale=scale,
            boxes=own,
            verdict=verdict_code(found, has_skin=bool(mask.any())),
            scores={alarm.condition.value: alarm.score for alarm in found.alarms},
        )
        for scale, mask, own, found in zip(SCALES, masks, boxes, answers, strict=True)
    ]
    found = DistanceReport(
        looks=tuple(looks),
        x=float(x),
        y=float(y),
        thresholds={alarm.condition.value: alarm.threshold for alarm in answers[0].alarms},
        segmentation_model=model,
        classification_model=answers[0].model,
        seconds=round(time.perf_counter() - started, 3),
    )
    return found, views
