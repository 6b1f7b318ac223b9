"""What dermatologists see of a photo and of a submission: the AI's findings, answers, history, in words."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from contract.messages import Condition
from teleder.cases import triage
from teleder.cases.models import Analysis, Finding, Photo, Submission
from teleder.cases.questionnaire import (
    HISTORY_CHOICES,
    HISTORY_SCALES,
    HISTORY_TEXTS,
    red_flag_questions,
)
from teleder.cases.triage import Urgency
from teleder.web import wording

SHA_SHOWN = 12
ALARMING = (Condition.HI, Condition.IM, Condition.MF)
LABELS_ACROSS = 40
HISTORY_TITLES = {
    "duration": gettext_lazy("How long"),
    "symptoms": gettext_lazy("Symptoms"),
    **HISTORY_SCALES,
    **HISTORY_TEXTS,
}
ANSWER_ORDER = {"unsure": 1, "no": 2}  # every kind of "yes" comes before them


@dataclass(frozen=True)
class Bar:
    """One condition of a reading: in words, and in hundredths for the drawing."""

    condition: str
    likelihood: str
    percent: int
    threshold: int | None
    is_over: bool


@dataclass(frozen=True)
class Box:
    """One area that was read closely; x to height in pixels of the analysis copy, shares in hundredths."""

    number: int
    x: int
    y: int
    width: int
    height: int
    skin: int
    lesion: int


@dataclass(frozen=True)
class Model:
    task: str
    name: str
    version: str
    sha: str


@dataclass(frozen=True)
class Attribution:
    """The map of what spoke for a condition; `area` is the number of the box that has a map of its own."""

    condition: str
    area: int | None


class Reading:
    """A photo as the dermatologist reads it, with what the newest analysis says of it."""

    def __init__(self, photo: Photo) -> None:
        self.photo = photo
        self.analysis: Analysis | None = photo.analysis
        self.fault = wording.FAULTS.get(photo.fault) or wording.REASONS.get(photo.reason, "")

    @property
    def is_classified(self) -> bool:
        return self.analysis is not None and self.analysis.classified_at is not None

    @property
    def abstention(self) -> str:
        code = self.analysis.abstention if self.analysis else ""
        return wording.ABSTENTIONS.get(code, code)

    @property
    def no_box(self) -> str:
        code = self.analysis.no_box if self.analysis else ""
        return wording.NO_BOX.get(code, code)

    @property
    def nearest_miss(self) -> dict[str, int]:
        row = self.analysis.nearest_miss if self.analysis else None
        return {name: _hundredths(row[name]) for name in ("skin", "lesion")} if row else {}

    @property
    def shares(self) -> dict[str, int]:
        return {"skin": _hundredths(self.analysis.skin), "lesion": _hundredths(self.analysis.lesion)}

    @property
    def plausible(self) -> list[str]:
        return [wording.condition(code) for code in self.analysis.plausible] if self.is_classified else []

    @property
    def bars(self) -> list[Bar]:
        return [_bar(finding) for finding in self.analysis.findings.all()] if self.analysis else []

    @property
    def boxes(self) -> list[Box]:
        rows = self.analysis.boxes if self.analysis else []
        return [_box(number, row) for number, row in enumerate(rows, start=1)]

    @property
    def attribution(self) -> Attribution | None:
        if not getattr(self.analysis, "attribution_key", ""):
            return None
        box = self.analysis.attribution_box
        condition = wording.condition(self.analysis.attribution_condition)
        return Attribution(condition, area=None if box is None else box + 1)

    @property
    def label_size(self) -> int:
        """Height of the boxes' labels, in pixels of the analysis copy."""
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
    def views(self) -> Iterable[tuple[str, list[int | None]]]:
        """Yield a name and the hundredths per condition, in the order of `conditions`, for each view."""
        order = [finding.condition for finding in self.analysis.findings.all()]
        for view in self.analysis.views:
            name = _("whole photo") if view["box"] is None else _("area %(n)d") % {"n": view["box"] + 1}
            found = view["probabilities"]
            yield name, [_hundredths(found[code]) if code in found else None for code in order]


def _bar(finding: Finding) -> Bar:
    # For the harmless ones the threshold is that of naming, no alarm.
    alarm = finding.threshold if finding.condition in ALARMING else None
    return Bar(
        condition=wording.condition(finding.condition),
        likelihood=wording.likelihood(finding.probability, alarm),
        percent=_hundredths(finding.probability),
        threshold=None if alarm is None else _hundredths(alarm),
        is_over=alarm is not None and finding.is_over_threshold,
    )


def _box(number: int, row: dict[str, Any]) -> Box:
    shares = {name: _hundredths(row[name]) for name in ("skin", "lesion")}
    return Box(number=number, **{name: row[name] for name in ("x", "y", "width", "height")}, **shares)


def _hundredths(share: float) -> int:
    return round(share * 100)


@dataclass(frozen=True)
class Flag:
    words: str
    origin: str
    level: str


def flags_of(submission: Submission) -> list[Flag]:
    """Return the reasons to look sooner, those that ask for the highest level first."""
    rows = sorted(
        submission.flags, key=lambda row: -1 if row["level"] is None else row["level"], reverse=True
    )
    return [
        Flag(
            words=wording.flag_words(row),
            origin=triage.Origin(row["origin"]).label,
            level="" if row["level"] is None else Urgency(row["level"]).label,
        )
        for row in rows
    ]


@dataclass(frozen=True)
class Answer:
    question: str
    words: str
    value: str


def answers_of(submission: Submission) -> list[Answer]:
    """Return the red-flag answers, "yes" first, then "I don't know", then "no"."""
    questions = red_flag_questions(triage.policy(submission.policy))
    answers = [
        Answer(question.text, str(dict(question.choices).get(value, value)), value)
        for question in questions
        if (value := submission.answers.get(question.id)) is not None
    ]
    return sorted(answers, key=lambda answer: ANSWER_ORDER.get(answer.value, 0))


def history_of(submission: Submission) -> list[tuple[str, str]]:
    history = submission.history
    return [(str(title), _told(key, history[key])) for key, title in HISTORY_TITLES.items() if key in history]


def _told(key: str, value: Any) -> str:
    if key not in HISTORY_CHOICES:
        return str(value)
    labels = dict(HISTORY_CHOICES[key].choices)
    values = value if isinstance(value, list) else [value]
    return ", ".join(str(labels.get(item, item)) for item in values)
