"""A signed answer waits a minute: dana undoes it, alice's news stop it, the sweeper sends it.

The database's clock stands still inside a test's transaction: `minute_passes` moves the times of sending instead.
"""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core import mail
from django.core.exceptions import ValidationError
from django.db.models import F
from django.test import Client
from django.urls import reverse

from teleder.accounts import people
from teleder.cases import answer_drafts, answers, asking_back, held, intake, reading, reviews
from teleder.cases.models import AnswerDraft, EventKind, HeldAnswer, Review, Status, Submission
from teleder.cases.transitions import IllegalMoveError
from teleder.notifications import outbox
from teleder.pipeline import ai_status
from tests.conftest import CALM, alarm

pytestmark = pytest.mark.django_db
ANSWER = {"impression": "AD", "disposition": "self_care", "text": "Continue your usual care."}


@pytest.fixture(autouse=True)
def a_minute(settings) -> None:
    settings.HOLD_SECONDS = 60


@pytest.fixture
def claimed(dana, alices_submission):
    reviews.claim(alices_submission, by=dana)
    return alices_submission


@pytest.fixture
def waiting(dana, claimed):
    reviews.sign(claimed, by=dana, **ANSWER)
    return claimed


def minute_passes() -> None:
    HeldAnswer.objects.update(send_at=F("send_at") - timedelta(seconds=60))


def status_of(submission) -> str:
    return Submission.objects.get(pk=submission.pk).status


def client_of(person) -> Client:
    client = Client()
    client.force_login(person)
    return client


def kinds(submission) -> list[str]:
    return [event.kind for event in submission.events.order_by("id")]


def test_for_a_minute_nothing_has_happened_for_alice(waiting, alice):
    assert held.send_due() == 0
    assert status_of(waiting) == Status.IN_REVIEW
    assert not Review.objects.exists()
    outbox.queue_messages()
    assert "An answer has arrived" not in [m.subject for m in mail.outbox]
    page = client_of(alice).get(reverse("web:submission", args=[waiting.pk])).content.decode()
    assert ANSWER["text"] not in page and "A dermatologist is looking at it now." in page


def test_after_a_minute_the_sweeper_sends_it_once(waiting, dana):
    minute_passes()
    assert held.send_due() == 1
    assert held.send_due() == 0
    assert status_of(waiting) == Status.ANSWERED
    review = waiting.reviews.get()
    assert (review.author, review.text) == (dana, ANSWER["text"])
    assert not HeldAnswer.objects.exists() and not AnswerDraft.objects.exists()
    assert kinds(waiting)[-2:] == [EventKind.HELD, EventKind.SIGNED]
    outbox.queue_messages()
    outbox.deliver()
    assert [m.subject for m in mail.outbox].count("An answer has arrived") == 1


def test_a_moment_before_the_minute_it_is_not_sent(waiting):
    HeldAnswer.objects.update(send_at=F("send_at") - timedelta(seconds=59))
    assert held.send_due() == 0


def test_the_time_of_the_answer_is_that_of_its_sending(waiting):
    signed = HeldAnswer.objects.get().signed_at
    Submission.objects.update(due_at=signed + timedelta(seconds=30))
    HeldAnswer.objects.update(signed_at=signed - timedelta(seconds=60))
    minute_passes()
    held.send_due()
    assert waiting.reviews.get().signed_at >= signed


def test_dana_undoes_it_and_finds_her_text_as_a_draft(waiting, dana, alice):
    held.undo(waiting, by=dana)
    minute_passes()
    assert held.send_due() == 0
    waiting.refresh_from_db()
    assert (waiting.status, waiting.claimed_by) == (Status.IN_REVIEW, dana)
    page = client_of(dana).get(reverse("web:review", args=[waiting.pk])).content.decode()
    assert ANSWER["text"] in page and "Sign, next" in page
    assert not Review.objects.exists()
    assert EventKind.SIGNED not in kinds(waiting)


def test_what_was_sent_cannot_be_undone(waiting, dana):
    held.send_now(waiting, by=dana)
    with pytest.raises(IllegalMoveError):
        held.undo(waiting, by=dana)
    assert status_of(waiting) == Status.ANSWERED


def test_only_the_signer_undoes_or_hastens_it(waiting, person):
    erik = person("erik", "dermatologist")
    for verb in (held.undo, held.send_now):
        with pytest.raises(IllegalMoveError):
            verb(waiting, by=erik)
    assert HeldAnswer.objects.exists()


def test_a_question_of_alice_stops_it(alice, dana, submission_of, settings):
    settings.HOLD_SECONDS = 0
    earlier, now = submission_of(alice), submission_of(alice)
    reviews.claim(earlier, by=dana)
    reviews.sign(earlier, by=dana, **ANSWER)
    settings.HOLD_SECONDS = 60
    reviews.claim(now, by=dana)
    reviews.sign(now, by=dana, **ANSWER)
    asking_back.ask_back(earlier, by=alice, text="It is worse now.")
    assert_stopped(now, dana, "question")


