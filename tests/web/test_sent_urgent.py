"""What was sent and cannot wait: neither its page nor home calms, and home names the child whose answers they are."""

from __future__ import annotations

import html
import re
import time

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from teleder.cases import intake, reviews, triage
from teleder.cases.models import Submission
from teleder.cases.triage import Urgency
from teleder.notifications import on_call, outbox

pytestmark = pytest.mark.django_db
EMERGENCY = {"very_ill": "yes"}
SAME_DAY = {"grouped_blisters": "yes", "fever": "yes"}


@pytest.fixture
def shown(client, alice):
    """Read a page as Alice reads it."""
    client.force_login(alice)

    def read(name: str, *args) -> str:
        return html.unescape(client.get(reverse(f"web:{name}", args=args)).content.decode())

    return read


# --- The page of what was sent ----------------------------------------------------------------------------
@pytest.mark.parametrize("answers", [EMERGENCY, SAME_DAY])
def test_the_page_of_what_cannot_wait_does_not_calm(shown, alice, submission_of, answers):
    submission = submission_of(alice, **answers)
    for name in ("submission", "status"):
        page = shown(name, submission.pk)
        assert 'class="card promise"' not in page and "Our promise" not in page
        assert "You can close this page" not in page and "we let you know" not in page
        advice = triage.advice_for(submission)["title"]
        assert page.index(advice) < page.index("Answer by")


def test_two_days_stand_in_amber_above_all_that_calms(shown, alice, submission_of):
    submission = submission_of(alice, crusts="yes")
    advice = triage.advice_for(submission)["title"]
    page = shown("submission", submission.pk)
    assert page.count(advice) == 1 and page.index(advice) < page.index('class="card promise"')
    assert "note-care" in page[: page.index(advice)] and "note-urgent" not in page[: page.index(advice)]


def test_the_page_of_what_can_wait_shows_the_promise(shown, alices_submission):
    page = shown("submission", alices_submission.pk)
    assert "Our promise" in page and "You can close this page." in page


def test_with_no_worker_the_advice_comes_within_a_second_and_the_sent_case_is_announced(
    client, alice, dana, draft_of
):
    """No worker runs in this test; what the sweeper does every second is called."""
    client.force_login(alice)
    began = time.perf_counter()
    reply = client.post(reverse("web:new"), {"answer": "yes"})
    page = html.unescape(client.get(reply.url).content.decode())
    assert time.perf_counter() - began < 1
    assert triage.policy().advice_for(Urgency.EMERGENCY)["title"] in page and 'href="tel:119"' in page
    sent = intake.submit(draft_of(alice, **EMERGENCY), by=alice, send_anyway=True)
    outbox.queue_messages()
    assert [call.submission for call in on_call.announced(dana)] == [sent]
    client.force_login(dana)
    assert sent.case.number in client.get(reverse("web:strip")).content.decode()
    assert Submission.objects.worklist().first() == sent


# --- Home -------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("answers", [SAME_DAY, {"spreading": "yes"}])
def test_home_keeps_the_advice_of_a_sent_case_until_the_answer(shown, alice, dana, submission_of, answers):
    submission = submission_of(alice, **answers)
    advice = triage.advice_for(submission)["title"]
    for name in ("home", "in_progress"):
        assert shown(name).count(advice) == 1
    reviews.claim(submission, by=dana)
    assert advice in shown("home")
    reviews.sign(submission, by=dana, impression="AD", disposition="today", text="See a doctor today.")
    assert not re.search(r'class="more" href="[^"]+">See a doctor', shown("home"))


@pytest.mark.parametrize("language", ["en", "ja"])
def test_the_alarm_on_home_names_the_child(shown, alice, sora, submission_of, draft_of, language):
    alice.language = language
    alice.save(update_fields=["language"])
    whose, own, childs = {
        "en": ("For Sora", "Your answers of", r"about Sora include"),
        "ja": ("Soraさんの相談", "あなたの", r"Soraさんについての.*答えに"),
    }[language]
    for make in (draft_of, submission_of):
        make(sora, **EMERGENCY)
        alarms = re.findall(r'<article class="alarm".*?</article>', shown("home"), re.DOTALL)
        assert alarms
        for alarm in alarms:
            assert whose in alarm and re.search(childs, alarm) and own not in alarm


def test_the_alarm_of_her_own_answers_names_no_child(shown, alice, sora, submission_of):
    submission_of(alice, **EMERGENCY)
    page = shown("home")
    assert "Your answers of" in page and "For Sora" not in page


def test_home_says_nothing_more_of_a_case_that_can_wait(shown, alices_submission):
    assert "See a doctor" not in shown("home")


def test_the_advice_of_each_further_sent_case_costs_no_query(
    shown, alice, submission_of, django_assert_max_num_queries
):
    submission_of(alice)
    with CaptureQueriesContext(connection) as usual:
        shown("in_progress")
    Submission.objects.update(rule_urgency=Urgency.SAME_DAY, urgency=Urgency.SAME_DAY)
    with django_assert_max_num_queries(len(usual)):
        assert "See a doctor today" in shown("in_progress")
