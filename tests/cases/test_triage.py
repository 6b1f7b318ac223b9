"""Rules and people decide before the model, and the AI may only raise the urgency."""

from __future__ import annotations

import re
from copy import deepcopy
from dataclasses import replace
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.utils import translation
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contract.alarms import Alarm, Figure
from teleder.cases import triage
from teleder.cases.models import Submission
from teleder.cases.questionnaire import BodySite, red_flag_questions
from teleder.cases.triage import CURRENT_POLICY, Flag, Origin, PhotoReport, Urgency, urgency_of
from teleder.cases.triage.spoken import phone_script, until_seen
from teleder.settings.environment import hours
from tests.conftest import CALM, MEASURED, NO_WORTH, alarm

POLICY, FORMER = triage.policy(), triage.policy("2026-11-23")
VERSIONS = [triage.policy(file.stem) for file in sorted(triage.POLICIES.glob("*.toml"))]
UNHURRIED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
TOKYO = ZoneInfo("Asia/Tokyo")
CHOICES = {question.id: list(dict(question.choices)) for question in red_flag_questions(POLICY, "en")}


def level(**answers: str) -> Urgency:
    return urgency_of(CALM | answers, policy=POLICY).urgency


@pytest.mark.parametrize("policy", VERSIONS, ids=lambda policy: policy.id)
def test_a_question_that_is_left_out_could_have_raised_nothing(policy):
    for left_out, because in triage.NOT_ASKED_AFTER_YES.items():
        given = {id: value for id, value in CALM.items() if id != left_out} | {because: "yes"}
        assert policy.unanswered(given) == []
        assert urgency_of(given, policy=policy).urgency == Urgency.EMERGENCY
        for value in ("no", "unsure"):
            assert len(policy.unanswered(given | {because: value})) == 1


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
any_figure = st.none() | st.builds(
    lambda low, more: Figure(value=low, low=low, high=low + more, n=9), st.floats(0, 9), st.floats(0, 9)
)
any_alarm = st.builds(
    Alarm,
    condition=st.sampled_from(triage.ALARMING),
    score=st.just(0.9),
    threshold=st.just(0.5),
    sensitivity=any_figure,
    likelihood_ratio=any_figure,
    likelihood_ratio_ad=any_figure,
)
any_photo = st.builds(
    PhotoReport,
    readable=st.booleans(),
    alarms=st.lists(any_alarm, max_size=3).map(tuple),
    abstained=st.booleans(),
    no_box=st.booleans(),
)


@pytest.mark.parametrize("policy", VERSIONS, ids=lambda policy: policy.id)
@UNHURRIED
@given(answers=any_answers, photos=st.lists(any_photo, max_size=3), one_more=any_photo)
def test_one_more_photo_or_alarm_never_lowers_the_urgency(policy, answers, photos, one_more):
    before = urgency_of(answers, photos, policy=policy).urgency
    assert urgency_of(answers, [*photos, one_more], policy=policy).urgency >= before
    for photo in photos:
        louder = replace(photo, alarms=(*photo.alarms, *one_more.alarms))
        rest = [other for other in photos if other is not photo]
        assert urgency_of(answers, [*rest, louder], policy=policy).urgency >= before


@UNHURRIED
@given(any_answers, st.lists(any_photo, max_size=3))
def test_no_photo_lowers_what_the_answers_say(answers, photos):
    assert urgency_of(answers, photos, policy=POLICY).urgency >= urgency_of(answers, policy=POLICY).urgency


@UNHURRIED
@given(any_answers)
def test_every_level_above_routine_has_a_flag(answers):
    result = urgency_of(answers, policy=POLICY)
    levels = [flag.level for flag in result.flags if flag.level is not None]
    assert result.urgency == max(levels, default=Urgency.ROUTINE)


def ringing(condition: str, **worth) -> PhotoReport:
    return PhotoReport(alarms=(alarm(condition, 0.9, **worth),))


