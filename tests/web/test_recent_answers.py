"""Dana's recent answers: held, unread, read, corrected, taken back, each with what can still be done about it."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from teleder.cases import reading, reviews, sharing
from teleder.cases.models import Status
from teleder.web.clinician import recent

pytestmark = pytest.mark.django_db
ANSWER = {"impression": "AD", "disposition": "self_care", "text": "Continue your usual care."}


@pytest.fixture
def answered(dana, alices_submission):
    reviews.claim(alices_submission, by=dana)
    reviews.sign(alices_submission, by=dana, **ANSWER)
    return alices_submission


def client_of(person) -> Client:
    client = Client()
    client.force_login(person)
    return client


def states(signer) -> list[tuple[str, str]]:
    return [(row.state, row.can) for row in recent.rows_of(signer)]


def page_of(signer) -> str:
    return client_of(signer).get(reverse("web:recent_answers")).content.decode()


def test_what_is_held_can_be_undone(dana, alices_submission, settings):
    settings.HOLD_SECONDS = 60
    reviews.claim(alices_submission, by=dana)
    reviews.sign(alices_submission, by=dana, **ANSWER)
    assert states(dana) == [("held", "undo")]
    assert reverse("web:undo", args=[alices_submission.pk]) in page_of(dana)


def test_what_is_unread_can_be_taken_back_and_written_on(answered, dana):
    assert states(dana) == [("unread", "take_back")]
    at = reverse("web:take_back", args=[answered.pk])
    assert at in page_of(dana)
    client_of(dana).post(at, {"reason": "left and right"})
    assert states(dana) == [("taken_back", "write")]
    answered.refresh_from_db()
    assert answered.status == Status.IN_REVIEW


def test_what_was_read_can_only_be_corrected(answered, dana):
    reading.answer_for_patient(answered)
    assert states(dana) == [("read", "correct")]
    assert "Take back" not in page_of(dana)


def test_what_was_shared_can_only_be_corrected(answered, dana):
    sharing.share(answered, days=7, with_photos=False)
    assert states(dana) == [("unread", "correct")]


def test_a_corrected_answer_stays_beside_its_correction(answered, dana):
    reading.answer_for_patient(answered)
    reviews.amend(answered, by=dana, **ANSWER | {"text": "Better so.", "reason": "typing error"})
    assert states(dana) == [("unread", "correct"), ("corrected", "")]


def test_the_answers_of_a_colleague_are_not_here(answered, person):
    mori = person("mori", "dermatologist")
    assert states(mori) == [] and "You have signed no answer lately." in page_of(mori)


def test_many_answers_take_as_many_queries_as_one(
    answered, dana, bob, submission_of, django_assert_max_num_queries
):
    client = client_of(dana)
    with CaptureQueriesContext(connection) as one:
        client.get(reverse("web:recent_answers"))
    for _ in range(3):
        more = submission_of(bob)
        reviews.claim(more, by=dana)
        reviews.sign(more, by=dana, **ANSWER)
    with django_assert_max_num_queries(min(9, len(one))):
        page = client.get(reverse("web:recent_answers")).content.decode()
    assert page.count("not read yet") >= 4


def test_no_photo_of_an_intimate_place_is_shown(answered, dana):
    answered.case.places = [{"site": "groin", "side": ""}]
    answered.case.body_site = "groin"
    answered.case.save()
    assert answered.case.is_intimate
    assert "/thumbnail/" not in page_of(dana)


def test_the_menu_leads_here(dana):
    assert reverse("web:recent_answers") in client_of(dana).get(reverse("web:worklist")).content.decode()
