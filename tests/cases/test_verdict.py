"""The verdict: one for a submission, the first row that fits, and an alarm before everything else."""

from __future__ import annotations

from dataclasses import replace

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.utils.translation import override

from contract.alarms import Alarm, Condition, Figure
from contract.messages import Abstention, NoCropReason, QualityFault, Reason
from teleder.accounts.models import Purpose
from teleder.cases import consents, intake, reviews
from teleder.cases.estimates import false_alarms_of
from teleder.cases.models import AIStatus, Analysis, Precedence, Submission
from teleder.cases.triage import Urgency
from teleder.cases.verdict import BECAUSE, Chip, VerdictKind, verdict_of
from teleder.settings.environment import base_rates
from tests.conftest import NO_WORTH, alarm

pytestmark = pytest.mark.django_db
HERPES = {"AD": 0.6, "HI": 0.3, "IM": 0.05, "MF": 0.01, "OTHER": 0.04}
IMPETIGO = {"AD": 0.2, "HI": 0.1, "IM": 0.6, "MF": 0.05, "OTHER": 0.05}
MYCOSIS = {"AD": 0.2, "HI": 0.1, "IM": 0.05, "MF": 0.6, "OTHER": 0.05}
BLURRED = {"reason": Reason.POOR_QUALITY, "fault": QualityFault.BLURRED}


@pytest.fixture
def read(alice, submission_of, analyse):
    """A submission whose photos the AI has read; a dict for each photo says what it found."""

    def make(*photos: dict, **answers: str) -> Submission:
        submission = submission_of(alice, len(photos), **answers)
        for photo, found in zip(submission.photos.all(), photos, strict=True):
            analyse(photo, **found)
        submission.refresh_from_db()
        return submission

    return make


def told(submission) -> tuple:
    verdict = verdict_of(submission)
    return verdict.kind, verdict.reason, verdict.chip


# --- Row by row -------------------------------------------------------------------------------------------
def test_before_the_ai_has_read_it_waits(alices_submission):
    assert told(alices_submission) == (VerdictKind.WAITING, "", Chip.WAITING)


def test_an_ai_that_gave_up_is_not_available(alices_submission):
    Submission.objects.update(ai_status=AIStatus.UNAVAILABLE)
    alices_submission.refresh_from_db()
    assert told(alices_submission) == (VerdictKind.UNAVAILABLE, "", Chip.STOPPED)


def test_without_consent_the_ai_is_not_used(alice, read):
    submission = read({})
    consents.withdraw_consent(alice, Purpose.AI)
    submission.refresh_from_db()
    Submission.objects.update(ai_status=AIStatus.NOT_USED)
    submission.refresh_from_db()
    assert told(submission) == (VerdictKind.NOT_USED, "", None)
    assert verdict_of(submission).chip_text == "AI not used"


def test_herpes_over_its_line_is_told_with_its_level(read):
    submission = read({"probabilities": HERPES})
    assert told(submission) == (VerdictKind.CANNOT_RULE_OUT, "", Chip.SOONER)
    assert submission.urgency == Urgency.SAME_DAY
    assert verdict_of(submission).sentence == "The AI cannot rule out herpesvirus infection."


def test_an_unproven_herpes_alarm_is_told_and_raises_nothing(read):
    submission = read({"alarms": (alarm("HI", 0.5, worth=NO_WORTH),)})
    assert told(submission) == (VerdictKind.CANNOT_RULE_OUT, "", Chip.OPINION)
    assert submission.urgency == Urgency.ROUTINE


@pytest.mark.parametrize(("found", "name"), [(IMPETIGO, "impetigo"), (MYCOSIS, "mycosis fungoides")])
def test_a_demonstration_model_does_not_tell_of_another_unproven_alarm(read, found, name):
    submission = read({"probabilities": found})
    assert told(submission) == (VerdictKind.INCONCLUSIVE, "unproven_alarm", Chip.SILENT)
    assert name in verdict_of(submission).sentence and submission.urgency == Urgency.ROUTINE
    assert verdict_of(submission).conditions == set()