LEVELS = [("HI", Urgency.SAME_DAY), ("IM", Urgency.DAYS_2), ("MF", Urgency.WEEKS_2)]


@pytest.mark.parametrize(("condition", "expected"), LEVELS)
def test_an_alarm_that_has_proven_its_worth_raises_to_the_level_of_its_condition(condition, expected):
    result = urgency_of(CALM, [ringing(condition)], policy=POLICY)
    assert (result.urgency, [flag.code for flag in result.flags]) == (expected, [condition])


def figure(low: float) -> Figure:
    return Figure(value=low + 1, low=low, high=low + 2, n=50)


@pytest.mark.parametrize(
    "figures",
    [
        {"likelihood_ratio": figure(1.99)},
        {"likelihood_ratio_ad": figure(1.99)},
        {"sensitivity": figure(0.49)},
        {"sensitivity": None},
        {"likelihood_ratio": None},
        {"likelihood_ratio_ad": None},
    ],
)
def test_an_alarm_with_one_figure_too_low_is_a_flag_that_raises_nothing(figures):
    weak = replace(alarm("HI", 0.9), **figures)
    result = urgency_of(CALM, [PhotoReport(alarms=(weak,))], policy=POLICY)
    assert result.urgency == Urgency.ROUTINE
    assert [(flag.code, flag.level) for flag in result.flags] == [("HI", None)]


def test_the_bounds_themselves_are_enough():
    enough = replace(
        alarm("HI", 0.9), sensitivity=figure(0.5), likelihood_ratio=figure(2), likelihood_ratio_ad=figure(2)
    )
    assert urgency_of(CALM, [PhotoReport(alarms=(enough,))], policy=POLICY).urgency == Urgency.SAME_DAY


def test_of_two_photos_the_alarm_that_raises_is_the_flag():
    result = urgency_of(CALM, [ringing("HI", worth=NO_WORTH), ringing("HI", worth=MEASURED)], policy=POLICY)
    assert [(flag.code, flag.level) for flag in result.flags] == [("HI", Urgency.SAME_DAY)]


def test_only_a_submission_without_a_usable_photo_is_raised_by_its_photos():
    silent = [PhotoReport(abstained=True), PhotoReport(no_box=True)]
    assert urgency_of(CALM, silent, policy=POLICY).urgency == Urgency.ROUTINE
    assert urgency_of(CALM, [PhotoReport(readable=False)], policy=POLICY).urgency == Urgency.DAYS_2


def test_a_submission_of_the_former_policy_is_judged_as_before():
    """Each alarm raised, whatever it was worth, and so did an abstention."""
    for condition, expected in LEVELS:
        weak = [ringing(condition, worth=NO_WORTH)]
        assert urgency_of(CALM, weak, policy=FORMER).urgency == expected
    abstained = urgency_of(CALM, [PhotoReport(abstained=True)], policy=FORMER)
    assert (abstained.urgency, abstained.flags[0].code) == (Urgency.DAYS_2, "abstained")
    assert set(FORMER.unusable_faults) == {"too_dark", "too_bright", "blurred", "glare", "not_a_photo"}
    assert (FORMER.needs_skin, FORMER.spot_check_one_in) == (False, 0)


@pytest.mark.parametrize("policy", VERSIONS, ids=lambda policy: policy.id)
def test_all_policies_have_the_same_rules_questions_and_times(policy):
    for part in ("rules", "questions", "levels"):
        assert POLICY.data[part] == policy.data[part]


def test_the_newest_policy_is_in_force_and_every_file_is_named_after_its_id():
    assert [policy.id for policy in VERSIONS] == [
        file.stem for file in sorted(triage.POLICIES.glob("*.toml"))
    ]
    assert VERSIONS[-1].id == POLICY.id


def test_of_the_last_version_only_site_flags_and_japanese_texts_are_new():
    former, new = deepcopy(triage.policy("2026-11-28").data), deepcopy(POLICY.data)
    for advice in (*former["advice"].values(), *new["advice"].values()):
        del advice["title"]["ja"], advice["text"]["ja"]
    del former["id"], new["id"], new["site_flags"]
    assert former == new


