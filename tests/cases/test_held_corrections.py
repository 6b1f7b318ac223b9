"""A correction waits a minute as a first answer does; until it is sent, the answer that it corrects stays in force."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db.models import F
from django.test import Client
from django.urls import reverse
from rest_framework.test import APIClient

from teleder.accounts import people
from teleder.cases import answer_drafts, asking_back, held, reading, reviews
from teleder.cases.models import AnswerDraft, EventKind, HeldAnswer, Status
from teleder.cases.transitions import IllegalMoveError

pytestmark = pytest.mark.django_db
ANSWER = {"impression": "AD", "disposition": "self_care", "text": "Continue your usual care."}
BETTER = ANSWER | {"text": "Use the ointment twice a day.", "reason": "typing error"}


@pytest.fixture
def answered(dana, alices_submission, settings):
    reviews.claim(alices_submission, by=dana)
    reviews.sign(alices_submission, by=dana, **ANSWER)
    reading.answer_for_patient(alices_submission)
    settings.HOLD_SECONDS = 60
    return alices_submission


@pytest.fixture
def waiting(answered, dana):
    reviews.amend(answered, by=dana, **BETTER)
    return answered


def client_of(person) -> Client:
    client = Client()
    client.force_login(person)
    return client


def minute_passes() -> None:
    HeldAnswer.objects.update(send_at=F("send_at") - timedelta(seconds=60))


def page_of(person, name: str, submission) -> str:
    return client_of(person).get(reverse(f"web:{name}", args=[submission.pk])).content.decode()


def test_for_a_minute_alice_reads_the_first_answer(waiting, alice):
    assert held.send_due() == 0
    page = page_of(alice, "submission", waiting)
    assert ANSWER["text"] in page and BETTER["text"] not in page
    assert EventKind.AMENDED not in [event.kind for event in waiting.events.all()]


def test_after_a_minute_the_correction_is_in_force_and_the_first_stays(waiting, alice, dana):
    minute_passes()
    assert (held.send_due(), held.send_due()) == (1, 0)
    waiting.refresh_from_db()
    first, second = waiting.reviews.order_by("signed_at")
    assert (waiting.status, second.amends, second.text) == (Status.ANSWERED, first, BETTER["text"])
    assert [event.kind for event in waiting.events.order_by("id")][-2:] == [EventKind.HELD, EventKind.AMENDED]
    assert BETTER["text"] in page_of(alice, "submission", waiting)


def test_dana_undoes_it_and_finds_her_correction_as_a_draft(waiting, dana):
    held.undo(waiting, by=dana)
    minute_passes()
    assert held.send_due() == 0 and waiting.reviews.count() == 1
    assert AnswerDraft.objects.get().amends == str(waiting.answer().pk)
    page = page_of(dana, "review", waiting)
    assert BETTER["text"] in page and "typing error" in page
    waiting.refresh_from_db()
    assert (waiting.status, waiting.claimed_by) == (Status.ANSWERED, None)


def test_a_question_of_alice_stops_it_and_dana_is_called(waiting, alice, dana):
    asking_back.ask_back(waiting, by=alice, text="And my arm?")
    assert not HeldAnswer.objects.exists() and waiting.reviews.count() == 1
    (draft,) = answer_drafts.stopped(dana)
    assert draft.stopped_because == held.Stop.QUESTION
    assert "was not sent" in client_of(dana).get(reverse("web:strip")).content.decode()


def test_meanwhile_nobody_corrects_it_again_or_takes_it_back(waiting, dana, person):
    mori = person("mori", "dermatologist")
    for change in (
        lambda: reviews.amend(waiting, by=mori, **BETTER | {"text": "Other words."}),
        lambda: reading.take_back_answer(waiting, by=mori, reason="wrong"),
    ):
        with pytest.raises(IllegalMoveError):
            change()


def test_who_corrects_it_meanwhile_reads_whose_correction_waits(waiting, dana, person):
    typed = BETTER | {"text": "Other words.", "amends": str(waiting.answer().pk)}
    client = client_of(person("mori", "dermatologist"))
    refused = client.post(reverse("web:answer", args=[waiting.pk]), typed, headers={"HX-Request": "true"})
    page = refused.content.decode()
    assert refused.status_code == 409
    assert "Dana has signed a correction" in page and "once that correction is sent or undone" in page
    assert "no longer hold" not in page and "Undo the sending" not in page


def test_a_case_that_was_reopened_meanwhile_gets_no_correction(waiting, adam, dana):
    reviews.reopen(waiting, by=adam)
    minute_passes()
    assert held.send_due() == 0
    assert waiting.reviews.count() == 1 and not HeldAnswer.objects.exists()
    assert AnswerDraft.objects.get().stopped_because == held.Stop.REOPENED


def test_whose_account_was_closed_sends_no_correction(waiting, adam, dana):
    people.deactivate(dana, by=adam)
    minute_passes()
    assert held.send_due() == 0 and waiting.reviews.count() == 1


def test_the_page_says_that_it_waits_and_offers_no_second_form(waiting, dana, person):
    page = page_of(dana, "review", waiting)
    assert "Signed, waiting to be sent" in page and "Undo and go on writing" in page
    assert "Sign the correction" not in page
    other = page_of(person("mori", "dermatologist"), "review", waiting)
    assert "Signed by Dana" in other and "Undo and go on writing" not in other


def test_a_late_autosave_does_not_bring_the_draft_back(waiting, dana):
    typed = BETTER | {"amends": str(waiting.answer().pk)}
    assert answer_drafts.keep(waiting, by=dana, typed=typed) is None


def test_by_the_api_it_is_accepted_and_undone(answered, dana):
    api = APIClient()
    api.force_authenticate(dana)
    at = f"/api/v1/submissions/{answered.pk}"
    assert api.post(f"{at}/amendments", BETTER, format="json").status_code == 202
    assert api.get(f"{at}/held-answer").status_code == 200
    assert api.delete(f"{at}/held-answer").status_code == 204
    assert answered.reviews.count() == 1
