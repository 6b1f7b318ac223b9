"""After the answer, by the API: its PDF, questions and replies, share links; with the rules of the pages."""

from __future__ import annotations

from datetime import timedelta

import pytest
import time_machine
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from rest_framework.test import APIClient

from teleder.cases import asking_back, reviews, sharing
from tests.conftest import PASSWORD

pytestmark = pytest.mark.django_db
API = "/api/v1"
ANSWER = {"impression": "AD", "disposition": "self_care", "text": "Go on with the moisturiser."}


def app_of(person) -> APIClient:
    client = APIClient(headers={"Accept-Language": "en"})
    asked = {"email": person.email, "password": PASSWORD}
    if person.is_patient:
        token = client.post(f"{API}/tokens", asked).json()["token"]
        client.credentials(HTTP_AUTHORIZATION=f"Token {token}")
    else:
        client.force_login(person)
    return client


@pytest.fixture
def answered(alices_submission, dana):
    reviews.claim(alices_submission, by=dana)
    reviews.sign(alices_submission, by=dana, **ANSWER)
    return alices_submission


def of(submission, part: str) -> str:
    return f"{API}/submissions/{submission.pk}/{part}"


# --- The PDF --------------------------------------------------------------------------------------------
def test_alice_fetches_the_pdf_and_nobody_else(answered, alice, bob, dana):
    found = app_of(alice).get(of(answered, "answer.pdf"), headers={"Accept": "application/pdf"})
    assert (found.status_code, found["Content-Type"]) == (200, "application/pdf")
    assert found.content.startswith(b"%PDF-") and found["Cache-Control"] == "private, no-store"
    assert app_of(bob).get(of(answered, "answer.pdf")).status_code == 404
    assert app_of(dana).get(of(answered, "answer.pdf")).status_code == 403


def test_without_an_answer_there_is_no_pdf(alices_submission, alice):
    found = app_of(alice).get(of(alices_submission, "answer.pdf"), headers={"Accept": "application/pdf"})
    assert (found.status_code, found.json()["code"]) == (404, "not_found")


def test_documents_are_limited_for_pages_and_api_together(answered, alice, client, settings):
    settings.DOCUMENTS_PER_PATIENT_PER_HOUR = 2
    client.force_login(alice)
    with time_machine.travel("2026-11-30T03:00:00Z", tick=False):
        app = app_of(alice)
        assert app.get(of(answered, "answer.pdf")).status_code == 200
        assert client.get(reverse("web:answer_pdf", args=[answered.pk])).status_code == 200
        refused = app.get(of(answered, "answer.pdf"))
    assert (refused.status_code, refused.json()["code"]) == (429, "too_many") and refused["Retry-After"]


# --- Asking back ----------------------------------------------------------------------------------------
def test_alice_asks_back_and_dana_replies_once(answered, alice, dana, adam):
    app, clinic = app_of(alice), app_of(dana)
    asked = app.post(of(answered, "questions"), {"text": "May I swim?"})
    assert asked.status_code == 201
    question = asked.json()
    assert question["text"] == "May I swim?" and question["due_at"] and question["reply"] == ""
    again = app.post(of(answered, "questions"), {"text": "May I swim?"}).json()
    assert again["id"] == question["id"]
    assert [each["id"] for each in clinic.get(of(answered, "questions")).json()] == [question["id"]]
    address = f"{API}/questions/{question['id']}/reply"
    assert app.post(address, {"text": "Yes."}).status_code == 403
    assert app_of(adam).post(address, {"text": "Yes."}).status_code == 403
    replied = clinic.post(address, {"text": "Yes."})
    assert (replied.status_code, replied.json()["reply"]) == (201, "Yes.")
    assert replied.json()["replied_by"]["name"] == "Dana"
    assert clinic.post(address, {"text": "No."}).json()["code"] == "illegal_move"
    assert app.get(of(answered, "questions")).json()[0]["reply"] == "Yes."


def test_what_alice_is_writing_is_for_nobody(answered, alice, dana):
    asking_back.keep_draft(answered, text="half a sent")
    for person in (alice, dana):
        assert app_of(person).get(of(answered, "questions")).json() == []


def test_questions_need_an_answer_a_text_and_an_end(alices_submission, alice, dana):
    app = app_of(alice)
    early = app.post(of(alices_submission, "questions"), {"text": "When?"})
    assert (early.status_code, early.json()["code"]) == (409, "illegal_move")
    reviews.claim(alices_submission, by=dana)
    reviews.sign(alices_submission, by=dana, **ANSWER)
    for text in ("", " ", "x" * 2001):
        assert app.post(of(alices_submission, "questions"), {"text": text}).status_code == 400
    for number in range(asking_back.OPEN_AT_ONCE):
        app.post(of(alices_submission, "questions"), {"text": f"{number}?"})
    refused = app.post(of(alices_submission, "questions"), {"text": "And?"})
    assert (refused.status_code, refused.json()["code"]) == (409, "too_many_questions")


# --- Share links ----------------------------------------------------------------------------------------
def test_alice_makes_lists_and_ends_a_link(answered, alice):
    app = app_of(alice)
    made = app.post(of(answered, "share-links"), {"days": 7})
    assert made.status_code == 201
    link, path = made.json(), made.json()["url"].partition("localhost:8000")[2] or made.json()["url"]
    path = path[path.index("/shared/") :]
    assert Client().get(path).status_code == 200
    (listed,) = app.get(of(answered, "share-links")).json()
    assert "url" not in listed and listed["works"] and listed["times_opened"] == 1
    for _twice in range(2):
        assert app.delete(f"{API}/share-links/{link['id']}").status_code == 204
    assert Client().get(path).status_code == 410
    assert not app.get(of(answered, "share-links")).json()[0]["works"]


def test_links_have_the_rules_of_the_page(alices_submission, alice, bob, dana):
    app = app_of(alice)
    assert app.post(of(alices_submission, "share-links"), {"days": 7}).status_code == 409
    reviews.claim(alices_submission, by=dana)
    reviews.sign(alices_submission, by=dana, **ANSWER)
    assert app.post(of(alices_submission, "share-links"), {"days": 365}).status_code == 400
    links = [
        app.post(of(alices_submission, "share-links"), {"days": 1}).json() for _ in range(sharing.AT_ONCE)
    ]
    refused = app.post(of(alices_submission, "share-links"), {"days": 1})
    assert (refused.status_code, refused.json()["code"]) == (409, "too_many_links")
    assert app_of(bob).delete(f"{API}/share-links/{links[0]['id']}").status_code == 404
    assert app_of(dana).get(of(alices_submission, "share-links")).status_code == 403
    with time_machine.travel(timezone.now() + timedelta(days=1, minutes=1)):
        found = app_of(alice).get(of(alices_submission, "share-links")).json()
    assert not any(each["works"] for each in found)


# --- Whom it is about -----------------------------------------------------------------------------------
def test_the_patient_has_one_shape_for_everybody(answered, alice, dana):
    shapes = []
    for person in (alice, dana):
        app = app_of(person)
        row = app.get(f"{API}/submissions").json()["results"][0]
        shapes += [row["patient"], app.get(f"{API}/submissions/{answered.pk}").json()["patient"]]
    assert shapes[0] == {
        "id": str(alice.pk),
        "name": "Alice",
        "language": alice.language,
        "birth_year": alice.patient.birth_year,
        "skin_type": alice.patient.skin_type,
    }
    assert all(shape == shapes[0] for shape in shapes)
