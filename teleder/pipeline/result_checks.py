"""Checks a result against the job it names. Its types and ranges were checked before, in `contract.messages`."""

from __future__ import annotations

from collections.abc import Iterable

from contract.distance import alarms_of
from contract.messages import (
    Analysed,
    Box,
    Checked,
    Classified,
    DistanceReport,
    Failed,
    FullCopy,
    InvalidMessageError,
    Outcome,
    Prepared,
    Reason,
    Segmented,
    Stage,
)
from contract.storage import keys
from teleder.cases.models import Job, Photo
from teleder.cases.triage import ALARMING

OUTCOMES = {
    Stage.PREPARE: Prepared,
    Stage.FULL: FullCopy,
    Stage.ANALYSE: Analysed,
    Stage.CHECK: Checked,
    Stage.DISTANCE: DistanceReport,
    Stage.REANALYSE: Analysed,
}


def check_outcome(job: Job, outcome: Outcome) -> None:
    """Raise `InvalidMessageError` for an outcome that cannot be of this attempt."""
    if isinstance(outcome, Failed):
        return
    _require(isinstance(outcome, OUTCOMES[Stage(job.stage)]), f"kind: not that of {job.stage}")
    for name, key in _keys(outcome):
        mine = keys.is_made_by(job.photo_id, Stage(job.stage), job.attempt, key)
        _require(mine, f"{name}: not a picture in the attempt's own folder")
    _CHECKS[type(outcome)](job.photo, outcome)
    if job.stage == Stage.REANALYSE:
        _reanalysed(job.photo, outcome.segmented)


def _require(holds: bool, otherwise: str) -> None:
    if not holds:
        raise InvalidMessageError(otherwise)


def _keys(outcome: Outcome) -> Iterable[tuple[str, str]]:
    if isinstance(outcome, Prepared):
        yield from (
            (name, getattr(outcome, name)) for name in (*COPIES, "veiled_key") if getattr(outcome, name)
        )
    elif isinstance(outcome, FullCopy):
        yield "full_key", outcome.full_key
    elif isinstance(outcome, Analysed):
        yield "segmented.mask_key", outcome.segmented.mask_key
        if outcome.classified is not None and (drawn := outcome.classified.attribution) is not None:
            yield "classified.attribution.key", drawn.key


COPIES = ("display_key", "analysis_key", "thumbnail_key")
SIDES = ("width", "height", "analysis_width", "analysis_height")


def _prepared(photo: Photo, outcome: Prepared) -> None:
    """All copies with their sizes, or none of them and the reason."""
    usable = outcome.reason in (None, Reason.POOR_QUALITY)
    for name in COPIES:
        _require(bool(getattr(outcome, name)) == usable, f"{name}: does not go with the reason")
    _require(usable or not outcome.veiled_key, "veiled_key: does not go with the reason")
    for name in SIDES:
        _require(getattr(outcome, name) > 0 or not usable, f"{name}: none")


def _analysed(photo: Photo, outcome: Analysed) -> None:
    """A classification, or the reason why there is none."""
    _segmented(photo, outcome.segmented)
    _require((outcome.classified is None) != (outcome.failure is None), "failure: not without a finding")
    if outcome.classified is not None:
        _classified(outcome.classified, boxes=len(outcome.segmented.boxes))


def _segmented(photo: Photo, outcome: Segmented) -> None:
    for index, box in enumerate(outcome.boxes):
        _require(_is_inside(box, photo), f"boxes[{index}]: not inside the analysis copy")
    names = [sign.name for sign in outcome.signs]
    _require(len(names) == len(set(names)), "signs: a name twice")
    miss = outcome.nearest_miss
    _require(miss is None or _is_inside(miss, photo), "nearest_miss: not inside the analysis copy")


def _is_inside(box: Box, photo: Photo) -> bool:
    return box.x + box.width <= photo.analysis_width and box.y + box.height <= photo.analysis_height


def _classified(outcome: Classified, *, boxes: int) -> None:
    indices = [view.box for view in outcome.views]
    _require(len(indices) == len(set(indices)), "views: a box twice")
    _require(all(index is None or index < boxes for index in indices), "views: no such box")
    _require(outcome.top is None or outcome.top in outcome.probabilities, "top: has no probability")
    conditions = [alarm.condition for alarm in outcome.alarms]
    _require(len(conditions) == len(set(conditions)), "alarms: a condition twice")
    for index, alarm in enumerate(outcome.alarms):
        _require(alarm.condition in ALARMING, f"alarms[{index}].condition: no alarm is for it")
        for name in ("sensitivity", "likelihood_ratio", "likelihood_ratio_ad"):
            figure = getattr(alarm, name)
            _require(figure is None or figure.low <= figure.high, f"alarms[{index}].{name}: low above high")
        _require(
            alarm.sensitivity is None or alarm.sensitivity.high <= 1, f"alarms[{index}].sensitivity: above 1"
        )
    if (drawn := outcome.attribution) is not None:
        _require(drawn.box is None or drawn.box < boxes, "attribution.box: no such box")
        _require(drawn.condition in outcome.probabilities, "attribution.condition: has no probability")


def _reanalysed(photo: Photo, outcome: Segmented) -> None:
    """The crop that was drawn, as a box or with the reason why it is none."""
    drawn = photo.drawn_crops.latest("at", "id").box
    _require(bool(outcome.boxes) != bool(outcome.no_box), "no_box: not without the drawn crop")
    (found,) = outcome.boxes[:1] or (outcome.nearest_miss,)
    is_it = found is not None and {name: getattr(found, name) for name in vars(drawn)} == vars(drawn)
    _require(is_it and len(outcome.boxes) < 2, "boxes: not the one that was drawn")


def _checked(photo: Photo, outcome: Checked) -> None:
    _require(outcome.largest <= outcome.skin, "largest: more than all skin")
    _require(outcome.lesion <= outcome.skin, "lesion: more than all skin")


def _distance_reported(photo: Photo, outcome: DistanceReport) -> None:
    analysis = photo.analysis
    _require(analysis is not None and analysis.is_classified, "kind: there is no classification to compare")
    _require(set(outcome.thresholds) <= set(ALARMING), "thresholds: no alarm is for it")
    for index, look in enumerate(outcome.looks):
        inside = all(_is_inside(box, photo) for box in look.boxes)
        _require(inside, f"looks[{index}].boxes: not inside the photo")
        _require(look.scores.keys() == outcome.thresholds.keys(), f"looks[{index}].scores: not of each alarm")
        rung = {name for name, score in look.scores.items() if score >= outcome.thresholds[name]}
        _require(rung == set(alarms_of(look.verdict)), f"looks[{index}].verdict: not by its scores")


_CHECKS = {
    Prepared: _prepared,
    FullCopy: lambda photo, outcome: None,
    Analysed: _analysed,
    Checked: _checked,
    DistanceReport: _distance_reported,
}
