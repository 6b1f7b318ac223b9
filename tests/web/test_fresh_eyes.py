"""What a patient who saw the pages for the first time stumbled over, and what the pages now say."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from django.utils.html import escape
from django.utils.translation import gettext, override

from contract.photos import PhotoAdvice, QualityFault
from teleder.accounts.clinic_texts import TextKind
from teleder.accounts.dates import weekday_date_and_time
from teleder.api.serializers.questionnaire import HistoryField
from teleder.cases import intake, reviews
from teleder.cases.models import Submission
from teleder.cases.questionnaire import clean_history
from teleder.cases.remedies import ICONS, REMEDIES
from teleder.privacy import statement
from teleder.privacy.policy import retention_policy
from teleder.web.clinic_texts import draft
from teleder.web.clinician.readings import history_of
from teleder.web.patient.history import LABELS, given_lines

pytestmark = pytest.mark.django_db


def at(name: str, *args) -> str:
    return reverse(f"web:{name}", args=args)


@pytest.fixture
def alices(client, alice):
    client.force_login(alice)
    return client


def text_of(response) -> str:
    return response.content.decode()


# --- History --------------------------------------------------------------------------------------------
def test_none_of_these_goes_where_a_symptom_is_chosen(alices, alices_draft):
    for given, kept in ((["none", "itch"], ["itch"]), (["none"], ["none"])):
        alices.post(at("history", alices_draft.pk, "symptoms"), {"symptoms": given})
        alices_draft.refresh_from_db()
        assert alices_draft.history["symptoms"] == kept


@pytest.mark.parametrize(("language", "word"), [("en", "None"), ("ja", "なし")])
def test_no_allergy_is_an_answer_that_the_doctor_reads(alices, alice, alices_draft, language, word):
    alice.language = language
    alice.save(update_fields=["language"])
    page = at("history", alices_draft.pk, "allergies")
    assert f">{word}</label>" in text_of(alices.get(page)) and "checked" not in text_of(alices.get(page))
    for sent in (word, "none"):  # a page that was loaded before the code was stored sends the word
        alices.post(page, {"allergies": [sent, "", " "]})
        alices_draft.refresh_from_db()
        assert alices_draft.history["allergies"] == "none"
    shown = text_of(alices.get(page))
    assert "data-none checked" in shown and f'type="text" name="allergies" value="{word}"' not in shown
    assert f"<dd>{word}</dd>" in text_of(alices.get(at("send", alices_draft.pk)))
    alices.post(page, {"allergies": [word, "Nickel"]})
    alices_draft.refresh_from_db()
    assert alices_draft.history["allergies"] == "Nickel"


@pytest.mark.parametrize("stored", ["none", "None", "なし"])
@pytest.mark.parametrize(("language", "word"), [("en", "None"), ("ja", "なし")])
def test_none_is_read_in_the_language_of_the_reader(alice, alices_draft, dana, stored, language, word):
    alices_draft.history = {"allergies": stored, "different": stored}
    with override(language):
        lines = {str(title): words for title, words, _page in given_lines(alices_draft)}
        assert lines[str(LABELS["allergies"])] == word
        read = [words for _title, words in history_of(alices_draft, []) if words in ("none", "None", "なし")]
        assert sorted(read) == sorted([word, stored])  # of other questions the words stay as they are
        assert HistoryField().to_representation(alices_draft.history)["allergies"] == word


def test_several_symptoms_are_listed_as_the_language_lists_them(alices_draft):
    alices_draft.history = {"symptoms": ["itch", "pain"]}
    for language, listed in (("en", "itch, pain"), ("ja", "かゆい、痛い")):
        with override(language):
            assert [words for _title, words in history_of(alices_draft, [])][0] == listed


def test_a_typed_none_is_kept_as_the_code():
    kept = clean_history({"medicines": " なし ", "allergies": "None", "treatment": "None"})
    assert kept == {"medicines": "none", "allergies": "none", "treatment": "None"}


def test_allergies_are_not_asked_how_often(alices, alices_draft):
    assert "a food, a medicine or a metal" in text_of(alices.get(at("history", alices_draft.pk, "allergies")))
    medicines = text_of(alices.get(at("history", alices_draft.pk, "treatment")))
    assert "how often" in medicines and medicines.count("data-none") == 1


@pytest.mark.parametrize("answers", [{}, {"fever": "yes"}, {"very_ill": "yes"}], ids=["calm", "today", "now"])
def test_a_draft_goes_on_at_the_page_after_the_last_one_that_was_filled_in(alices, alice, draft_of, answers):
    draft = draft_of(alice, photos=0, **answers)
    by_script = {"HX-Request": "true"}  # typed and stored, then "Later"
    alices.post(at("history", draft.pk, "different"), {"different": "At night"}, headers=by_script)
    assert alices.get(draft.get_absolute_url()).url == at("history", draft.pk, "treatment")
    alices.post(at("history", draft.pk, "allergies"), {"allergies": ["egg"]})
    assert alices.get(draft.get_absolute_url()).url == at("photos", draft.pk)


@pytest.mark.parametrize("answers", [{"fever": "yes"}, {"very_ill": "yes"}], ids=["today", "now"])
def test_where_the_answers_mean_today_photos_come_before_a_history_not_begun(
    alices, alice, draft_of, answers
):
    draft = draft_of(alice, photos=0, **answers)
    intake.describe(draft, history={})
    assert alices.get(draft.get_absolute_url()).url == at("photos", draft.pk)


# --- Drafts ---------------------------------------------------------------------------------------------
def test_a_deleted_draft_was_never_sent(alices, alice, alices_draft):
    assert re.search(r"<button[^>]*>Delete<", text_of(alices.get(at("home"))))
    shown = text_of(alices.post(at("withdraw", alices_draft.pk), follow=True))
    assert "Deleted. Nothing was sent." in shown and "What you sent" not in shown and "Undo" in shown


def test_what_was_sent_and_withdrawn_is_not_said_to_be_unsent(alices, alices_submission):
    shown = text_of(alices.post(at("withdraw", alices_submission.pk), follow=True))
    assert "You have withdrawn this" in shown and "What you sent" in shown and "Nothing was sent" not in shown


@pytest.mark.parametrize("language", ["en", "ja"])
def test_two_unsent_drafts_differ_by_place_time_and_photos(alices, alice, draft_of, language):
    alice.language = language
    alice.save(update_fields=["language"])
    first, second = draft_of(alice, photos=2), draft_of(alice, photos=0)
    intake.describe(second, body_site="neck")
    with override(language):
        started = [weekday_date_and_time(draft.created_at) for draft in (first, second)]
        places = [draft.case.place_names for draft in (first, Submission.objects.get(pk=second.pk))]
    photos = {"en": ("2 photos", "No photo yet"), "ja": ("写真2枚", "写真はまだありません")}[language]
    for name in ("home", "new"):
        shown = re.sub(r"<[^>]*>", "", text_of(alices.get(at(name)))).lower()
        assert all(words.lower() in shown for words in (*started, *places, *photos)), name


def test_the_page_of_unsent_drafts_is_called_so_and_dates_them_with_the_weekday(alices, alices_draft):
    shown = text_of(alices.get(at("new")))
    assert "<title>You have not sent this yet" in shown
    assert f"Started {weekday_date_and_time(alices_draft.created_at)}" in shown


def test_the_signature_has_the_weekday(alices, alices_submission, dana):
    reviews.claim(alices_submission, by=dana)
    review = reviews.sign(
        alices_submission, by=dana, impression="AD", disposition="self_care", text="Moisturise."
    )
    when = weekday_date_and_time(review.signed_at)
    assert f"{timezone.localtime(review.signed_at):%a}" in when
    assert when in text_of(alices.get(at("submission", alices_submission.pk)))
    with override("ja"):
        assert re.fullmatch(
            r"\d{4}年\d+月\d+日（[月火水木金土日]） \d\d:\d\d", weekday_date_and_time(review.signed_at)
        )


# --- The first page -------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("language", "promised", "kept"),
    [
        ("en", "delete everything", "records that the clinic must keep by law"),
        ("ja", "すべて消せます", "法律でクリニックが残さなければならない記録"),
    ],
)
def test_the_first_page_promises_no_deletion_that_the_law_forbids(alices, alice, language, promised, kept):
    alice.language = language
    alice.save(update_fields=["language"])
    shown = text_of(Client(headers={"Accept-Language": language}).get(at("home")))
    assert promised not in shown and kept in shown
    assert kept in text_of(alices.get(at("data")))  # the same words as on the page where it is done


@pytest.mark.parametrize("language", ["en", "ja"])
def test_what_the_law_keeps_comes_first_and_in_the_words_of_the_privacy_text(alices, alice, language):
    alice.language = language
    alice.save(update_fields=["language"])
    shown = text_of(alices.get(at("data")))
    with override(language):
        kept, deleted = statement.kept_by_law(), str(gettext("What will be deleted here"))
    assert "5" in kept and kept in getattr(draft(TextKind.PRIVACY), language)
    assert shown.index(escape(kept)) < shown.index(deleted)


def test_a_policy_that_waits_for_the_record_says_that_it_waits(monkeypatch):
    monkeypatch.setattr(
        statement, "retention_policy", lambda: replace(retention_policy(), record_duty_first=True)
    )
    with override("en"):
        assert "deleted here only after that" in statement.kept_by_law()


# --- Photos ---------------------------------------------------------------------------------------------
def test_each_fault_of_a_photo_has_an_icon_of_its_own_and_no_skin_names_no_distance():
    faults = [*QualityFault, *PhotoAdvice]
    assert len({ICONS[fault] for fault in faults}) == len(faults)
    assert "cm" not in str(REMEDIES[PhotoAdvice.NO_SKIN])


def test_each_further_angle_has_a_number(alices, alices_draft, photo_file):
    for _n in range(2):
        intake.add_photo(alices_draft, upload=photo_file(), view="other")
    shown = text_of(alices.get(at("photos", alices_draft.pk)))
    assert re.findall(r'data-title="(\d) Another angle"', shown) == ["3", "4", "5"]


@pytest.mark.parametrize(
    ("language", "face", "name"),
    [("en", "your face or name", "Please do not show your name."), ("ja", "顔や名前が", "。名前が写らない")],
)
def test_who_photographs_the_face_is_asked_to_hide_the_name_alone(
    alices, alice, alices_draft, language, face, name
):
    alice.language = language
    alice.save(update_fields=["language"])
    for site, shows_face in (("face", True), ("around_eyes", True), ("around_mouth", True), ("neck", False)):
        intake.describe(alices_draft, body_site=site)
        shown = text_of(alices.get(at("photos", alices_draft.pk)))
        assert (face in shown, name in shown) == (not shows_face, shows_face), site


# --- Forms that were refused ----------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("en", ["Please fill in “Name”.", "Please fill in “Password”."]),
        ("ja", ["「名前」を書いてください。", "「パスワード」を書いてください。"]),
    ],
)
def test_a_refused_sign_up_names_each_field(language, words):
    shown = text_of(Client(headers={"Accept-Language": language}).post(reverse("account_signup"), {}))
    assert all(word in shown for word in words)
    assert "This field is required" not in shown and "このフィールドは必須です" not in shown


def test_an_address_that_cannot_be_read_is_said_in_our_words():
    client = Client(headers={"Accept-Language": "en"})
    shown = text_of(client.post(reverse("account_signup"), {"email": "carol"}))
    assert "Please check “E-mail address”" in shown and "Enter a valid" not in shown
