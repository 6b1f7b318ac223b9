"""A case that moved up, and an emergency on home: what Alice reads, and what she never reads."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
import time_machine
from django.urls import reverse
from django.utils import timezone

from teleder.cases import intake, reviews, withdrawal
from teleder.cases.models import EventKind, Submission
from teleder.cases.triage import Urgency
from teleder.notifications import outbox
from teleder.notifications.models import Message

HERPES = {"AD": 0.05, "HI": 0.9, "IM": 0.02, "MF": 0.01, "OTHER": 0.02}
# Nothing about why, and nothing that calms.
NEVER = re.compile(
    r"\bAI\b|herpes|ヘルペス|\d ?%|your answers include|答えの中に|usual treatment|いつもの|program|プログラム",
    re.IGNORECASE,
)
EMERGENCY = {"very_ill": "yes"}


@pytest.fixture
def moved_up(alices_submission, analyse) -> Submission:
    analyse(alices_submission.photos.get(), probabilities=HERPES)
    alices_submission.refresh_from_db()
    assert alices_submission.level == Urgency.SAME_DAY
    return alices_submission


@pytest.mark.django_db
def test_the_mail_says_only_that_there_is_news(moved_up, alice, mailoutbox):
    before = len(mailoutbox)
    outbox.queue_messages()
    outbox.deliver()
    sent = {mail.subject for mail in mailoutbox[before:]}
    assert sent == {"We have received your consultation", "There is news about your consultation"}
    assert "moved" not in mailoutbox[-1].body + mailoutbox[-1].subject
    assert Message.objects.inbox_of(alice).filter(event__kind=EventKind.MOVED_UP).count() == 1


@pytest.mark.django_db
def test_a_raise_that_brings_no_earlier_answer_is_not_told(alices_submission, analyse):
    Submission.objects.update(due_at=timezone.now() + timedelta(minutes=1))
    analyse(alices_submission.photos.get(), probabilities=HERPES)
    kinds = list(alices_submission.events.values_list("kind", flat=True))
    assert EventKind.URGENCY_RAISED in kinds and EventKind.MOVED_UP not in kinds
    assert alices_submission.moved_up_at() is None


@pytest.mark.django_db
def test_a_late_ai_promises_nothing_that_has_passed(alice, submission_of, analyse):
    with time_machine.travel(timezone.now() - timedelta(hours=5)):
        submission = submission_of(alice)
    analyse(submission.photos.get(), probabilities=HERPES)
    submission.refresh_from_db()
    assert timedelta(minutes=119) < submission.due_at - timezone.now() <= timedelta(minutes=120)


@pytest.mark.django_db
def test_a_reopened_case_no_longer_says_that_a_doctor_looks_sooner(client, moved_up, alice, adam, dana):
    """Its new time is later than the promise of then; only a new move is told."""
    reviews.claim(moved_up, by=dana)
    reviews.sign(moved_up, by=dana, impression="HI", disposition="emergency", text="Please call 119 now.")
    reviews.reopen(moved_up, by=adam)
    client.force_login(alice)
    for address in (moved_up.get_absolute_url(), reverse("web:home")):
        page = client.get(address, headers={"Accept-Language": "en"}).content.decode()
        assert "sooner" not in page and "moved you up" not in page and "Answer by" in page
    moved_up.events.create(kind=EventKind.MOVED_UP)
    assert moved_up.moved_up_at() is not None


@pytest.mark.browser
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("size", ["phone", "desk"])
@pytest.mark.parametrize("language", ["ja", "en"])
def test_alice_reads_that_a_doctor_looks_sooner_and_nothing_about_why(
    visit, is_accessible, moved_up, alice, language, size
):
    page = visit(alice, language=language, size=size)
    words = {"en": ("We moved you up", "Answer by today"), "ja": ("順番を早めました", "今日 ")}[language]
    for address in (moved_up.get_absolute_url(), reverse("web:home")):
        page.goto(address)
        text = page.locator("main").inner_text()
        assert "Moved up" in text or words[0] in text
        assert words[1] in text and "#7119" in text
        assert not NEVER.search(text), NEVER.search(text)
        is_accessible(page, language)


@pytest.mark.browser
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("language", ["ja", "en"])
def test_an_open_page_says_by_itself_that_the_case_moved_up(
    visit, alices_submission, analyse, alice, language
):
    page = visit(alice, language=language)
    page.goto(alices_submission.get_absolute_url())
    assert page.locator(".moved").count() == 0
    analyse(alices_submission.photos.get(), probabilities=HERPES)
    page.locator(".moved").wait_for()
    said = {"en": "We moved you up", "ja": "順番を早めました"}[language]
    page.wait_for_function("words => document.getElementById('said').textContent.includes(words)", arg=said)


@pytest.mark.browser
@pytest.mark.django_db(transaction=True)
def test_an_open_home_page_says_by_itself_that_the_answer_has_arrived(visit, alices_submission, alice, dana):
    page = visit(alice, language="en")
    page.goto(reverse("web:home"))
    assert page.locator(".card-warm").count() == 0
    reviews.claim(alices_submission, by=dana)
    reviews.sign(alices_submission, by=dana, impression="AD", disposition="self_care", text="Go on.")
    outbox.queue_messages()  # as the sweeper does each second
    page.locator(".card-warm", has_text="Not read yet").wait_for(timeout=30_000)
    assert "Your answer has arrived." in page.locator("#said").inner_text()


@pytest.mark.django_db
def test_a_promise_that_has_passed_is_not_repeated(client, alice, moved_up):
    Submission.objects.update(due_at=timezone.now() - timedelta(minutes=5))
    client.force_login(alice)
    for address in (moved_up.get_absolute_url(), reverse("web:home")):
        page = client.get(address).content.decode()
        assert "Our answer is late." in page and "Answer by" not in page


@pytest.mark.browser
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("language", ["ja", "en"])
def test_an_emergency_draft_stays_an_emergency_on_home(visit, is_accessible, alice, language):
    draft = intake.start(patient=alice, answers=_answers(EMERGENCY))
    page = visit(alice, language=language)
    page.goto(reverse("web:home"))
    alarm = page.locator(".alarm")
    assert alarm.locator("a[href='tel:119']").is_visible()
    not_sent = {"en": "Not sent yet: no doctor sees this.", "ja": "まだ送っていません。医師は見ていません。"}
    assert not_sent[language] in alarm.inner_text()
    is_accessible(page, language)
    with time_machine.travel(timezone.now() + timedelta(days=7, minutes=1), tick=True):
        assert "alarm" not in alice_reads(alice)
    withdrawal.withdraw(draft, by=alice)
    page.reload()
    assert alarm.count() == 0


@pytest.mark.django_db
def test_a_sent_emergency_stays_on_home_until_the_answer(alice, dana, submission_of):
    submission = submission_of(alice, **EMERGENCY)
    page = alice_reads(alice)
    assert 'class="alarm"' in page and "wait for our answer" in page
    reviews.claim(submission, by=dana)
    reviews.sign(submission, by=dana, impression="HI", disposition="emergency", text="Please call 119 now.")
    assert 'class="alarm"' not in alice_reads(alice)


def _answers(changed: dict[str, str]) -> dict[str, str]:
    from teleder.cases import triage

    return {question["id"]: "no" for question in triage.policy().questions} | changed


def alice_reads(alice) -> str:
    from django.test import Client

    client = Client()
    client.force_login(alice)
    return client.get(reverse("web:home")).content.decode()
