"""What the review page shows of drawn crops: the form with which another begins, and the model's result of each beside its own."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from django.utils.translation import gettext_lazy

from contract.drawn import RUNS_AT_MOST, SIDE_AT_LEAST
from contract.messages import NoCropReason
from teleder.cases import drawn_crops
from teleder.cases.drawn_crops import DrawnCropState
from teleder.cases.drawn_verdict import verdict_on
from teleder.cases.models import DrawnCrop, Submission
from teleder.cases.verdict import Verdict
from teleder.web.clinician.readings import SHA_SHOWN, Reading

SIDES = ("x", "y", "width", "height")
TOO_LITTLE = {
    NoCropReason.TOO_LITTLE_SKIN: gettext_lazy("too little skin: it needs more than 80%"),
    NoCropReason.TOO_LITTLE_LESION: gettext_lazy("too little lesion: it needs more than 10%"),
}


@dataclass(frozen=True)
class ShownDrawnCrop:
    """A drawn crop with what the model says of it, once it has read it; shares in percent."""

    row: DrawnCrop
    state: DrawnCropState
    verdict: Verdict | None = None
    skin: int = 0
    lesion: int = 0
    why_not: str = ""
    models: tuple[str, ...] = ()

    @property
    def is_waiting(self) -> bool:
        return self.state == DrawnCropState.WAITING

    @property
    def has_failed(self) -> bool:
        return self.state == DrawnCropState.FAILED


class Drawing:
    """What the page shows of the crops that were drawn on a photo, and with what another begins."""

    def __init__(self, reading: Reading, submission: Submission, *, may_draw: bool, has_some: bool) -> None:
        self.reading, self.photo = reading, reading.photo
        self.may_draw = may_draw and drawn_crops.may_be_drawn_on(self.photo, submission)
        self._has_some = has_some
        self.refusal = ""

    @cached_property
    def shown(self) -> list[ShownDrawnCrop]:
        if not self._has_some or self.reading.analysis is None:
            return []
        return [_shown(row, state) for row, state in drawn_crops.drawn_crops_of(self.photo)]

    @property
    def is_waiting(self) -> bool:
        return any(one.is_waiting for one in self.shown)

    @property
    def first_box(self) -> dict[str, int]:
        """Where drawing begins: the model's best crop, its best rejected one, or the middle of the photo."""
        analysis, photo = self.reading.analysis, self.photo
        found = (analysis.boxes or [analysis.nearest_miss])[0]
        if found:
            return {name: found[name] for name in SIDES}
        side = min(photo.analysis_width, photo.analysis_height) // 2
        return {
            "x": (photo.analysis_width - side) // 2,
            "y": (photo.analysis_height - side) // 2,
            "width": side,
            "height": side,
        }

    @property
    def side_at_least(self) -> int:
        return min(SIDE_AT_LEAST, self.photo.analysis_width, self.photo.analysis_height)

    @property
    def little_skin(self) -> str:
        return str(TOO_LITTLE[NoCropReason.TOO_LITTLE_SKIN])

    @property
    def little_lesion(self) -> str:
        return str(TOO_LITTLE[NoCropReason.TOO_LITTLE_LESION])

    @property
    def runs_at_most(self) -> int:
        return RUNS_AT_MOST


def _shown(row: DrawnCrop, state: DrawnCropState) -> ShownDrawnCrop:
    outcome = row.finding.outcome if state == DrawnCropState.DONE else None
    if outcome is None:
        return ShownDrawnCrop(row, state)
    segmented, classified = outcome.segmented, outcome.classified
    box = segmented.boxes[0] if segmented.boxes else segmented.nearest_miss
    used = (segmented.model, classified.model)
    return ShownDrawnCrop(
        row,
        state,
        verdict=verdict_on(row, outcome),
        skin=round(box.skin * 100),
        lesion=round(box.lesion * 100),
        why_not=str(TOO_LITTLE.get(segmented.no_box, "")),
        models=tuple(f"{model.name} {model.version} {model.sha256[:SHA_SHOWN]}" for model in used),
    )


def drawing_of(
    submission: Submission,
    reading: Reading | None,
    *,
    is_mine: bool,
    is_past: bool = False,
    has_some: bool = True,
) -> Drawing | None:
    """Return what the page shows of drawn crops; None where the AI's opinion is closed, or it has not read the photo."""
    if reading is None or is_past or not reading.is_classified:
        return None
    may_draw = is_mine and not getattr(submission, "held_answer", None)
    return Drawing(reading, submission, may_draw=may_draw, has_some=has_some)
