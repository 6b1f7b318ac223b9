"""A patient asks back about an answer; a dermatologist replies in time, once, and nothing sent is changed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.core import mail
from django.core.exceptions import ValidationError
from django.db import ProgrammingError, transaction

from teleder.audit.models import Entry
from teleder.cases import asking_back, reviews
from teleder.cases.models import EventKind, PatientQuestion
from teleder.cases.originals import RefusedError
from teleder.cases.transitions import IllegalMoveError
from teleder.notifications import outbox
from teleder.notifications.models import Message

pytestmark = pytest.mark.django_db
ANSWER = {"impression": "AD", "disposition": "self_care", "text": "Go on with the moisturiser."}


@pytest.fixture
def answered(alices_submission, dana):
    reviews.claim(alices_submission, by=dana)
    reviews.sign(alices_submission, by=dana, **ANSWER)
    return alices_submission


def ask(submission, alice, text="May I swim?"):
    return asking_back.ask_back(submission, by=alice, text=text)


@pytest.mark.parametrize(
    ("asked", "due"),
    [
        (
            datetime(2026, 12, 1, 1, tzinfo=UTC),
            datetime(2026, 12, 3, 1, tzinfo=UTC),
        ),  # Tuesday 10:00 in Tokyo
        (
            datetime(2026, 12, 3, 11, tzinfo=UTC),
            datetime(2026, 12, 8, 0, tzinfo=UTC),
        ),  # Thursday 20:00: closed
        (datetime(2026, 12, 5, 3, tzinfo=UTC), datetime(2026, 12, 9, 0, tzinfo=UTC)),  # Saturday
    ],
)
def test_a_reply_is_due_after_two_staffed_days(answered, alice, settings, asked, due):
    settings.STAFFED_HOURS = (datetime(2026, 1, 1, 9).time(), datetime(2026, 1, 1, 18).time())
    with time_machine.travel(asked, tick=False):
        assert ask(answered, alice).due_at == due


def test_a_question_comes_on_the_worklist_and_a_reply_takes_it_off(answered, alice, dana):
    question = ask(answered, alice)
    answered.refresh_from_db()
    assert answered.question_due_at == question.due_at and answered.status == "answered"
    asking_back.reply(question, by=dana, text="Yes.")
    answered.refresh_from_db()
    assert answered.question_due_at is None
    kinds = [event.kind for event in answered.events.all()][-2:]
    assert kinds == [EventKind.ASKED_BACK, EventKind.REPLIED]


def test_the_first_of_two_questions_is_due_first(answered, alice, dana):
    first, second = ask(answered, alice), ask(answered, alice, "And the sun?")
    asking_back.reply(first, by=dana, text="Yes.")
    answered.refresh_from_db()
    assert answered.question_due_at == second.due_at


def test_alice_is_told_that_there_is_news_and_no_more(answered, alice, dana):
    question = ask(answered, alice, "May I swim with eczema?")
    asking_back.reply(question, by=dana, text="Yes, rinse your skin.")
    mail.outbox.clear()
    outbox.queue_messages()
    outbox.deliver()
    subjects = [message.subject for message in mail.outbox]
    assert subjects.count("There is news about your consultation") == 1
    text = " ".join(message.subject + message.body for message in mail.outbox).lower()
    assert not any(word in text for word in ("swim", "eczema", "rinse", "question", "reply to"))
    assert "There is a reply to your question" in [row.title for row in Message.objects.inbox_of(alice)]


def test_a_double_tap_asks_once(answered, alice):
    assert ask(answered, alice) == ask(answered, alice)
    assert answered.questions.asked().count() == 1


def test_three_questions_may_wait_at_once(answered, alice, dana):
    first = [ask(answered, alice, f"Number {n}?") for n in range(3)][0]
    with pytest.raises(RefusedError):
        ask(answered, alice, "One more?")
    asking_back.reply(first, by=dana, text="Yes.")
    ask(answered, alice, "One more?")


def test_two_who_reply_do_not_overwrite_each_other(answered, alice, dana, person):
    question = ask(answered, alice)
    asking_back.reply(question, by=dana, text="Yes.")
    with pytest.raises(IllegalMoveError):
        asking_back.reply(question, by=person("erik", "dermatologist"), text="No.")
    question.refresh_from_db()
    assert (question.reply, question.replied_by) == ("Yes.", dana)


@pytest.mark.parametrize("text", ["", "  \n", "\u200b", "x" * 2001])
def test_an_empty_or_too_long_text_is_refused(answered, alice, dana, text):
    with pytest.raises(ValidationError):
        ask(answered, alice, text)
    with pytest.raises(ValidationError):
        asking_back.reply(ask(answered, alice), by=dana, text=text)


def test_without_an_answer_there_is_nothing_to_ask_back(alices_submission, alice):
    with pytest.raises(IllegalMoveError):
        ask(alices_submission, alice)
    with pytest.raises(IllegalMoveError):
        asking_back.keep_draft(alices_submission, text="May I")
    assert not PatientQuestion.objects.exists()


def test_a_draft_is_kept_until_it_is_sent_and_no_dermatologist_sees_it(answered, alice):
    asking_back.keep_draft(answered, text="May I")
    asking_back.keep_draft(answered, text="May I swim")
    assert [question.text for question in answered.questions.all()] == ["May I swim"]
    assert not answered.questions.asked().exists() and not answered.questions.open().exists()
    ask(answered, alice)
    assert [question.text for question in answered.questions.all()] == ["May I swim?"]


@pytest.mark.parametrize("change", [{"text": "Other?"}, {"due_at": datetime(2030, 1, 1, tzinfo=UTC)}])
def test_the_database_refuses_to_change_what_was_sent(answered, alice, change):
    question = ask(answered, alice)
    with pytest.raises(ProgrammingError, match="kept as they are"), transaction.atomic():
        PatientQuestion.objects.filter(pk=question.pk).update(**change)


def test_the_database_refuses_to_change_a_reply(answered, alice, dana):
    question = asking_back.reply(ask(answered, alice), by=dana, text="Yes.")
    with pytest.raises(ProgrammingError, match="kept as they are"), transaction.atomic():
        PatientQuestion.objects.filter(pk=question.pk).update(reply="No.")


# --- Pages ------------------------------------------------------------------------------------------------
def thread(submission) -> str:
    return f"/consultations/{submission.pk}/questions-back/"


def test_alice_asks_and_dana_replies_by_their_pages(client, alice, dana, answered):
    client.force_login(alice)
    page = client.get(thread(answered)).content.decode()
    assert "This is not for emergencies." in page and "We reply by" in page and "(Japan time)" in page
    assert "Small, painful blisters close together" in page
    assert client.post(thread(answered), {"text": "May I swim?"}).status_code == 303
    assert "Reply by" in client.get(answered.get_absolute_url()).content.decode()
    client.force_login(dana)
    rows = client.get("/worklist/", {"show": "asked"}).content.decode()
    assert str(answered.case) in rows and "asked back" in rows and "due in" in rows
    assert 'Asked back<span class="n">1</span>' in client.get("/worklist/").content.decode()
    review = client.get(f"/review/{answered.pk}/").content.decode()
    assert "May I swim?" in review and "Reply promised by" in review
    question = PatientQuestion.objects.get()
    sent = client.post(
        f"/review/{answered.pk}/reply/", {"question": question.pk, "text": "Yes, rinse after."}
    )
    assert sent.status_code == 302
    assert Entry.objects.filter(door="web:reply", person=dana.pk, cases__contains=[answered.case_id]).exists()
    assert "asked back</strong>" not in client.get("/worklist/", {"show": "asked"}).content.decode()
    client.force_login(alice)
    page = client.get(thread(answered)).content.decode()
    assert "Yes, rinse after." in page and "Dr Dana" in page


def test_what_alice_types_is_kept_by_the_script_and_a_refused_text_comes_back(client, alice, answered):
    client.force_login(alice)
    kept = client.post(thread(answered), {"text": "May I swi"}, headers={"HX-Request": "true"})
    assert kept.status_code == 204 and not PatientQuestion.objects.asked().exists()
    assert "May I swi</textarea>" in client.get(thread(answered)).content.decode()
    refused = client.post(thread(answered), {"text": "y" * 2001})
    assert refused.status_code == 422 and "y" * 2001 in refused.content.decode()


@pytest.mark.parametrize("late", ["May I swi", "May I swim?"])
def test_a_script_that_stores_late_brings_no_sent_question_back(client, alice, answered, late):
    client.force_login(alice)
    client.post(thread(answered), {"text": "May I swim?"})
    client.post(thread(answered), {"text": late}, headers={"HX-Request": "true"})
    page = client.get(thread(answered)).content.decode()
    assert "></textarea>" in page and page.count("May I swi") == 1
    client.post(thread(answered), {"text": "And run?"}, headers={"HX-Request": "true"})
    assert "And run?</textarea>" in client.get(thread(answered)).content.decode()


@pytest.mark.parametrize(
    ("language", "last", "full"),
    [
        ("en", "After this question you can write the next one when", "3 questions have no reply yet."),
        ("ja", "この質問のあとは", "お返事を待っている質問が3件あります"),
    ],
)
def test_the_limit_is_named_before_and_when_it_is_reached(client, alice, answered, language, last, full):
    alice.language = language
    alice.save(update_fields=["language"])
    client.force_login(alice)
    for n in range(3):
        page = client.get(thread(answered)).content.decode()
        assert (last in page) == (n == 2) and full not in page
        client.post(thread(answered), {"text": f"Number {n}?"})
    page = client.get(thread(answered)).content.decode()
    assert full in page and "<textarea" not in page


def test_a_refused_reply_comes_back_with_its_text(client, alice, dana, answered, person):
    question = ask(answered, alice)
    client.force_login(dana)
    path = f"/review/{answered.pk}/reply/"
    assert client.post(path, {"question": question.pk, "text": " "}).status_code == 422
    asking_back.reply(question, by=person("erik", "dermatologist"), text="Yes.")
    late = client.post(path, {"question": question.pk, "text": "No, not yet."})
    assert late.status_code == 409
    page = late.content.decode()
    assert "No, not yet." in page and "Somebody else has replied" in page and "Yes." in page


def test_no_question_of_another_case_can_be_replied_to(client, alice, bob, dana, answered, submission_of):
    other = submission_of(bob)
    reviews.claim(other, by=dana)
    reviews.sign(other, by=dana, **ANSWER)
    question = ask(other, bob)
    client.force_login(dana)
    for pk in (question.pk, "x", ""):
        assert (
            client.post(f"/review/{answered.pk}/reply/", {"question": pk, "text": "Yes."}).status_code == 404
        )
    client.force_login(alice)
    assert client.get(thread(other)).status_code == 404
    assert client.post(thread(other), {"text": "Mine?"}).status_code == 404


def test_opening_the_answer_does_not_mark_the_reply_as_read(client, alice, dana, answered):
    asking_back.reply(ask(answered, alice), by=dana, text="Yes.")
    outbox.queue_messages()
    client.force_login(alice)
    client.get(answered.get_absolute_url())
    assert Message.objects.inbox_of(alice).unread().count() == 1
    client.get(thread(answered))
    assert not Message.objects.inbox_of(alice).unread().exists()


def test_a_late_reply_is_said(client, alice, answered):
    ask(answered, alice)
    client.force_login(alice)
    with time_machine.travel(datetime.now(UTC) + timedelta(days=8), tick=False):
        client.force_login(alice)
        assert "Our reply is late." in client.get(thread(answered)).content.decode()
