"""Distance reports for tests, as a worker would send them."""

from __future__ import annotations

from collections.abc import Sequence

from contract import messages
from contract.distance import INCONCLUSIVE, SCALES, DistanceReport, Look, alarm_verdict
from contract.messages import Stage
from teleder.cases.models import Photo
from teleder.pipeline import results
from tests.conftest import MODEL, send_for_test

LINE = 0.2
RINGS, SILENT = 0.6, 0.1
# From 1.4x nearer the alarm does not ring: the same at 3 of 7 other distances.
STOPS_NEARER = [RINGS] * 4 + [SILENT] * 4


def report_of(
    scores: Sequence[float] = (RINGS,) * 8, *, verdicts: Sequence[str] | None = None
) -> DistanceReport:
    """A report with these herpes scores at the eight scales, and the verdicts by them, or `verdicts` without an alarm."""
    verdicts = verdicts or [alarm_verdict(["HI"]) if score >= LINE else INCONCLUSIVE for score in scores]
    box = messages.Box(x=10, y=20, width=200, height=200, skin=0.95, lesion=0.4)
    looks = [
        Look(scale=scale, boxes=(box,) * (scale >= 0.5), verdict=answer, scores={"HI": score})
        for scale, answer, score in zip(SCALES, verdicts, scores, strict=True)
    ]
    return DistanceReport(
        looks=tuple(looks),
        x=0.5,
        y=0.4,
        thresholds={"HI": LINE},
        segmentation_model=MODEL,
        classification_model=MODEL,
        seconds=7.2,
    )


def record(photo: Photo, outcome: messages.Outcome) -> bool:
    """Record the outcome of the photo's distance report as the results worker would."""
    job, attempt = send_for_test(photo, Stage.DISTANCE)
    return results.record(job=job, attempt=attempt, worker="w", outcome=outcome)