def test_a_photo_of_alice_stops_it_and_is_kept(waiting, alice, dana, photo_file):
    intake.add_photo(waiting, view="close_up", upload=photo_file())
    assert waiting.current_photos().count() == 2
    assert_stopped(waiting, dana, "photo")


def test_dana_does_not_sign_past_a_photo_that_came_while_she_wrote(claimed, dana, photo_file):
    danas, address = client_of(dana), reverse("web:answer", args=[claimed.pk])
    page = danas.get(reverse("web:review", args=[claimed.pk])).content.decode()
    assert 'name="photos" value="1"' in page
    intake.add_photo(claimed, view="close_up", upload=photo_file())
    reply = danas.post(address, ANSWER | {"amends": "nothing", "photos": "1"})
    assert reply.status_code == 409 and "A new photo has come." in reply.content.decode()
    assert not HeldAnswer.objects.exists()
    assert danas.post(address, ANSWER | {"amends": "nothing", "photos": "2"}).status_code == 302


def test_a_red_flag_in_a_new_draft_of_alice_stops_it(waiting, alice, dana):
    answers.open_with_answer(patient=alice, question="fever", value="yes", case=waiting.case)
    assert_stopped(waiting, dana, "answers")


def test_a_no_in_a_new_draft_does_not_stop_it(waiting, alice):
    answers.open_with_answer(patient=alice, question="fever", value="no", case=waiting.case)
    intake.start(patient=alice, answers=CALM)
    assert HeldAnswer.objects.exists()


def test_a_second_submission_of_alice_stops_it(waiting, alice, dana, submission_of):
    submission_of(alice)
    assert not HeldAnswer.objects.exists()
    assert status_of(waiting) == Status.IN_REVIEW


def test_what_bob_does_stops_nothing_of_alice(waiting, bob, submission_of):
    submission_of(bob, fever="yes")
    assert HeldAnswer.objects.filter(submission=waiting).exists()


def test_an_urgency_that_the_ai_raises_stops_a_lower_answer(waiting, dana, analyse):
    analyse(
        waiting.photos.get(),
        probabilities={"AD": 0.3, "HI": 0.6, "IM": 0.05, "MF": 0.01, "OTHER": 0.04},
        alarms=(alarm("HI", 0.6),),
    )
    waiting.refresh_from_db()
    ai_status.settle(waiting)
    minute_passes()
    assert held.send_due() == 0
    assert_stopped(waiting, dana, "urgency")


def test_a_signer_who_was_locked_out_sends_nothing(waiting, dana, adam):
    people.deactivate(dana, by=adam)
    minute_passes()
    held.send_due()
    assert not Review.objects.exists() and not HeldAnswer.objects.exists()
    assert AnswerDraft.objects.get().typed["text"] == ANSWER["text"]


def assert_stopped(submission, dana, why: str) -> None:
    minute_passes()
    assert held.send_due() == 0
    assert not HeldAnswer.objects.filter(submission=submission).exists()
    submission.refresh_from_db()
    assert (submission.status, submission.claimed_by) == (Status.IN_REVIEW, dana)
    event = submission.events.get(kind=EventKind.SEND_STOPPED)
    assert event.detail == {"why": why}
    assert answer_drafts.stopped(dana)[0].submission == submission
    strip = client_of(dana).get(reverse("web:strip")).content.decode()
    assert submission.case.number in strip and "was not sent" in strip
    outbox.queue_messages()
    outbox.deliver()
    calls = [m for m in mail.outbox if m.to == [dana.email]]
    assert [m.subject for m in calls] == ["An answer that you signed was not sent"]
    assert "eczema" not in calls[0].body and "skin" not in calls[0].body
    # Signed again, it goes.
    submission = Submission.objects.get(pk=submission.pk)
    reviews.sign(submission, by=dana, **ANSWER | {"reason": "Read."})
    assert answer_drafts.stopped(dana) == []
    minute_passes()
    assert held.send_due() == 1


@pytest.mark.parametrize("verb", ["release", "request_photos", "reassign", "sign"])
def test_a_held_case_is_not_given_away(waiting, dana, adam, person, verb):
    erik = person("erik", "dermatologist")
    steps = {
        "release": lambda: reviews.release(waiting, by=adam),
        "request_photos": lambda: reviews.request_photos(waiting, by=dana, reason="blurred"),
        "reassign": lambda: reviews.reassign(waiting, to=erik, by=adam),
        "sign": lambda: reviews.sign(waiting, by=dana, **ANSWER),
    }
    with pytest.raises(IllegalMoveError):
        steps[verb]()
    assert HeldAnswer.objects.count() == 1 and status_of(waiting) == Status.IN_REVIEW


