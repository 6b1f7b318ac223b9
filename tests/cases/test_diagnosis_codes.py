"""Dana's impression has an ICD-10 and a SNOMED CT code and, if she says so, a confidence. Alice sees none of them."""

from __future__ import annotations

import re

import pytest
from django.core.exceptions import ValidationError
from django.test import Client
from django.urls import reverse
from rest_framework.test import APIClient

from teleder.cases import diagnoses, held, reviews
from teleder.cases.models import HeldAnswer, Impression, Review
from teleder.privacy import export

pytestmark = pytest.mark.django_db
ANSWER = {"impression": "AD", "disposition": "self_care", "text": "Continue your usual care."}


@pytest.fixture
def claimed(dana, alices_submission):
    reviews.claim(alices_submission, by=dana)
    return alices_submission


def client_of(person) -> Client:
    client = Client()
    client.force_login(person)
    return client


def test_each_entry_has_a_well_formed_code_and_both_names():
    for row in diagnoses.all_diagnoses():
        assert re.fullmatch(r"[A-Z]\d\d(\.\d)?", row.icd10), row
        assert row.ja and row.reading and row.en and row.impression in Impression.values
        assert not row.snomed or is_snomed(row.snomed), row
    assert len({row.ja for row in diagnoses.all_diagnoses()}) == len(diagnoses.all_diagnoses())


def is_snomed(code: str) -> bool:
    """Whether the last digit is right: SNOMED CT uses the dihedral check of Verhoeff."""
    turn = [[0, 1, 2, 3, 4, 5, 6, 7, 8, 9], [1, 5, 7, 6, 2, 8, 3, 0, 9, 4]]
    while len(turn) < 8:
        turn.append([turn[-1][turn[1][n]] for n in range(10)])
    multiply = lambda a, b: (  # noqa: E731
        ((a + b) % 5 if b < 5 else (a + b) % 5 + 5) if a < 5 else ((a - b) % 5 + 5 if b < 5 else (a - b) % 5)
    )
    check = 0
    for place, digit in enumerate(reversed(code)):
        check = multiply(check, turn[place % 8][int(digit)])
    return check == 0


def test_every_usual_code_is_on_the_list_under_its_impression():
    head, rows = diagnoses.read_list()
    for impression, id in head["usual"].items():
        assert rows[id].impression == impression


@pytest.mark.parametrize("words", ["みずむし", "ミズムシ", "足白癬", "TINEA PEDIS", "b35.3", "tinea_pedis"])
def test_dana_finds_a_diagnosis_by_name_reading_or_code(words):
    assert diagnoses.find(words).id == "tinea_pedis"


def test_words_that_fit_several_choose_none():
    assert diagnoses.find("白癬") is None and len(diagnoses.search("白癬")) == 2


def test_an_impression_is_signed_with_its_usual_codes(claimed, dana):
    review = reviews.sign(claimed, by=dana, **ANSWER)
    assert (review.diagnosis, review.icd10, review.snomed) == ("atopic_dermatitis", "L20.9", "24079001")
    assert review.codes_version == diagnoses.read_list()[0]["version"] and review.confidence == ""


def test_dana_signs_a_diagnosis_of_her_own_and_how_sure_she_is(claimed, dana):
    answer = ANSWER | {"impression": "HI", "disposition": "today"}
    review = reviews.sign(claimed, by=dana, **answer, diagnosis="eczema_herpeticum", confidence="high")
    assert (review.icd10, review.snomed, review.confidence) == ("B00.0", "186535001", "high")


def test_another_condition_may_stay_without_a_code(claimed, dana):
    review = reviews.sign(claimed, by=dana, **ANSWER | {"impression": "other"})
    assert (review.diagnosis, review.icd10, review.codes_version) == ("", "", "")


@pytest.mark.parametrize(
    ("impression", "diagnosis"), [("AD", "scabies"), ("other", "impetigo"), ("AD", "flu")]
)
def test_a_diagnosis_of_another_impression_is_refused(claimed, dana, impression, diagnosis):
    with pytest.raises(ValidationError):
        reviews.sign(claimed, by=dana, **ANSWER | {"impression": impression}, diagnosis=diagnosis)
    assert not Review.objects.exists()


def test_held_and_undone_the_codes_come_back_with_the_draft(claimed, dana, settings):
    settings.HOLD_SECONDS = 60
    reviews.sign(claimed, by=dana, **ANSWER | {"impression": "other"}, diagnosis="疥癬", confidence="mid")
    assert HeldAnswer.objects.get().answer["diagnosis"] == "scabies"
    held.undo(claimed, by=dana)
    page = client_of(dana).get(reverse("web:review", args=[claimed.pk])).content.decode()
    assert 'value="scabies"' in page
    assert re.search(r'name="confidence" value="mid" checked', page)


def test_the_form_signs_them_and_says_what_is_wrong(claimed, dana):
    danas, at = client_of(dana), reverse("web:answer", args=[claimed.pk])
    wrong = danas.post(at, ANSWER | {"diagnosis": "scabies"})
    assert wrong.status_code == 422 and "belongs to: another condition" in wrong.content.decode()
    typed = ANSWER | {"impression": "other", "diagnosis": "Scabies", "confidence": "low"}
    assert danas.post(at, typed).status_code == 302
    review = Review.objects.get()
    assert (review.diagnosis, review.icd10, review.confidence) == ("scabies", "B86", "low")
    page = danas.get(reverse("web:review", args=[claimed.pk])).content.decode()
    assert "ICD-10 B86" in page and "SNOMED CT 128869009" in page


def test_alice_sees_no_code_on_page_pdf_or_api_but_has_them_in_her_export(claimed, dana, alice):
    signed = {"diagnosis": "scabies", "confidence": "low"}
    reviews.sign(claimed, by=dana, **ANSWER | {"impression": "other"}, **signed)
    hers = client_of(alice).get(reverse("web:submission", args=[claimed.pk])).content.decode()
    client = APIClient()
    client.force_authenticate(alice)
    told = client.get(f"/api/v1/submissions/{claimed.pk}").content.decode()
    for text in (hers, told):
        assert not any(code in text for code in ("B86", "128869009", "scabies", "confidence"))
    (answer,) = export._case(claimed.case)["submissions"][0]["signed_answers"]
    assert (answer["icd10"], answer["snomed"], answer["confidence"]) == ("B86", "128869009", "low")


def test_the_preview_shows_no_code(claimed, dana):
    typed = ANSWER | {"impression": "other", "diagnosis": "scabies", "confidence": "low", "preview": "1"}
    page = client_of(dana).post(reverse("web:answer", args=[claimed.pk]), typed).content.decode()
    preview = page.split('class="preview"')[1]
    assert ANSWER["text"] in preview and not re.search("scabies|B86|128869009|another condition", preview)


def test_the_api_takes_and_lists_them(claimed, dana):
    client = APIClient()
    client.force_authenticate(dana)
    (row,) = client.get("/api/v1/diagnoses", {"search": "かいせん"}).json()
    assert row["id"] == "scabies"
    typed = ANSWER | {"impression": "other", "diagnosis": row["id"], "confidence": "high"}
    answer = client.post(f"/api/v1/submissions/{claimed.pk}/reviews", typed, format="json").json()
    assert (answer["icd10"], answer["confidence"]) == ("B86", "high")
    wrong = client.post(
        f"/api/v1/submissions/{claimed.pk}/amendments", ANSWER | {"diagnosis": "scabies"}, format="json"
    )
    assert wrong.status_code == 400
