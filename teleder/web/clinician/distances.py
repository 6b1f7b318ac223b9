"""The distance report of a photo as pictures, text and table for dermatologists; it speaks of no condition that the verdict does not."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from contract.alarms import Condition
from contract.distance import INCONCLUSIVE, NOT_USABLE, DistanceReport, Look, alarms_of, name_of
from contract.messages import ModelRef
from teleder.cases import triage
from teleder.cases.models import Photo
from teleder.cases.verdict import Verdict, shown_report, why_muted
from teleder.pipeline import queue
from teleder.pipeline.queue import OnDemandState
from teleder.web import wording

# The chart: one column for each scale, in units of its view box.
COLUMN, HEIGHT, EDGE = 90, 44, 6
# What changes on the way from 1x: going nearer, and going farther.
CHANGES = {
    "rings": (
        gettext_lazy("From %(scale)s× nearer, an alarm rings."),
        gettext_lazy("From %(scale)s× and farther, an alarm rings."),
    ),
    "stops": (
        gettext_lazy("From %(scale)s× nearer, the alarm no longer rings."),
        gettext_lazy("From %(scale)s× and farther, the alarm no longer rings."),
    ),
    "other_alarm": (
        gettext_lazy("From %(scale)s× nearer, another alarm rings."),
        gettext_lazy("From %(scale)s× and farther, another alarm rings."),
    ),
    "no_skin": (
        gettext_lazy("From %(scale)s× nearer, no skin is found."),
        gettext_lazy("From %(scale)s× and farther, no skin is found."),
    ),
    "name": (
        gettext_lazy("From %(scale)s× nearer, the AI names a condition."),
        gettext_lazy("From %(scale)s× and farther, the AI names a condition."),
    ),
    "other_name": (
        gettext_lazy("From %(scale)s× nearer, the AI names another condition."),
        gettext_lazy("From %(scale)s× and farther, the AI names another condition."),
    ),
    "silent": (
        gettext_lazy("From %(scale)s× nearer, the AI says nothing."),
        gettext_lazy("From %(scale)s× and farther, the AI says nothing."),
    ),
}


@dataclass(frozen=True)
class Place:
    """A rectangle in pixels of the analysis copy."""

    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True)
class ShownLook:
    """One scale: where the photo lies in the frame, the areas in it, and the row of the table."""

    scale: str
    photo: Place
    areas: list[Place]
    answer: str
    scores: list[str]
    is_change: bool  # the answer differs from that one step farther


@dataclass(frozen=True)
class Point:
    x: int
    y: float
    is_over: bool


@dataclass(frozen=True)
class Chart:
    """The score of one alarm at each scale, and its line."""

    condition: str
    points: list[Point]
    line: float
    threshold: str
    note: str = ""  # why the case has this alarm although the photo, at its own distance, lies under the line

    @property
    def path(self) -> str:
        return " ".join(f"{point.x},{point.y}" for point in self.points)


@dataclass(frozen=True)
class ShownReport:
    """The report as the page shows it. `models` names those that differ from the models of the findings."""

    looks: list[ShownLook]
    charts: list[Chart]
    sentences: list[str]
    stability: str
    is_stable: bool
    models: str


class Distances:
    """What the page shows of the distances of a photo."""

    def __init__(self, photo: Photo, verdict: Verdict) -> None:
        self.photo, self.verdict = photo, verdict

    @cached_property
    def state(self) -> OnDemandState:
        return queue.distance_state(self.photo)

    @property
    def may_be_asked(self) -> bool:
        return queue.may_request_distance_report(self.photo)

    @property
    def is_waiting(self) -> bool:
        return self.state == OnDemandState.WAITING

    @property
    def has_failed(self) -> bool:
        return self.state == OnDemandState.FAILED

    @property
    def report(self) -> ShownReport | None:
        policy = triage.policy(self.photo.submission.policy)
        names = self.verdict.reports_names
        found = self.photo.analysis and shown_report(self.photo.analysis, policy, names=names)
        if found is None:
            return None
        alarms = [] if why_muted(self.photo, policy) else [one.condition for one in self.verdict.alarms]
        shown = [
            one for one in found.thresholds if one in alarms and all(one in x.scores for x in found.looks)
        ]
        changed = {near for _far, near in found.changes}
        return ShownReport(
            looks=[self._look(look, found, shown, is_change=look.scale in changed) for look in found.looks],
            charts=[
                dataclasses.replace(_chart(found, condition), note=self._note(found, condition))
                for condition in shown
            ],
            sentences=list(_sentences(found)),
            stability=_("The AI says the same at %(same)d of %(n)d other distances.")
            % {"same": found.same, "n": len(found.looks) - 1},
            is_stable=found.is_stable,
            models=self._other_models(found),
        )

    def _look(self, look: Look, report: DistanceReport, shown: list[str], *, is_change: bool) -> ShownLook:
        size = self.photo.analysis_width, self.photo.analysis_height
        return ShownLook(
            scale=_number(look.scale),
            photo=_place_of_photo(size, look.scale, (report.x, report.y)),
            areas=[Place(box.x, box.y, box.width, box.height) for box in look.boxes],
            answer=self._answer(look.verdict),
            scores=[_number(look.scores[condition], 2) for condition in shown],
            is_change=is_change,
        )

    def _answer(self, verdict: str) -> str:
        if rung := alarms_of(verdict):
            named = [wording.condition(one) for one in rung if one in self.verdict.conditions]
            several = len(self.verdict.alarms) > 1 and named
            return _("alarm: %(conditions)s") % {"conditions": ", ".join(named)} if several else _("alarm")
        if verdict == NOT_USABLE:
            return _("no skin found")
        if verdict == INCONCLUSIVE:
            return _("says nothing")
        name: Condition | None = name_of(verdict)
        return wording.condition(name) if name in self.verdict.conditions else _("names a condition")

    def _note(self, report: DistanceReport, condition: str) -> str:
        own = next(look for look in report.looks if look.scale == 1)
        if own.scores[condition] >= report.thresholds[condition]:
            return ""
        if condition in {alarm.condition for alarm in self.photo.analysis.ringing}:
            return _(
                "Measured again at its own distance, this photo lies under the alarm line; the alarm of the first reading stays."
            )
        return _(
            "At its own distance, this photo lies under the alarm line: the alarm is of another photo of the case."
        )

    def _other_models(self, report: DistanceReport) -> str:
        own = self.photo.analysis.segmentation_model, self.photo.analysis.classification_model
        used = report.segmentation_model, report.classification_model
        if own == tuple(map(vars, used)):
            return ""
        return ", ".join(map(_model, used))


def _model(model: ModelRef) -> str:
    return f"{model.name} {model.version}"


def _number(value: float, digits: int | None = None) -> str:
    return number_format(value if digits is not None else f"{value:g}", digits)


def _place_of_photo(size: tuple[int, int], scale: float, centre: tuple[float, float]) -> Place:
    """Return where the whole photo lies in a frame of its own size: above 1x around `centre`, below in the middle."""
    large = [round(side * scale) for side in size]
    if scale < 1:
        start = [(side - part) // 2 for side, part in zip(size, large, strict=True)]
    else:
        middle = [round(side / 2 - at * part) for side, at, part in zip(size, centre, large, strict=True)]
        start = [min(0, max(side - part, at)) for side, part, at in zip(size, large, middle, strict=True)]
    return Place(*start, *large)


def _chart(report: DistanceReport, condition: str) -> Chart:
    scores, line = [look.scores[condition] for look in report.looks], report.thresholds[condition]
    top = max(*scores, line, 0.01)

    def height(score: float) -> float:
        return round(HEIGHT - EDGE - score / top * (HEIGHT - 2 * EDGE), 1)

    return Chart(
        condition=wording.condition(condition),
        points=[
            Point(COLUMN // 2 + COLUMN * index, height(score), score >= line)
            for index, score in enumerate(scores)
        ],
        line=height(line),
        threshold=_number(line, 2),
    )


def _sentences(report: DistanceReport) -> Iterable[str]:
    """Yield one sentence for each change, the nearest to 1x first: farther ones, then nearer ones."""
    verdicts = {look.scale: look.verdict for look in report.looks}
    farther = [(near, far) for far, near in reversed(report.changes) if near <= 1]
    nearer = [change for change in report.changes if change[0] >= 1]
    for direction, changes in ((1, farther), (0, nearer)):
        for inner, outer in changes:
            text = CHANGES[_kind_of_change(verdicts[inner], verdicts[outer])][direction]
            yield text % {"scale": _number(outer)}


def _kind_of_change(before: str, after: str) -> str:
    if alarms_of(after):
        return "other_alarm" if alarms_of(before) else "rings"
    if alarms_of(before):
        return "stops"
    if after == NOT_USABLE:
        return "no_skin"
    if name_of(after):
        return "other_name" if name_of(before) else "name"
    return "silent"