def test_an_idle_claim_of_a_held_case_is_kept(waiting):
    Submission.objects.update(claimed_at=F("claimed_at") - timedelta(hours=1))
    assert reviews.release_idle_claims() == 0


def test_claim_next_does_not_lead_back_to_it(waiting, dana, bob, submission_of):
    following = submission_of(bob)
    reply = client_of(dana).post(reverse("web:claim_next"))
    assert str(following.pk) in reply.url


# --- By the API -------------------------------------------------------------------------------------------
def test_by_the_api_an_answer_is_held_and_can_be_undone(claimed, dana):
    api = f"/api/v1/submissions/{claimed.pk}"
    client = client_of(dana)
    reply = client.post(f"{api}/reviews", ANSWER, "application/json")
    assert reply.status_code == 202 and set(reply.json()) == {"id", "signed_at", "send_at"}
    assert client.get(f"{api}/held-answer").json() == reply.json()
    assert client.delete(f"{api}/held-answer").status_code == 204
    assert client.get(f"{api}/held-answer").status_code == 404
    assert client.delete(f"{api}/held-answer").status_code == 409
    assert not Review.objects.exists()


# --- Taking back ------------------------------------------------------------------------------------------
@pytest.fixture
def sent(waiting):
    minute_passes()
    held.send_due()
    return Submission.objects.get(pk=waiting.pk)


def page_of_alice(alice, submission) -> str:
    return client_of(alice).get(reverse("web:submission", args=[submission.pk])).content.decode()


def test_dana_takes_an_unread_answer_back_and_alice_never_sees_it(sent, dana, alice):
    due = sent.due_at
    reading.take_back_answer(sent, by=dana, reason="Left and right were mixed up.")
    sent.refresh_from_db()
    assert (sent.status, sent.claimed_by, sent.due_at) == (Status.IN_REVIEW, dana, due)
    assert ANSWER["text"] not in page_of_alice(alice, sent)
    assert client_of(alice).get(f"/api/v1/submissions/{sent.pk}/reviews").json() == []
    assert client_of(alice).get(f"/api/v1/submissions/{sent.pk}").json()["reviews"] == []
    reviews.sign(sent, by=dana, **ANSWER | {"text": "The right arm."})
    minute_passes()
    held.send_due()
    page = page_of_alice(alice, sent)
    assert "The right arm." in page and ANSWER["text"] not in page and "corrects" not in page
    shown = client_of(alice).get(f"/api/v1/submissions/{sent.pk}/reviews").json()
    assert [(one["text"], one["amends"]) for one in shown] == [("The right arm.", None)]
    # The record keeps the first, for the clinic.
    kept = client_of(dana).get(f"/api/v1/submissions/{sent.pk}/reviews").json()
    assert [one["taken_back"] for one in kept] == [False, True]


@pytest.mark.parametrize("way", ["page", "status", "api", "reviews", "pdf"])
def test_an_answer_that_alice_has_opened_can_only_be_corrected(sent, dana, alice, way):
    addresses = {
        "page": reverse("web:submission", args=[sent.pk]),
        "status": reverse("web:status", args=[sent.pk]),
        "api": f"/api/v1/submissions/{sent.pk}",
        "reviews": f"/api/v1/submissions/{sent.pk}/reviews",
        "pdf": reverse("web:answer_pdf", args=[sent.pk]),
    }
    assert client_of(alice).get(addresses[way]).status_code == 200
    with pytest.raises(IllegalMoveError):
        reading.take_back_answer(sent, by=dana, reason="Left and right were mixed up.")
    reviews.amend(sent, by=dana, **ANSWER | {"text": "The right arm.", "reason": "Mixed up."})
    minute_passes()  # a correction is held as well
    held.send_due()
    first, second = sent.reviews.order_by("signed_at")
    assert (first.text, second.amends) == (ANSWER["text"], first)


def test_what_dana_reads_herself_is_not_alices_reading(sent, dana):
    client_of(dana).get(reverse("web:review", args=[sent.pk]))
    client_of(dana).get(f"/api/v1/submissions/{sent.pk}/reviews")
    assert reading.may_take_back(sent)


def test_taking_back_needs_a_reason(sent, dana):
    with pytest.raises(ValidationError):
        reading.take_back_answer(sent, by=dana, reason=" ")
    reply = client_of(dana).post(f"/api/v1/submissions/{sent.pk}/take-back", {}, "application/json")
    assert reply.status_code == 400
    assert status_of(sent) == Status.ANSWERED


def test_an_answer_taken_back_reminds_of_nothing(sent, dana):
    from teleder.cases.plan import waiting_for_photos

    reading.take_back_answer(sent, by=dana, reason="Mixed up.")
    reviews.sign(sent, by=dana, at_once=True, **ANSWER)
    assert waiting_for_photos().count() == 0
