"""One sentence for each photo, and never two that contradict."""

from __future__ import annotations

import dataclasses

import pytest

from contract.alarms import Alarm, Condition
from contract.messages import Abstention, Classified, ModelRef, NoCropReason, Prepared, Segmented
from contract.photos import QualityFault, Reason
from training.photo_verdict import ABSTAINS, NAMES, NO_CROP, ringing, verdict

MODEL = ModelRef(name="m", version="1", sha256="0" * 64)
GOOD = Prepared(quality={})
DARK = Prepared(quality={}, reason=Reason.POOR_QUALITY, fault=QualityFault.TOO_DARK)
FOUND = Segmented(mask_key="", skin=0.6, lesion=0.2, model=MODEL)


def classified(top=None, abstention=Abstention.UNCERTAIN, alarms=()) -> Classified:
    return Classified(
        probabilities={str(name): 0.2 for name in Condition},
        views=(),
        thresholds={},
        top=top,
        abstention=None if top else abstention,
        demonstration=True,
        alarms=alarms,
        model=MODEL,
    )


def alarm(condition, score):
    return Alarm(condition=condition, score=score, threshold=0.5)


@pytest.mark.parametrize(
    ("prepared", "no_box", "abstention"),
    [
        (DARK, None, Abstention.UNCERTAIN),
        (GOOD, NoCropReason.NO_SKIN, Abstention.NO_SKIN),
        (GOOD, NoCropReason.NO_LESION, Abstention.UNCERTAIN),
        (GOOD, None, Abstention.OUT_OF_SCOPE),
    ],
)
def test_no_poor_or_odd_photo_silences_an_alarm(prepared, no_box, abstention):
    segmented = dataclasses.replace(FOUND, no_box=no_box)
    silent = classified(abstention=abstention, alarms=(alarm("HI", 0.4),))
    ringing_ = classified(abstention=abstention, alarms=(alarm("HI", 0.5),))
    found = verdict(prepared, segmented, ringing_)
    assert (found.reason, found.sentence) == ("alarm", "Cannot rule out herpesvirus infection.")
    assert "rule out" not in verdict(prepared, segmented, silent).sentence


def test_each_alarm_is_told_and_one_below_its_line_is_not():
    found = classified(alarms=(alarm("HI", 0.6), alarm("IM", 0.49), alarm("MF", 0.7)))
    assert ringing(found) == (Condition.HI, Condition.MF)
    assert (
        verdict(GOOD, FOUND, found).sentence == "Cannot rule out herpesvirus infection and mycosis fungoides."
    )


def test_a_rejected_photo_is_told_by_its_reason():
    found = verdict(Prepared(quality={}, reason=Reason.TRUNCATED_IMAGE))
    assert (found.reason, found.sentence) == ("truncated_image", "Photo not usable: truncated image.")


def test_a_dark_photo_names_nothing_and_a_good_one_may():
    named = classified(top=Condition.AD)
    assert verdict(DARK, FOUND, named).sentence == "Photo not usable: too dark."
    assert verdict(GOOD, FOUND, named).sentence == "Fits atopic dermatitis."


def test_a_missing_crop_is_the_reason_that_is_given():
    without = dataclasses.replace(FOUND, no_box=NoCropReason.TOO_LITTLE_LESION)
    found = verdict(GOOD, without, classified())
    assert found.reason == "too_little_lesion" and found.sentence.startswith(
        "Inconclusive: too little lesion"
    )


def test_every_reason_of_the_contract_has_words():
    assert set(NAMES) == set(Condition) and set(ABSTAINS) == set(Abstention)
    assert set(NO_CROP) | {NoCropReason.NO_SKIN} == set(NoCropReason)
