"""What a distance report says, and what of it may be shown."""

from __future__ import annotations

import pytest

from contract.alarms import Condition
from contract.common import ModelRef
from contract.distance import (
    INCONCLUSIVE,
    NOT_USABLE,
    SCALES,
    DistanceReport,
    Look,
    alarm_verdict,
    alarms_of,
    name_of,
    named_verdict,
)

HERPES, IMPETIGO = alarm_verdict([Condition.HI]), alarm_verdict([Condition.IM])
BOTH = alarm_verdict([Condition.IM, Condition.HI])
ECZEMA = named_verdict(Condition.AD)
MODEL = ModelRef(name="m", version="1", sha256="0" * 64)


def report(*verdicts: str) -> DistanceReport:
    scores = {"HI": 0.5, "IM": 0.1}
    looks = [Look(scale=s, boxes=(), verdict=v, scores=scores) for s, v in zip(SCALES, verdicts, strict=True)]
    models = {"segmentation_model": MODEL, "classification_model": MODEL}
    return DistanceReport(looks=tuple(looks), x=0.5, y=0.5, thresholds={"HI": 0.3, "IM": 0.3}, **models)


def test_a_told_code_names_its_conditions():
    assert alarms_of(BOTH) == (Condition.HI, Condition.IM) and name_of(BOTH) is None
    assert name_of(ECZEMA) == Condition.AD and alarms_of(ECZEMA) == ()
    assert alarms_of(INCONCLUSIVE) == alarms_of(NOT_USABLE) == () and name_of(NOT_USABLE) is None


def test_an_answer_that_always_holds_is_stable():
    steady = report(*[INCONCLUSIVE] * 8)
    assert (steady.stability, steady.changes, steady.is_stable) == (1.0, [], True)


def test_where_the_answer_changes_is_named():
    flipping = report(*[HERPES] * 2, *[INCONCLUSIVE] * 6)
    assert flipping.changes == [(0.5, 0.7)] and flipping.same == 5
    assert flipping.stability == pytest.approx(5 / 7) and not flipping.is_stable
    assert report(*[INCONCLUSIVE] * 7, HERPES).is_stable


def test_an_alarm_that_is_not_told_changes_no_answer():
    flipping = report(*[BOTH] * 4, *[HERPES] * 2, *[IMPETIGO] * 2)
    shown = flipping.only({Condition.HI}, names=False)
    assert [look.verdict for look in shown.looks] == [HERPES] * 6 + [INCONCLUSIVE] * 2
    assert shown.thresholds == {"HI": 0.3} and shown.looks[0].scores == {"HI": 0.5}
    assert flipping.only((), names=True).is_stable


def test_a_name_that_is_not_told_changes_no_answer():
    flipping = report(*[ECZEMA] * 4, *[INCONCLUSIVE] * 3, NOT_USABLE)
    assert not flipping.only((), names=True).is_stable
    assert [look.verdict for look in flipping.only((), names=False).looks] == [INCONCLUSIVE] * 7 + [
        NOT_USABLE
    ]
