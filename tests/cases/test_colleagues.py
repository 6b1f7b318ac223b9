"""Dana hands a case over to Mori or asks him: the clock runs on, the text goes along, both names stay on the record."""

from __future__ import annotations

import re

import pytest
from django.core import mail
from django.core.exceptions import ValidationError
from django.test import Client
from django.urls import reverse
from rest_framework.test import APIClient

from teleder.cases import answer_drafts, colleagues, held, reviews
from teleder.cases.models import EventKind, SecondOpinion, Status
from teleder.cases.originals import RefusedError
from teleder.cases.transitions import IllegalMoveError
from teleder.notifications import outbox

pytestmark = pytest.mark.django_db
ANSWER = {"impression": "AD", "disposition": "self_care", "text": "Continue your usual care."}


@pytest.fixture
def mori(person):
    return person("mori", "dermatologist")


@pytest.fixture
def claimed(dana, mori, alices_submission):
    reviews.claim(alices_submission, by=dana)
    return alices_submission


@pytest.fixture
def asked(claimed, dana, mori):
    return colleagues.ask_opinion(claimed, to=mori, by=dana, question="Herpes, or not?")


def client_of(person) -> Client:
    client = Client()
    client.force_login(person)
    return client


def test_mori_has_the_case_with_danas_text_and_note_and_the_clock_runs_on(claimed, dana, mori):
    due = claimed.due_at
    answer_drafts.keep(claimed, by=dana, typed={"text": "I have looked at your"})
    colleagues.hand_case_over(claimed, to=mori, by=dana, text="Compare with the last photo.")
    claimed.refresh_from_db()
    assert (claimed.status, claimed.claimed_by, claimed.due_at) == (Status.IN_REVIEW, mori, due)
    event = claimed.events.get(kind=EventKind.HANDED_OVER)
    assert (event.actor, event.detail["to"], event.detail["from"]) == (dana, str(mori.pk), str(dana.pk))
    page = client_of(mori).get(reverse("web:review", args=[claimed.pk])).content.decode()
    assert "Handed over by Dana to Mori" in page and "Compare with the last photo." in page
    assert "I have looked at your" in page


def test_danas_open_page_learns_of_moris_opinion(asked, mori, dana):
    danas = client_of(dana)

    def stamp() -> str:
        page = danas.get(reverse("web:review_state", args=[asked.submission_id])).content.decode()
        return re.search('data-colleagues="([^"]+)"', page)[1]

    before = stamp()
    assert stamp() == before
    colleagues.give_opinion(asked, by=mori, opinion="No herpes.")
    assert stamp() != before


def test_after_mori_has_signed_both_names_are_still_there(claimed, dana, mori):
    colleagues.hand_case_over(claimed, to=mori, by=dana)
    reviews.sign(claimed, by=mori, **ANSWER)
    page = client_of(dana).get(reverse("web:review", args=[claimed.pk])).content.decode()
    assert "Handed over by Dana to Mori" in page


def test_dana_can_no_longer_sign_what_she_handed_over(claimed, dana, mori):
    colleagues.hand_case_over(claimed, to=mori, by=dana)
    with pytest.raises(IllegalMoveError):
        reviews.sign(claimed, by=dana, **ANSWER)


def test_only_who_holds_it_hands_it_over_or_asks(claimed, dana, mori):
    for verb in (colleagues.hand_case_over, lambda *a, **k: colleagues.ask_opinion(*a, **k, question="?")):
        with pytest.raises(IllegalMoveError):
            verb(claimed, to=dana, by=mori)


def test_nobody_of_another_clinic_no_patient_and_not_oneself(claimed, dana, nora, alice):
    for other in (nora, alice, dana):
        with pytest.raises(RefusedError):
            colleagues.hand_case_over(claimed, to=other, by=dana)
        with pytest.raises(RefusedError):
            colleagues.ask_opinion(claimed, to=other, by=dana, question="?")


def test_what_is_signed_and_held_stays_with_its_signer(claimed, dana, mori, settings):
    settings.HOLD_SECONDS = 60
    reviews.sign(claimed, by=dana, **ANSWER)
    with pytest.raises(IllegalMoveError):
        colleagues.hand_case_over(claimed, to=mori, by=dana)
    held.undo(claimed, by=dana)
    colleagues.hand_case_over(claimed, to=mori, by=dana)


def test_mori_is_told_and_the_mail_says_nothing_of_the_case(asked, claimed, mori):
    outbox.queue_messages()
    outbox.deliver()
    (told,) = [letter for letter in mail.outbox if letter.to == [mori.email]]
    assert told.subject == "A colleague asks for your opinion"
    assert "Herpes" not in told.body and claimed.case.number not in told.body


def test_the_asker_goes_on_holding_the_case_and_the_clock_runs(asked, claimed, dana):
    due = claimed.due_at
    claimed.refresh_from_db()
    assert (claimed.status, claimed.claimed_by, claimed.due_at) == (Status.IN_REVIEW, dana, due)