def test_a_proven_impetigo_alarm_is_told(read):
    submission = read({"alarms": (alarm("IM", 0.5),)})
    assert told(submission) == (VerdictKind.CANNOT_RULE_OUT, "", Chip.SOONER)
    assert submission.urgency == Urgency.DAYS_2


def test_two_alarms_are_one_sentence_with_herpes_first(read):
    submission = read({"alarms": (alarm("IM", 0.9),)}, {"alarms": (alarm("HI", 0.3),)})
    verdict = verdict_of(submission)
    assert verdict.sentence == "The AI cannot rule out herpesvirus infection or impetigo."
    assert [one.level for one in verdict.alarms] == [Urgency.SAME_DAY, Urgency.DAYS_2]


@pytest.mark.parametrize(
    "poor",
    [
        BLURRED,
        {"abstention": Abstention.OUT_OF_SCOPE},
        {"abstention": Abstention.NO_SKIN},
        {"abstention": Abstention.UNCERTAIN},
    ],
)
def test_an_alarm_is_judged_before_scope_and_photo_quality_and_stays(read, poor):
    submission = read({"probabilities": HERPES} | poor)
    assert told(submission) == (VerdictKind.CANNOT_RULE_OUT, "", Chip.SOONER)
    assert submission.urgency == Urgency.SAME_DAY
    (one,) = verdict_of(submission).alarms
    muted = poor != {"abstention": Abstention.UNCERTAIN}
    assert (one.estimate is None, bool(one.why_muted)) == (muted, muted)


def test_while_another_photo_waits_an_alarm_is_told(alice, submission_of, analyse):
    submission = submission_of(alice, photos=2)
    analyse(submission.photos.first(), probabilities=HERPES)
    submission.refresh_from_db()
    assert submission.ai_status == AIStatus.WAITING
    assert told(submission)[0] == VerdictKind.CANNOT_RULE_OUT


def test_a_photo_that_cannot_be_read_is_not_usable(read):
    submission = read(BLURRED)
    assert told(submission) == (VerdictKind.UNUSABLE, "blurred", Chip.SILENT)
    assert verdict_of(submission).sentence == "The AI says nothing: the photo is blurred."
    assert submission.urgency == Urgency.DAYS_2


def test_one_usable_photo_is_enough(read):
    submission = read(BLURRED, {"abstention": Abstention.UNCERTAIN})
    assert told(submission) == (VerdictKind.INCONCLUSIVE, "uncertain", Chip.SILENT)
    assert submission.urgency == Urgency.ROUTINE


def test_glare_only_advises(read):
    submission = read({"reason": Reason.POOR_QUALITY, "fault": QualityFault.GLARE})
    assert told(submission) == (VerdictKind.INCONCLUSIVE, "glare", Chip.SILENT)
    assert submission.urgency == Urgency.ROUTINE


def test_without_skin_no_photo_is_usable(read, analyse):
    submission = read({"abstention": Abstention.NO_SKIN})
    assert told(submission) == (VerdictKind.UNUSABLE, "no_skin", Chip.SILENT)
    assert submission.urgency == Urgency.DAYS_2


@pytest.mark.parametrize("code", [NoCropReason.NO_LESION, NoCropReason.TOO_LITTLE_SKIN])
def test_a_missing_crop_raises_nothing(read, code):
    submission = read({})
    Analysis.objects.update(boxes=[], no_box=code)
    assert told(submission) == (VerdictKind.INCONCLUSIVE, "no_crop", Chip.SILENT)
    assert submission.urgency == Urgency.ROUTINE


def test_out_of_scope_is_inconclusive_and_raises_nothing(read):
    submission = read({"abstention": Abstention.OUT_OF_SCOPE})
    assert told(submission) == (VerdictKind.INCONCLUSIVE, "out_of_scope", Chip.SILENT)
    assert submission.urgency == Urgency.ROUTINE


def test_the_demonstration_model_names_nothing(read):
    verdict = verdict_of(read({}))
    assert (verdict.kind, verdict.reason, verdict.named) == (VerdictKind.INCONCLUSIVE, "demonstration", None)


