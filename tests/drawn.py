"""Drawn crops for tests, as Dana draws them and as a worker reads them."""

from __future__ import annotations

from typing import Any

from contract import messages
from contract.drawn import Rectangle
from contract.messages import Abstention, Analysed, Box, Classified, NoCropReason, Segmented, Stage
from teleder.cases.models import DrawnCrop, Job, Photo
from teleder.pipeline import results
from tests.conftest import MODEL, send_for_test

AREA = Rectangle(x=10, y=20, width=100, height=100)


def draw(photo: Photo, by: Any, area: Rectangle = AREA) -> DrawnCrop:
    """Write the rows that drawing leaves, without the rules of who may."""
    Job.objects.get_or_create(photo=photo, stage=Stage.REANALYSE, defaults={"priority": 0})
    analysis = photo.analyses.latest("created_at")
    return DrawnCrop.objects.create(photo=photo, analysis=analysis, author=by, **vars(area))


def reanalysed(
    photo: Photo,
    area: Rectangle = AREA,
    *,
    no_box: NoCropReason | None = None,
    skin: float = 0.97,
    lesion: float = 0.34,
    **classified: Any,
) -> Analysed:
    """What a worker says of a drawn crop, in the folder of the next attempt."""
    attempt = photo.jobs.get(stage=Stage.REANALYSE).attempt + 1
    box = Box(**vars(area), skin=skin, lesion=lesion)
    found = {"AD": 0.7, "HI": 0.1, "IM": 0.1, "MF": 0.05, "OTHER": 0.05}
    found = classified.pop("probabilities", found)
    segmented = Segmented(
        mask_key=f"photos/{photo.pk}/reanalyse/{attempt}/mask.png",
        skin=0.9,
        lesion=0.2,
        boxes=() if no_box else (box,),
        no_box=no_box,
        nearest_miss=box if no_box else None,
        model=MODEL,
    )
    given = {
        "probabilities": found,
        "views": (messages.View(box=None, probabilities=found),),
        "thresholds": {},
        "top": None,
        "abstention": Abstention.UNCERTAIN,
        "demonstration": True,
        "model": MODEL,
    }
    return Analysed(segmented=segmented, classified=Classified(**given | classified))


def record(photo: Photo, outcome: messages.Outcome) -> bool:
    """Record the outcome of the photo's newest drawn crop as the results worker would."""
    job, attempt = send_for_test(photo, Stage.REANALYSE)
    return results.record(job=job, attempt=attempt, worker="w", outcome=outcome)