def test_mori_finds_it_on_his_list_and_answers(asked, claimed, dana, mori):
    moris = client_of(mori)
    assert claimed.case.number in moris.get(reverse("web:worklist"), {"show": "opinion"}).content.decode()
    assert "asks for your opinion" in moris.get(reverse("web:strip")).content.decode()
    page = moris.get(reverse("web:review", args=[claimed.pk])).content.decode()
    assert "Herpes, or not?" in page and "Give the opinion" in page
    at = reverse("web:give_opinion", args=[claimed.pk])
    assert moris.post(at, {"opinion": asked.pk, "text": " "}).status_code == 422
    assert moris.post(at, {"opinion": asked.pk, "text": "No blisters."}).status_code == 302
    assert moris.post(at, {"opinion": asked.pk, "text": "Again."}).status_code == 409
    seen = client_of(dana).get(reverse("web:review", args=[claimed.pk])).content.decode()
    assert "No blisters." in seen
    kinds = [event.kind for event in claimed.events.order_by("id")]
    assert kinds[-2:] == [EventKind.OPINION_ASKED, EventKind.OPINION_GIVEN]
    assert "asks for your opinion" not in moris.get(reverse("web:strip")).content.decode()


def test_the_same_colleague_is_asked_once_at_a_time(asked, claimed, dana, mori):
    with pytest.raises(RefusedError):
        colleagues.ask_opinion(claimed, to=mori, by=dana, question="And now?")
    colleagues.give_opinion(asked, by=mori, opinion="No.")
    colleagues.ask_opinion(claimed, to=mori, by=dana, question="And now?")
    assert SecondOpinion.objects.count() == 2


def test_an_opinion_needs_a_question_and_an_answered_case_no_opinion(asked, claimed, dana, mori):
    with pytest.raises(ValidationError):
        colleagues.ask_opinion(claimed, to=mori, by=dana, question="  ")
    reviews.sign(claimed, by=dana, **ANSWER)
    with pytest.raises(IllegalMoveError):
        colleagues.give_opinion(asked, by=mori, opinion="Too late.")


def test_only_who_was_asked_answers(asked, dana):
    with pytest.raises(IllegalMoveError):
        colleagues.give_opinion(asked, by=dana, opinion="Mine.")


def test_alice_never_sees_what_they_wrote(asked, claimed, dana, mori, alice):
    colleagues.give_opinion(asked, by=mori, opinion="No blisters.")
    reviews.sign(claimed, by=dana, **ANSWER)
    hers = client_of(alice).get(reverse("web:submission", args=[claimed.pk])).content.decode()
    client = APIClient()
    client.force_authenticate(alice)
    told = client.get(f"/api/v1/submissions/{claimed.pk}").content.decode()
    assert "No blisters." not in hers + told and "Herpes, or not?" not in hers + told
    assert client.get(f"/api/v1/submissions/{claimed.pk}/opinions").status_code == 403


@pytest.mark.parametrize("name", ["hand_case_over", "ask_opinion"])
def test_the_pages_name_colleagues_and_say_that_the_clock_runs(claimed, dana, mori, name):
    page = client_of(dana).get(reverse(f"web:{name}", args=[claimed.pk])).content.decode()
    assert "Mori" in page and "The clock goes on" in page and "Both names stay on the record." in page
    wrong = client_of(dana).post(reverse(f"web:{name}", args=[claimed.pk]), {"text": "kept text"})
    assert wrong.status_code == 422 and "kept text" in wrong.content.decode()
    assert client_of(mori).get(reverse(f"web:{name}", args=[claimed.pk])).status_code == 409


def test_dana_hands_it_over_on_the_page(claimed, dana, mori):
    at = reverse("web:hand_case_over", args=[claimed.pk])
    assert client_of(dana).post(at, {"to": mori.pk, "text": "Please."}).status_code == 302
    claimed.refresh_from_db()
    assert claimed.claimed_by == mori


def test_the_api_hands_over_asks_and_answers(claimed, dana, mori):
    api = APIClient()
    api.force_authenticate(dana)
    at = f"/api/v1/submissions/{claimed.pk}"
    asked = api.post(f"{at}/opinions", {"to": str(mori.pk), "question": "Herpes?"}, format="json")
    assert asked.status_code == 201 and asked.json()["colleague"] == "Mori"
    api.force_authenticate(mori)
    given = api.post(f"/api/v1/opinions/{asked.json()['id']}/answer", {"opinion": "No."}, format="json")
    assert given.status_code == 201
    api.force_authenticate(dana)
    assert api.get(f"{at}/opinions").json()[0]["opinion"] == "No."
    assert api.post(f"{at}/hand-over", {"to": str(mori.pk)}, format="json").status_code == 201
    assert api.post(f"{at}/hand-over", {"to": str(mori.pk)}, format="json").status_code == 409
    (note,) = api.get(f"{at}/hand-over").json()
    assert (note["author"], note["to"]) == ("Dana", "Mori")