# --- A model that may name --------------------------------------------------------------------------------
@pytest.fixture
def signed_once(settings, dana, alice, submission_of):
    """One signed case of each class, which is enough here."""
    settings.SIGNED_CASES_TO_NAME = 1
    for impression in ("AD", "HI", "IM", "MF", "other"):
        submission = submission_of(alice)
        reviews.claim(submission, by=dana)
        reviews.sign(submission, by=dana, impression=impression, disposition="appointment", text="Seen.")


OWN = {"demonstration": False}


def test_a_clinics_own_model_names_what_fits(read, signed_once):
    verdict = verdict_of(read(OWN))
    assert (verdict.kind, verdict.named, verdict.chip) == (VerdictKind.NAMED, Condition.AD, Chip.OPINION)
    assert verdict.sentence == "The AI: this fits atopic dermatitis."


def test_it_names_beside_an_alarm_in_the_same_sentence(read, signed_once):
    verdict = verdict_of(read(OWN | {"probabilities": HERPES}))
    assert verdict.sentence == (
        "The AI: this fits atopic dermatitis, but herpesvirus infection cannot be ruled out."
    )


def test_it_names_nothing_before_the_clinic_has_signed_enough(read):
    assert told(read(OWN)) == (VerdictKind.INCONCLUSIVE, "few_cases", Chip.SILENT)


@pytest.mark.parametrize("poor", [BLURRED, {"abstention": Abstention.OUT_OF_SCOPE}])
def test_a_poor_or_odd_photo_mutes_the_name(read, signed_once, poor):
    assert verdict_of(read(OWN | poor)).named is None


# --- Numbers ----------------------------------------------------------------------------------------------
def test_the_numbers_are_the_base_rate_times_the_likelihood_ratio(read, settings):
    settings.BASE_RATES = {"HI": 0.02}
    (one,) = verdict_of(read({"probabilities": HERPES})).alarms
    # Odds 0.02/0.98 times 5.4, 3.1 and 9.4, as shares.
    assert one.estimate.of_hundred == pytest.approx(9.93, abs=0.01)
    assert (one.estimate.low, one.estimate.high) == pytest.approx((5.95, 16.1), abs=0.01)
    assert one.estimate.sentence == (
        "Of 100 photos like this in a clinic like this, about 10 show it (6–16)."
    )
    assert one.estimate.source == "Measured on 402 teaching photos, not on this clinic's patients."


def test_an_alarm_that_was_not_measured_has_no_numbers(read):
    bare = replace(alarm("HI", 0.5), likelihood_ratio=None)
    (one,) = verdict_of(read({"alarms": (bare,)})).alarms
    assert (one.estimate, one.level, one.why_muted) == (None, None, "")


def test_a_very_rare_condition_is_not_rounded_to_none(read, settings):
    settings.BASE_RATES = {"HI": 0.0001}
    (one,) = verdict_of(read({"probabilities": HERPES})).alarms
    assert "about <0.1 show it" in one.estimate.sentence


def test_a_clinic_sets_its_own_base_rates(monkeypatch):
    monkeypatch.setenv("RATES", "HI=0.1, MF=0.001")
    assert base_rates("RATES", "HI=0.02") == {"HI": 0.1, "MF": 0.001}
    for wrong in ("HI", "HI=", "HI=0", "HI=1", "HI=nan", "XX=0.1", "HI=2%"):
        monkeypatch.setenv("RATES", wrong)
        with pytest.raises(ImproperlyConfigured):
            base_rates("RATES", "HI=0.02")


# --- Earlier rows, and the worklist -----------------------------------------------------------------------
def test_a_result_of_a_worker_without_alarms_is_still_told(read):
    submission = read({"probabilities": HERPES, "alarms": ()})
    assert told(submission) == (VerdictKind.CANNOT_RULE_OUT, "", Chip.OPINION)
    assert submission.flags == [{"origin": "model", "code": "HI", "level": None}]


