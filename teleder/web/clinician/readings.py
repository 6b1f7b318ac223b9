"""What dermatologists read about a photo and a submission: AI findings, answers and history as text."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from teleder.cases import triage
from teleder.cases.missing_photos import said_of_missing
from teleder.cases.models import Analysis, Photo, Submission
from teleder.cases.questionnaire import (
    HISTORY_CHOICES,
    HISTORY_SCALES,
    in_words,
    red_flag_questions,
)
from teleder.cases.triage import ALARMING, Urgency
from teleder.cases.verdict import Verdict
from teleder.web import wording
from teleder.web.clinician.distances import Distances
from teleder.web.clinician.signs import ShownSign, shown_signs

SHA_SHOWN = 12
LABELS_ACROSS = 40
HISTORY_TITLES = {
    "duration": gettext_lazy("How long"),
    "symptoms": gettext_lazy("Symptoms"),
    "itch": gettext_lazy("Itch"),
    "sleep": gettext_lazy("Sleep loss"),
    "different": gettext_lazy("Different"),
    "contacts": gettext_lazy("Contacts"),
    "treatment": gettext_lazy("Treatment"),
    "medicines": gettext_lazy("Medicines"),
    "allergies": gettext_lazy("Allergies"),
}
SCALE_TOP = 10
ANSWER_ORDER = {"unsure": 1, "no": 2}  # every kind of "yes" comes before them


@dataclass(frozen=True)
class Bar:
    """One condition of a reading, in percent."""

    condition: str
    percent: int
    threshold: int | None
    is_over: bool


@dataclass(frozen=True)
class Box:
    """One closely analysed area: x to height in pixels of the analysis copy, shares in percent.

    `tag_x` and `tag_y` are where the square with its number stands; no two of a photo overlap.
    """

    number: int
    x: int
    y: int
    width: int
    height: int
    skin: int
    lesion: int
    tag_x: int
    tag_y: int


@dataclass(frozen=True)
class Model:
    task: str
    name: str
    version: str
    sha: str


@dataclass(frozen=True)
class Attribution:
    """The heat map of a condition; `area` is the number of the box with a map of its own."""

    condition: str
    area: int | None


class Reading:
    """A photo with the results of its newest analysis; it speaks of no condition that the verdict does not."""

    def __init__(self, photo: Photo, verdict: Verdict, *, is_open: bool) -> None:
        self.photo, self.verdict = photo, verdict
        # Where the AI's opinion is not open to the reader, the photo is shown as if no model had seen it.
        self.analysis: Analysis | None = photo.analysis if is_open else None
        self.fault = wording.FAULTS.get(photo.fault) or wording.REASONS.get(photo.reason, "")

    @property
    def is_classified(self) -> bool:
        return self.analysis is not None and self.analysis.is_classified

    @property
    def no_crop_reason(self) -> str:
        code = self.analysis.no_box if self.analysis else ""
        return wording.NO_CROP_REASONS.get(code, code)

    @property
    def best_rejected_crop(self) -> dict[str, int]:
        row = self.analysis.nearest_miss if self.analysis else None
        return {name: _percent(row[name]) for name in ("skin", "lesion")} if row else {}

    @property
    def shares(self) -> dict[str, int]:
        return {"skin": _percent(self.analysis.skin), "lesion": _percent(self.analysis.lesion)}

    @property
    def names(self) -> bool:
        return self.is_classified and self.verdict.names

    @property
    def bars(self) -> list[Bar]:
        """The probability of each condition, where the model may name one."""
        bars = []
        for finding in self.analysis.findings.all() if self.names else []:
            # For harmless conditions the threshold is that of naming, no alarm.
            alarm = finding.threshold if finding.condition in ALARMING else None
            bars.append(
                Bar(
                    condition=wording.condition(finding.condition),
                    percent=_percent(finding.probability),
                    threshold=None if alarm is None else _percent(alarm),
                    is_over=alarm is not None and finding.is_over_threshold,
                )
            )
        return bars

    @property
    def boxes(self) -> list[Box]:
        boxes, taken = [], []
        for number, row in enumerate(self.analysis.boxes if self.analysis else [], start=1):
            sides = {name: row[name] for name in ("x", "y", "width", "height")}
            shares = {name: _percent(row[name]) for name in ("skin", "lesion")}
            taken.append(self._place_of_tag(taken, **sides))
            boxes.append(Box(number=number, **sides, **shares, tag_x=taken[-1][0], tag_y=taken[-1][1]))
        return boxes

    def _place_of_tag(
        self, taken: list[tuple[int, int]], *, x: int, y: int, width: int, height: int
    ) -> tuple[int, int]:
        """Return the first free place: a corner of the box, else along its upper edge."""
        size = self.label_size
        right, low = x + width - size, y + height - size
        places = [
            (x, y),
            (right, y),
            (x, low),
            (right, low),
            *((x + step * size, y) for step in range(1, 40)),
        ]
        is_free = lambda place: all(abs(place[0] - a) >= size or abs(place[1] - b) >= size for a, b in taken)  # noqa: E731
        return next(filter(is_free, places), (x, y))

    @property
    def attribution(self) -> Attribution | None:
        drawn = getattr(self.analysis, "attribution_key", "")
        if not drawn or self.analysis.attribution_condition not in self.verdict.conditions:
            return None
        box = self.analysis.attribution_box
        condition = wording.condition(self.analysis.attribution_condition)
        return Attribution(condition, area=None if box is None else box + 1)

    @property
    def distances(self) -> Distances:
        return Distances(self.photo, self.verdict)

    @property
    def signs(self) -> list[ShownSign]:
        return shown_signs(self.analysis.signs if self.analysis else [])

    @property
    def label_size(self) -> int:
        """Side of the squares with the boxes' numbers, in pixels of the analysis copy."""
        return max(1, self.photo.analysis_width // LABELS_ACROSS)

    @property
    def models(self) -> list[Model]:
        if self.analysis is None:
            return []
        used = [
            (_("finds skin and lesion"), self.analysis.segmentation_model),
            (_("classifies the condition"), self.analysis.classification_model),
        ]
        known = [(task, model) for task, model in used if model and model["sha256"]]
        return [Model(task, m["name"], m["version"], m["sha256"][:SHA_SHOWN]) for task, m in known]

    @property
    def conditions(self) -> list[str]:
        return [wording.condition(finding.condition) for finding in self.analysis.findings.all()]

    @property
    def crops(self) -> Iterable[tuple[str, list[int | None]]]:
        """Yield the name of each crop and its percent per condition, in the order of `conditions`."""
        order = [finding.condition for finding in self.analysis.findings.all()]
        for crop in self.analysis.views:
            name = _("whole photo") if crop["box"] is None else _("area %(n)d") % {"n": crop["box"] + 1}
            found = crop["probabilities"]
            yield name, [_percent(found[code]) if code in found else None for code in order]


def _percent(share: float) -> int:
    return round(share * 100)


@dataclass(frozen=True)
class Flag:
    text: str
    origin: str
    level: str
    urgency: int | None


def flags_of(flags: Iterable[dict[str, Any]]) -> list[Flag]:
    """Return the reasons to look sooner, the most urgent first; those of AI and photos that raise nothing stand in the
    verdict alone."""
    answered = triage.Origin.ANSWERS
    shown = [row for row in flags if row["level"] is not None or row["origin"] == answered]
    return [
        Flag(
            text=wording.flag_text(row),
            origin=triage.Origin(row["origin"]).label,
            level="" if row["level"] is None else Urgency(row["level"]).label,
            urgency=row["level"],
        )
        for row in sorted(shown, key=lambda row: -1 if row["level"] is None else row["level"], reverse=True)
    ]


@dataclass(frozen=True)
class Answer:
    question: str
    text: str
    value: str
    was: list[tuple[str, datetime]]  # what was answered before it was corrected, until when


def red_flag_answers(submission: Submission) -> list[Answer]:
    """Return the red-flag answers, "yes" first, then "I don't know", then "no"."""
    questions = red_flag_questions(triage.policy(submission.policy))
    answers = [
        Answer(
            question.text,
            str(dict(question.choices).get(value, value)),
            value,
            [
                (
                    str(dict(question.choices).get(row["was"], row["was"])),
                    datetime.fromisoformat(row["until"]),
                )
                for row in submission.answer_changes
                if row["question"] == question.id
            ],
        )
        for question in questions
        if (value := submission.answers.get(question.id)) is not None
    ]
    return sorted(answers, key=lambda answer: ANSWER_ORDER.get(answer.value, 0))


def history_of(
    submission: Submission, photos: list[Photo], last: Submission | None = None
) -> list[tuple[str, str]]:
    """Return the history as short titles with the answers as text; scales with what they were at the visit before."""
    rows = []
    for key, title in HISTORY_TITLES.items():
        if key in submission.history:
            value = in_words(key, submission.history[key])
            labels = dict(HISTORY_CHOICES[key].choices) if key in HISTORY_CHOICES else {}
            values = value if isinstance(value, list) else [value]
            text = _(", ").join(str(labels.get(item, item)) for item in values)
            if key in HISTORY_SCALES:
                text = f"{value} / {SCALE_TOP}"
                if last is not None and key in last.history:
                    text += " " + _("(last time %(n)s)") % {"n": last.history[key]}
            rows.append((str(title), text))
    if submission.missing_photo and (said := said_of_missing(submission, photos)):
        missing, because = said
        if len(submission.case.body_places) > 1:
            rows.append((str(_("Photos missing")), f"{missing}\n{because}"))
        else:
            rows.append((str(_("Photo missing")), because))
    return rows
