"""Rules and people decide before the model, and the AI may only raise the urgency."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from teleder.cases import triage
from teleder.cases.questionnaire import red_flag_questions
from teleder.cases.triage import PhotoReport, Urgency, urgency_of
from tests.conftest import CALM

POLICY = triage.policy()
TOKYO = ZoneInfo("Asia/Tokyo")
CHOICES = {question.id: list(dict(question.choices)) for question in red_flag_questions(POLICY, "en")}
THRESHOLDS = {"HI": 0.2, "IM": 0.5, "MF": 0.5}


def level(**answers: str) -> Urgency:
    return urgency_of(CALM | answers, policy=POLICY).urgency


# The clinical rules (docs/clinical.md) one by one: answers and the urgency that they must give.
@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        ({}, Urgency.ROUTINE),
        ({"very_ill": "yes"}, Urgency.EMERGENCY),
        ({"eye_symptoms": "yes"}, Urgency.EMERGENCY),
        ({"near_eye": "yes"}, Urgency.SAME_DAY),
        ({"grouped_blisters": "yes"}, Urgency.SAME_DAY),
        ({"painful_or_sudden": "yes"}, Urgency.SAME_DAY),
        ({"fever": "yes"}, Urgency.SAME_DAY),
        ({"cold_sore": "yes"}, Urgency.DAYS_2),
        ({"cold_sore": "yes", "grouped_blisters": "yes"}, Urgency.SAME_DAY),
        ({"spreading": "yes"}, Urgency.SAME_DAY),
        ({"spreading": "severe"}, Urgency.EMERGENCY),
        ({"crusts": "yes"}, Urgency.DAYS_2),
        ({"crusts": "many"}, Urgency.SAME_DAY),
        ({"weak_immunity": "yes"}, Urgency.WEEKS_2),
        ({"weak_immunity": "yes", "crusts": "yes"}, Urgency.SAME_DAY),
        ({"weak_immunity": "yes", "baby_or_pregnant": "yes", "crusts": "yes"}, Urgency.SAME_DAY),
        ({"baby_or_pregnant": "yes", "fever": "yes"}, Urgency.EMERGENCY),
        ({"baby_or_pregnant": "newborn", "grouped_blisters": "yes"}, Urgency.EMERGENCY),
        ({"lasting_patch": "yes"}, Urgency.WEEKS_2),
        ({"fever": "unsure"}, Urgency.DAYS_2),
        ({"cold_sore": "unsure"}, Urgency.ROUTINE),
    ],
)
def test_the_answers_give_the_urgency_of_the_clinical_rules(answers, expected):
    assert level(**answers) == expected


def test_no_fever_never_lowers_grouped_blisters():
    assert level(grouped_blisters="yes", fever="no") == level(grouped_blisters="yes", fever="unsure")


any_answers = st.fixed_dictionaries({id: st.sampled_from(values) for id, values in CHOICES.items()})
any_photo = st.builds(
    PhotoReport,
    readable=st.booleans(),
    probabilities=st.dictionaries(st.sampled_from(["AD", "HI", "IM", "MF", "OTHER"]), st.floats(0, 1)),
    thresholds=st.just(THRESHOLDS),
    abstained=st.booleans(),
    no_box=st.booleans(),
)


@given(any_answers, st.lists(any_photo, max_size=3), any_photo)
def test_one_more_photo_or_finding_never_lowers_the_urgency(answers, photos, one_more):
    before = urgency_of(answers, photos, policy=POLICY).urgency
    assert urgency_of(answers, [*photos, one_more], policy=POLICY).urgency >= before


@given(any_answers)
def test_every_level_above_routine_has_a_flag(answers):
    result = urgency_of(answers, policy=POLICY)
    levels = [flag.level for flag in result.flags if flag.level is not None]
    assert result.urgency == max(levels, default=Urgency.ROUTINE)


def test_herpes_above_its_threshold_means_same_day_even_if_ad_is_on_top_and_the_model_abstains():
    photo = PhotoReport(probabilities={"AD": 0.7, "HI": 0.21}, thresholds=THRESHOLDS, abstained=True)
    result = urgency_of(CALM, [photo], policy=POLICY)
    assert result.urgency == Urgency.SAME_DAY
    assert {"HI", "abstained"} <= {flag.code for flag in result.flags}


@pytest.mark.parametrize(
    ("condition", "expected"),
    [("HI", Urgency.SAME_DAY), ("IM", Urgency.DAYS_2), ("MF", Urgency.WEEKS_2), ("AD", Urgency.ROUTINE)],
)
def test_a_confident_finding_raises_to_the_level_of_its_condition(condition, expected):
    photo = PhotoReport(probabilities={condition: 0.99}, thresholds=THRESHOLDS)
    assert urgency_of(CALM, [photo], policy=POLICY).urgency == expected


def test_an_unreadable_photo_and_an_abstention_are_handled_within_two_days():
    assert urgency_of(CALM, [PhotoReport(readable=False)], policy=POLICY).urgency == Urgency.DAYS_2
    assert urgency_of(CALM, [PhotoReport(abstained=True)], policy=POLICY).urgency == Urgency.DAYS_2


def test_routine_answers_come_after_five_working_days_without_holidays():
    # Friday 2026-11-20; Monday the 23rd is Labour Thanksgiving Day.
    friday = datetime(2026, 11, 20, 10, tzinfo=TOKYO)
    assert POLICY.due(Urgency.ROUTINE, friday) == datetime(2026, 11, 30, 10, tzinfo=TOKYO)


def test_a_higher_urgency_has_an_earlier_due_time():
    now = datetime(2026, 11, 20, 10, tzinfo=TOKYO)
    due = [POLICY.due(urgency, now) for urgency in Urgency]
    assert due == sorted(due, reverse=True)


def test_every_rule_uses_existing_questions_and_answers():
    for rule in POLICY.data["rules"]:
        for question, values in (rule.get("any", {}) | rule.get("all", {})).items():
            assert set(values) <= set(CHOICES[question]), rule["id"]


NEWBORN = {"id": "newborn", "level": "emergency", "all": {"baby_or_pregnant": ["newborn"], "fever": ["yes"]}}


@pytest.mark.parametrize(
    ("any_of", "answers", "expected"),
    [
        ({}, {"baby_or_pregnant": "newborn", "fever": "yes"}, Urgency.EMERGENCY),
        ({}, {"baby_or_pregnant": "newborn", "fever": "no"}, Urgency.ROUTINE),
        ({}, {"baby_or_pregnant": "no", "fever": "yes"}, Urgency.ROUTINE),
        ({"crusts": ["many"]}, {"baby_or_pregnant": "newborn", "fever": "yes"}, Urgency.ROUTINE),
        (
            {"crusts": ["many"]},
            {"baby_or_pregnant": "newborn", "fever": "yes", "crusts": "many"},
            Urgency.EMERGENCY,
        ),
    ],
)
def test_a_rule_may_have_only_conditions_that_must_all_hold(any_of, answers, expected):
    policy = triage.Policy({**POLICY.data, "rules": [NEWBORN | {"any": any_of}]})
    assert urgency_of(CALM | answers, policy=policy).urgency == expected


@pytest.mark.parametrize("conditions", [{}, {"all": {}}, {"any": {}, "all": {}}])
def test_a_policy_with_a_rule_without_conditions_is_refused(conditions):
    rules = [*POLICY.data["rules"], {"id": "empty", "level": "emergency", **conditions}]
    with pytest.raises(triage.PolicyError, match="rules empty"):
        triage.Policy({**POLICY.data, "rules": rules})


def test_every_text_exists_in_japanese_and_english():
    for name, row in POLICY.data["advice"].items():
        assert row["title"]["ja"] and row["title"]["en"] and row["text"]["ja"] and row["text"]["en"], name
    for row in [*POLICY.questions, *(more for q in POLICY.questions for more in q.get("more", []))]:
        assert row["text"]["ja"] and row["text"]["en"]


def test_no_patient_text_names_a_disease():
    words = ("herpes", "ヘルペス", "impetigo", "とびひ", "mycosis", "菌状息肉症", "lymphoma", "リンパ腫")
    for row in POLICY.data["advice"].values():
        text = str(row).lower()
        assert not any(word in text for word in words)


def test_a_policy_is_a_draft_until_a_clinician_signs():
    assert POLICY.is_draft
    assert not triage.Policy({**POLICY.data, "signed_by": "Dr N"}).is_draft


def test_an_unknown_policy_or_a_path_is_refused():
    for name in ("1999-01-01", "../../settings", ""):
        with pytest.raises(LookupError):
            triage.policy(name)