def test_a_submission_of_the_former_policy_keeps_its_behaviour(alice, submission_of, analyse):
    submission = submission_of(alice)
    Submission.objects.update(policy="2026-11-23")
    analyse(submission.photos.get(), probabilities=IMPETIGO, alarms=())
    submission.refresh_from_db()
    assert submission.urgency == Urgency.DAYS_2
    assert told(submission) == (VerdictKind.CANNOT_RULE_OUT, "", Chip.SOONER)


def test_a_better_photo_does_not_lower_what_an_unusable_one_has_raised(read, analyse, photo_file):
    submission = read(BLURRED)
    later = intake.add_photo(submission, view="close_up", upload=photo_file())
    analyse(later)
    submission.refresh_from_db()
    assert submission.urgency == Urgency.DAYS_2


def test_inside_a_level_an_alarm_that_raised_nothing_comes_first_then_inconclusive_cases(read):
    silent, urgent = read({"abstention": Abstention.UNCERTAIN}), read({}, fever="yes")
    heard = read({"alarms": (alarm("HI", 0.5, worth=NO_WORTH),)})
    assert [s.ai_precedence for s in (heard, silent, urgent)] == [
        Precedence.ALARM,
        Precedence.INCONCLUSIVE,
        Precedence.INCONCLUSIVE,
    ]
    assert list(Submission.objects.worklist()) == [urgent, heard, silent]


def test_what_the_ai_has_not_read_stands_by_due_time_beside_what_it_is_unsure_of(
    alice, bob, submission_of, read
):
    consents.withdraw_consent(bob, Purpose.AI)
    without_consent, waiting = submission_of(bob), submission_of(alice)
    silent = read({"abstention": Abstention.UNCERTAIN})
    assert (without_consent.ai_status, waiting.ai_status) == (AIStatus.NOT_USED, AIStatus.WAITING)
    cases = [without_consent, waiting, silent]
    assert [case.ai_precedence for case in cases] == [Precedence.INCONCLUSIVE] * 3
    assert list(Submission.objects.worklist()) == cases


def test_a_case_that_only_the_model_raised_stands_behind_what_the_answers_say(read):
    raised = read({"alarms": (alarm("HI", 0.5),)})
    answered = read({"abstention": Abstention.UNCERTAIN}, fever="yes")
    assert raised.urgency == answered.urgency == Urgency.SAME_DAY
    assert raised.ai_precedence == Precedence.NONE
    assert list(Submission.objects.worklist()) == [answered, raised]


def test_the_price_of_an_alarm_follows_from_its_figures():
    found = Figure(value=0.6125, low=0.4868, high=0.7298, n=80)
    ratio = Figure(value=4.5299, low=3.3045, high=6.558, n=435)
    alarm = Alarm(condition=Condition.HI, score=0.5, threshold=0.2, sensitivity=found, likelihood_ratio=ratio)
    price = false_alarms_of(alarm)
    # The shipped weights: 48 of 355 photos of AD or OTHER cross the line, (9 + 39) / (93 + 262).
    assert (round(price.of_hundred, 1), price.n) == (13.5, 355)
    assert price.low < 100 * 48 / 355 < price.high
    assert "about 14 (9–19) cross the same line too; measured on 355 such photos." in price.sentence
    assert false_alarms_of(replace(alarm, sensitivity=None)) is None
    assert false_alarms_of(replace(alarm, likelihood_ratio=None)) is None


def test_a_hidden_verdict_says_only_what_the_chip_says(read):
    submission = read({"probabilities": HERPES})
    hidden = verdict_of(submission).hidden()
    assert (hidden.kind, hidden.chip, hidden.conditions) == (VerdictKind.HIDDEN, Chip.SOONER, set())
    assert hidden.sentence == "The AI asks you to look sooner."


def test_every_reason_and_kind_is_told_in_japanese():
    with override("ja"):
        for text in [*BECAUSE.values(), *VerdictKind.labels, *Chip.labels]:
            assert not str(text).isascii(), text
    assert {str(label) for label in Chip.labels} == {
        "AI: look sooner",
        "AI: has an opinion",
        "AI: says nothing",
        "AI: waiting",
        "AI: stopped",
    }
