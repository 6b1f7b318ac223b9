"""The verdict: the one thing that the AI says of a submission, the same on every page and in the API, for staff only.

The first row that fits decides: a condition over its alarm line, not used, waiting, an alarm without proof, no usable
photo, not available, named, inconclusive. An alarm is judged before scope and photo quality: a poor or odd photo mutes
names and numbers, never an alarm.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from django.db import models
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from contract.alarms import Alarm, Condition
from contract.distance import DistanceReport
from contract.messages import Abstention
from contract.photos import QualityFault, Reason
from teleder.cases import triage
from teleder.cases.estimates import Estimate, FalseAlarms, estimate_of, false_alarms_of
from teleder.cases.models import AIStatus, Analysis, Photo, PhotoState, Submission
from teleder.cases.naming import clinic_may_name
from teleder.cases.triage import ALARMING, Policy, Urgency
from teleder.pipeline.transitions import AI_READ

CONDITIONS = {
    Condition.AD: gettext_lazy("atopic dermatitis"),
    Condition.HI: gettext_lazy("herpesvirus infection"),
    Condition.IM: gettext_lazy("impetigo"),
    Condition.MF: gettext_lazy("mycosis fungoides"),
    Condition.OTHER: gettext_lazy("another condition"),
}
NO_CROP, UNPROVEN, DEMONSTRATION, FEW_CASES = "no_crop", "unproven_alarm", "demonstration", "few_cases"
UNSTABLE = "unstable_with_distance"
DRAWN = "drawn_crop"
BECAUSE = {
    Abstention.UNCERTAIN: gettext_lazy("no condition stands out"),
    Abstention.OUT_OF_SCOPE: gettext_lazy("the photo is unlike those it learned from"),
    Abstention.NO_SKIN: gettext_lazy("no skin was found in the photo"),
    NO_CROP: gettext_lazy("no area of the photo shows enough skin and lesion"),
    UNPROVEN: gettext_lazy("the alarm for %(condition)s rang, but that alarm has not proven its worth"),
    DEMONSTRATION: gettext_lazy("this is a demonstration model, which names no condition"),
    FEW_CASES: gettext_lazy("this clinic has too few signed cases for it to name a condition"),
    UNSTABLE: gettext_lazy("its answer changes with the distance of the photo"),
    DRAWN: gettext_lazy("they were measured on the model's own crops"),
    QualityFault.TOO_DARK: gettext_lazy("the photo is too dark"),
    QualityFault.TOO_BRIGHT: gettext_lazy("the photo is too bright"),
    QualityFault.BLURRED: gettext_lazy("the photo is blurred"),
    QualityFault.GLARE: gettext_lazy("the skin in the photo reflects the light"),
    QualityFault.NOT_A_PHOTO: gettext_lazy("the picture may not be a photo of skin"),
    Reason.POOR_QUALITY: gettext_lazy("the photo is hard to read"),
}
UNREADABLE = gettext_lazy("the photo cannot be opened")


class VerdictKind(models.TextChoices):
    """What the AI says."""

    CANNOT_RULE_OUT = "cannot_rule_out", gettext_lazy("cannot rule out")
    NAMED = "named", gettext_lazy("named")
    INCONCLUSIVE = "inconclusive", gettext_lazy("inconclusive")
    UNUSABLE = "unusable", gettext_lazy("photo not usable")
    WAITING = "waiting", gettext_lazy("waiting")
    UNAVAILABLE = "unavailable", gettext_lazy("not available")
    NOT_USED = "not_used", gettext_lazy("not used")
    HIDDEN = "hidden", gettext_lazy("not open yet")


class Chip(models.TextChoices):
    """The verdict in the worklist. It names no condition."""

    SOONER = "sooner", gettext_lazy("AI: look sooner")
    OPINION = "opinion", gettext_lazy("AI: has an opinion")
    SILENT = "silent", gettext_lazy("AI: says nothing")
    WAITING = "waiting", gettext_lazy("AI: waiting")
    STOPPED = "stopped", gettext_lazy("AI: stopped")


CHIPS = {
    VerdictKind.NAMED: Chip.OPINION,
    VerdictKind.INCONCLUSIVE: Chip.SILENT,
    VerdictKind.UNUSABLE: Chip.SILENT,
    VerdictKind.WAITING: Chip.WAITING,
    VerdictKind.UNAVAILABLE: Chip.STOPPED,
}


@dataclass(frozen=True, kw_only=True)
class AlarmVerdict:
    """A condition over its alarm line. `level` is what it raises to; `muted` says why there are no numbers."""

    condition: Condition
    level: Urgency | None
    estimate: Estimate | None
    false_alarms: FalseAlarms | None = None
    muted: str = ""

    @property
    def name(self) -> str:
        return str(CONDITIONS[self.condition])

    @property
    def why_muted(self) -> str:
        return _("No numbers: %(reason)s.") % {"reason": _because(self.muted)} if self.muted else ""


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """`reason` is a code of `BECAUSE`; `unproven` is the condition of an alarm that rang and may not be shown.

    `unstable_with_distance`: by the distance report of a photo the verdict is another one from nearer or farther. It may
    withdraw a name, never an alarm.
    """

    kind: VerdictKind
    reason: str = ""
    alarms: tuple[AlarmVerdict, ...] = ()
    named: Condition | None = None
    unproven: Condition | None = None
    unstable_with_distance: bool = False
    hidden_chip: Chip | None = None

    def hidden(self) -> Verdict:
        """Return what a reader may know who has not looked yet: the chip, without what the AI saw."""
        if self.kind in SENTENCES:  # it has seen nothing
            return dataclasses.replace(self, unstable_with_distance=False)
        return Verdict(kind=VerdictKind.HIDDEN, hidden_chip=self.chip)

    @property
    def is_hidden(self) -> bool:
        return self.kind == VerdictKind.HIDDEN

    @property
    def names(self) -> bool:
        """Whether the numbers of all conditions may be shown."""
        return self.kind == VerdictKind.NAMED

    @property
    def reports_names(self) -> bool:
        """Whether a distance report may tell that a condition is named: there is a name, or distance took it away."""
        return self.named is not None or self.reason == UNSTABLE

    @property
    def is_inconclusive(self) -> bool:
        return self.kind in {VerdictKind.INCONCLUSIVE, VerdictKind.UNUSABLE}

    @property
    def chip(self) -> Chip | None:
        """None where the AI is not used."""
        if self.is_hidden:
            return self.hidden_chip
        if self.kind == VerdictKind.CANNOT_RULE_OUT:
            return Chip.SOONER if any(alarm.level is not None for alarm in self.alarms) else Chip.OPINION
        return CHIPS.get(self.kind)

    @property
    def chip_text(self) -> str:
        return str(self.chip.label if self.chip else AIStatus.NOT_USED.label)

    @property
    def conditions(self) -> set[Condition]:
        """Those that the verdict speaks of; nothing else on a page may speak of another."""
        return {alarm.condition for alarm in self.alarms} | ({self.named} if self.named else set())

    @property
    def sentence(self) -> str:
        if self.kind == VerdictKind.CANNOT_RULE_OUT:
            texts = {"conditions": _(" or ").join(alarm.name for alarm in self.alarms)}
            if self.named:
                texts["name"] = str(CONDITIONS[self.named])
                return _("The AI: this fits %(name)s, but %(conditions)s cannot be ruled out.") % texts
            return _("The AI cannot rule out %(conditions)s.") % texts
        if self.kind == VerdictKind.NAMED:
            return _("The AI: this fits %(name)s.") % {"name": CONDITIONS[self.named]}
        if self.is_inconclusive:
            return _("The AI says nothing: %(reason)s.") % {"reason": _because(self.reason, self.unproven)}
        return str(HIDDEN_SENTENCES[self.chip] if self.is_hidden else SENTENCES[self.kind])


SENTENCES = {
    VerdictKind.WAITING: gettext_lazy("The AI has not read the photos yet."),
    VerdictKind.UNAVAILABLE: gettext_lazy("The AI is not available. Dermatologists read without it."),
    VerdictKind.NOT_USED: gettext_lazy("The AI is not used for this submission."),
}

HIDDEN_SENTENCES = {
    Chip.SOONER: gettext_lazy("The AI asks you to look sooner."),
    Chip.OPINION: gettext_lazy("The AI has an opinion."),
    Chip.SILENT: gettext_lazy("The AI says nothing."),
}


def verdict_of(
    submission: Submission,
    photos: Iterable[Photo] | None = None,
    *,
    may_name: Callable[[Any], bool] | None = None,
) -> Verdict:
    """Return the verdict of a submission; `photos` are its current ones where they are at hand with their findings.

    `may_name` answers for a clinic's id, for callers that ask of many submissions.
    """
    if photos is None:
        photos = submission.current_photos().prefetch_related("analyses__findings")
    photos, policy = list(photos), triage.policy(submission.policy)
    read = [photo for photo in photos if photo.analysis and photo.analysis.is_classified]
    named, reason = _name(submission, read, policy, may_name or clinic_may_name)
    reports = [shown_report(photo.analysis, policy, names=named is not None) for photo in read]
    unstable = any(report is not None and not report.is_stable for report in reports)
    if unstable and named:
        named, reason = None, UNSTABLE
    verdict = _first_that_fits(submission, photos, read, policy, named, reason)
    return dataclasses.replace(verdict, unstable_with_distance=unstable)


def _first_that_fits(
    submission: Submission,
    photos: list[Photo],
    read: list[Photo],
    policy: Policy,
    named: Condition | None,
    reason: str,
) -> Verdict:
    shown, unproven = _alarms(read, policy)
    if shown:
        named = None if named in {alarm.condition for alarm in shown} else named
        return Verdict(kind=VerdictKind.CANNOT_RULE_OUT, alarms=shown, named=named)
    if submission.ai_status == AIStatus.NOT_USED:
        return Verdict(kind=VerdictKind.NOT_USED)
    if submission.ai_status == AIStatus.WAITING:
        return Verdict(kind=VerdictKind.WAITING)
    if unproven:
        return Verdict(kind=VerdictKind.INCONCLUSIVE, reason=UNPROVEN, unproven=unproven)
    if none_is_usable(photos, policy):
        return Verdict(kind=VerdictKind.UNUSABLE, reason=why_unusable(photos[0], policy))
    if submission.ai_status not in AI_READ or not read:
        return Verdict(kind=VerdictKind.UNAVAILABLE)
    if named:
        return Verdict(kind=VerdictKind.NAMED, named=named)
    return Verdict(kind=VerdictKind.INCONCLUSIVE, reason=reason)


def none_is_usable(photos: list[Photo], policy: Policy) -> bool:
    """Whether every photo was checked and none of them is usable."""
    checked = photos and all(photo.state != PhotoState.STORED for photo in photos)
    return bool(checked) and all(why_unusable(photo, policy) for photo in photos)


def why_unusable(photo: Photo, policy: Policy) -> str:
    """Return a fault or reason, or "" for a photo that is usable as far as is known."""
    if photo.state == PhotoState.UNUSABLE:
        return photo.reason or Reason.CORRUPT_IMAGE
    if photo.state == PhotoState.POOR and (not photo.fault or photo.fault in policy.unusable_faults):
        return photo.fault or Reason.POOR_QUALITY
    if policy.needs_skin and (analysis := photo.analysis) is not None:
        return Abstention.NO_SKIN if Abstention.NO_SKIN in (analysis.no_box, analysis.abstention) else ""
    return ""


def _alarms(read: list[Photo], policy: Policy) -> tuple[tuple[AlarmVerdict, ...], Condition | None]:
    """Return the alarms to tell, one a condition, and the first condition whose alarm rang without proof."""
    shown: dict[Condition, tuple[tuple, AlarmVerdict]] = {}
    unproven = set()
    for photo in read:
        for alarm in photo.analysis.ringing:
            if not may_be_shown(alarm, policy, is_demonstration=photo.analysis.demonstration):
                unproven.add(alarm.condition)
                continue
            level, muted = policy.alarm_level(alarm), why_muted(photo, policy)
            one = AlarmVerdict(
                condition=alarm.condition,
                level=level,
                estimate=None if muted else estimate_of(alarm),
                false_alarms=None if muted else false_alarms_of(alarm),
                muted=muted,
            )
            rank = (-1 if level is None else level, not muted, alarm.score)
            if alarm.condition not in shown or rank > shown[alarm.condition][0]:
                shown[alarm.condition] = rank, one
    found = tuple(shown[condition][1] for condition in ALARMING if condition in shown)
    return found, next((condition for condition in ALARMING if condition in unproven), None)


def may_be_shown(alarm: Alarm, policy: Policy, *, is_demonstration: bool) -> bool:
    """A demonstration model tells of an unproven alarm only for herpes, whose missing costs most."""
    proven = policy.alarm_level(alarm) is not None
    return proven or not is_demonstration or alarm.condition == Condition.HI


def shown_report(analysis: Analysis, policy: Policy, *, names: bool) -> DistanceReport | None:
    """Return an analysis' distance report as far as a verdict may speak of it: by the same rules."""
    if (report := analysis.distance_report) is None:
        return None
    may_be = {"is_demonstration": analysis.demonstration}
    alarms = {one.condition for one in analysis.reported_alarms if may_be_shown(one, policy, **may_be)}
    return report.only(alarms, names=names)