@pytest.mark.parametrize("site", BodySite)
@pytest.mark.parametrize("near_eye", ["no", "yes", "unsure"])
def test_face_eye_region_and_genitals_are_flagged_whatever_was_answered_and_raise_nothing(site, near_eye):
    answers = CALM | {"near_eye": near_eye}
    plain, flagged = (urgency_of(answers, policy=POLICY, sites=sites) for sites in ((), {site}))
    codes = {"around_eyes": ["eye_region"], "face": ["face"], "groin": ["genital"]}.get(site, [])
    assert flagged.urgency == plain.urgency
    assert [(flag.origin, flag.code, flag.level) for flag in flagged.flags if flag not in plain.flags] == [
        (triage.Origin.ANSWERS, code, None) for code in codes
    ]


@pytest.mark.parametrize("site", BodySite)
def test_a_policy_without_site_flags_judges_every_site_as_before(site):
    for policy in VERSIONS[:-1]:
        assert urgency_of(CALM, policy=policy, sites={site}) == urgency_of(CALM, policy=policy)


def test_every_flagged_site_exists():
    assert {site for row in POLICY.data["site_flags"] for site in row["sites"]} <= set(BodySite)


def test_patients_are_told_in_plain_words_where_to_go():
    for text in POLICY.data["advice"].values():
        assert not re.search("受診|回答|医療機関|本日|発熱|悪化", text["title"]["ja"] + text["text"]["ja"])


def test_the_general_advice_tells_nobody_to_go_on_with_a_treatment():
    assert "usual" in FORMER.advice("general", "en")["text"]
    for language, words in (("en", ("usual", "go on", "continue")), ("ja", ("いつもの", "続けて"))):
        text = POLICY.advice("general", language)["text"].lower()
        assert not any(word in text for word in words)


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


# --- Staffed hours --------------------------------------------------------------------------------------
HOURS = (time(9), time(18))


@pytest.mark.parametrize(
    ("start", "minutes", "due"),
    [
        ("2026-11-27 10:00", 120, "2026-11-27 12:00"),  # a Friday, in hours
        ("2026-11-27 17:00", 120, "2026-11-30 10:00"),  # an hour before closing, the rest on Monday
        ("2026-11-27 18:00", 120, "2026-11-30 11:00"),  # closed
        ("2026-11-28 23:00", 30, "2026-11-30 09:30"),  # a Saturday night
        ("2026-11-23 12:00", 120, "2026-11-24 11:00"),  # a holiday (Labour Thanksgiving Day)
        ("2026-11-30 02:00", 120, "2026-11-30 11:00"),  # before opening
        ("2026-11-30 09:00", 540, "2026-11-30 18:00"),  # a whole day ends when it closes
        ("2026-11-30 09:00", 600, "2026-12-01 10:00"),
        ("2026-11-27 15:00", 1440, "2026-11-30 15:00"),  # 24 hours are one working day
        ("2026-11-28 15:00", 1440, "2026-12-01 09:00"),
    ],
)
def test_only_staffed_hours_count_towards_the_promise(start, minutes, due):
    begun = datetime.fromisoformat(start).replace(tzinfo=TOKYO)
    assert triage.staffed_after(begun, minutes, HOURS) == datetime.fromisoformat(due).replace(tzinfo=TOKYO)


def test_a_clinic_that_is_always_staffed_counts_every_minute():
    night = datetime(2026, 11, 28, 23, tzinfo=TOKYO)
    assert triage.staffed_after(night, 120, None) == night + timedelta(hours=2)


def test_the_setting_decides_about_each_level(settings):
    settings.STAFFED_HOURS = HOURS
    friday = datetime(2026, 11, 27, 17, tzinfo=TOKYO)
    due = [POLICY.due(urgency, friday) for urgency in Urgency]
    assert due == sorted(due, reverse=True) and due[Urgency.EMERGENCY] == datetime(
        2026, 11, 30, 10, tzinfo=TOKYO
    )


