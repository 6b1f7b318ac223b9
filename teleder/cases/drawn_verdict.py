"""What the AI says of a crop that a dermatologist drew: by the same rules as its verdict, without a level and without numbers."""

from __future__ import annotations

from contract.messages import Abstention, Analysed
from teleder.cases import triage
from teleder.cases.models import DrawnCrop
from teleder.cases.naming import clinic_may_name
from teleder.cases.triage import ALARMING
from teleder.cases.verdict import (
    DEMONSTRATION,
    DRAWN,
    FEW_CASES,
    NO_CROP,
    UNPROVEN,
    AlarmVerdict,
    Verdict,
    VerdictKind,
    may_be_shown,
    why_unusable,
)


def verdict_on(drawn: DrawnCrop, outcome: Analysed) -> Verdict:
    """Return the verdict on a drawn crop and its photo."""
    submission, classified = drawn.photo.submission, outcome.classified
    policy = triage.policy(submission.policy)
    rung = {alarm.condition: alarm for alarm in classified.alarms if alarm.rings}
    ringing = [rung[condition] for condition in ALARMING if condition in rung]
    # The figures of an alarm were measured on the model's own crops: here it raises nothing.
    shown = tuple(
        AlarmVerdict(condition=alarm.condition, level=None, estimate=None, muted=DRAWN)
        for alarm in ringing
        if may_be_shown(alarm, policy, is_demonstration=classified.demonstration)
    )
    if shown:
        return Verdict(kind=VerdictKind.CANNOT_RULE_OUT, alarms=shown)
    if ringing:
        return Verdict(kind=VerdictKind.INCONCLUSIVE, reason=UNPROVEN, unproven=ringing[0].condition)
    reason = why_unusable(drawn.photo, policy) or drawn.photo.fault or classified.abstention or ""
    if outcome.segmented.no_box and reason in {"", Abstention.UNCERTAIN}:
        reason = NO_CROP
    reason = reason or ("" if classified.top else Abstention.UNCERTAIN)
    reason = reason or (DEMONSTRATION if classified.demonstration else "")
    if not reason and not clinic_may_name(submission.case.clinic_id):
        reason = FEW_CASES
    if reason:
        return Verdict(kind=VerdictKind.INCONCLUSIVE, reason=reason)
    return Verdict(kind=VerdictKind.NAMED, named=classified.top)