def why_muted(photo: Photo, policy: Policy) -> str:
    """Return why names and numbers of this photo are not shown: they were measured on good photos only."""
    odd = photo.analysis.abstention in {Abstention.OUT_OF_SCOPE, Abstention.NO_SKIN}
    poor = photo.fault if photo.state == PhotoState.POOR else ""
    return why_unusable(photo, policy) or poor or (photo.analysis.abstention if odd else "")


def _name(
    submission: Submission, read: list[Photo], policy: Policy, may_name: Callable[[Any], bool]
) -> tuple[Condition | None, str]:
    """Return the condition that the model may name, or why it names none."""
    clear = [photo.analysis for photo in read if not why_muted(photo, policy)]
    if not clear:
        codes = [why_muted(photo, policy) for photo in read]
        return None, codes[0] if codes else ""
    if not any(analysis.boxes for analysis in clear):
        return None, NO_CROP
    found = [analysis.probabilities() for analysis in clear]
    mean = {code: math.fsum(row.get(code, 0.0) for row in found) for code in CONDITIONS}
    top = max(mean, key=mean.get)
    if not any(analysis.top == top for analysis in clear):
        return None, Abstention.UNCERTAIN
    if any(analysis.demonstration for analysis in clear):
        return None, DEMONSTRATION
    return (top, "") if may_name(submission.case.clinic_id) else (None, FEW_CASES)


def _because(code: str, condition: Condition | None = None) -> str:
    texts = {"condition": CONDITIONS[condition]} if condition else {}
    return str(BECAUSE.get(code, UNREADABLE)) % texts