@pytest.mark.parametrize("text", ["18:00-09:00", "9-18", "09:00", "09:00-09:00", "morning"])
def test_hours_that_make_no_sense_are_refused(monkeypatch, text):
    monkeypatch.setenv("X", text)
    with pytest.raises(ImproperlyConfigured, match="X must"):
        hours("X", "always")


def test_a_level_that_rests_on_a_correction_alone_has_a_text_of_its_own():
    corrected = Flag(origin=Origin.ANSWERS, code="corrected", level=Urgency.DAYS_2).as_json()
    crusts = Flag(origin=Origin.ANSWERS, code="crusts", level=Urgency.DAYS_2).as_json()
    for policy_id in ("2026-11-28", CURRENT_POLICY):
        draft = Submission(rule_urgency=Urgency.DAYS_2, policy=policy_id, flags=[corrected])
        for language, sores in (("en", "sores"), ("ja", "ただれ")):
            assert sores not in triage.advice_for(draft, language)["text"]
            draft.flags = [corrected, crusts]
            assert sores in triage.advice_for(draft, language)["text"]
            draft.flags = [corrected]
    draft.rule_urgency = Urgency.SAME_DAY
    assert triage.advice_for(draft)["code"] == "same_day"


@pytest.mark.parametrize(
    ("given", "speaks_of_sores"),
    [
        ({"very_ill": "unsure"}, False),
        ({"fever": "unsure", "grouped_blisters": "unsure"}, False),
        ({"lasting_patch": "yes", "weak_immunity": "yes"}, False),
        ({"lasting_patch": "yes", "baby_or_pregnant": "yes"}, False),
        ({"crusts": "yes"}, True),
        ({"crusts": "yes", "fever": "unsure"}, True),
    ],
)
def test_two_days_speak_of_sores_only_where_sores_were_answered(given, speaks_of_sores):
    found = triage.urgency_of(CALM | given, policy=POLICY)
    assert found.urgency == Urgency.DAYS_2
    flags = [flag.as_json() for flag in found.flags]
    draft = Submission(rule_urgency=found.urgency, policy=found.policy, flags=flags)
    for language, sores, today in (("en", "sores", "Go today if"), ("ja", "ただれ", "今日のうちに")):
        text = triage.advice_for(draft, language)["text"]
        assert (sores in text) == speaks_of_sores and today in text


def test_the_warning_signs_are_a_draft_in_both_languages():
    for language in ("ja", "en"):
        with translation.override(language):
            before, after = triage.warning_signs(answered=False), triage.warning_signs(answered=True)
        assert before["signs"] == after["signs"] and len(before["signs"]) == 5
        assert before["text"] != after["text"] and all(before["signs"])


def test_every_answer_that_reports_something_is_said_on_the_phone_the_urgent_ones_first():
    for file in triage.POLICIES.glob("*.toml"):
        for question in red_flag_questions(triage.policy(file.stem), "ja"):
            for value, _text in question.choices:
                said = phone_script({question.id: value}, urgent=[], for_child=False)
                assert len(said) == (1 if value in ("no", "unsure") else 2), (file.stem, question.id, value)
    answers = {"very_ill": "no", "fever": "yes", "spreading": "severe"}
    with translation.override("ja"):
        opening, first, second = phone_script(answers, urgent=["spreading"], for_child=True)
    assert opening.startswith("子ども") and "はがれる" in first and "38度" in second


def test_what_to_do_until_a_doctor_is_seen_names_what_the_advice_names():
    facts = {"en": ("towels", "babies", "weak immunity", "the eye", "show this page"),
             "ja": ("タオル", "赤ちゃん", "免疫", "目の症状", "この画面")}  # fmt: skip
    for language, words in facts.items():
        with translation.override(language):
            shown, told = until_seen(), POLICY.advice("same_day")["text"]
        laid_out = shown["text"] + " ".join(shown["steps"])
        assert all(word in laid_out and word in told for word in words) and len(shown["steps"]) == 3
