"""A dermatologist signs while the urgency rises or a colleague corrects the answer: no typed text is lost."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from django.db import connection, transaction
from django.test import Client
from django.urls import reverse

from teleder.cases import reviews
from teleder.cases.models import Review, Status, Submission
from teleder.cases.triage import Urgency

pytestmark = pytest.mark.django_db(transaction=True)
ANSWER = {"impression": "AD", "disposition": "self_care", "text": "Continue your usual care."}
FIRST = ANSWER | {"text": "It is impetigo.", "reason": "Read again."}
SECOND = ANSWER | {"text": "It is herpes.", "reason": "Laboratory result."}
API = "/api/v1"
# Only in this database: tests in other processes also wait for locks.
WAITING = """
SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND cardinality(pg_blocking_pids(pid)) > 0
"""


@pytest.fixture
def erik(person):
    return person("erik", "dermatologist")


@pytest.fixture
def claimed(dana, alices_submission):
    reviews.claim(alices_submission, by=dana)
    return alices_submission


@pytest.fixture
def answered(dana, claimed):
    reviews.sign(claimed, by=dana, **ANSWER)
    return claimed


@contextmanager
def meanwhile(change: Callable[[], object]) -> Iterator[None]:
    """Make a change in another connection that commits as soon as another transaction waits for its locks."""
    made, failures = threading.Event(), []

    def run() -> None:
        try:
            with transaction.atomic():
                change()
                made.set()
                _wait_for_a_blocked_transaction()
        except Exception as error:
            failures.append(error)
        finally:
            made.set()
            connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    assert made.wait(20)
    yield
    thread.join(30)
    assert failures == []


def _wait_for_a_blocked_transaction() -> None:
    end = time.monotonic() + 15
    with connection.cursor() as cursor:
        while time.monotonic() < end:
            if cursor.execute(WAITING).fetchone()[0]:
                return
            time.sleep(0.02)
    raise AssertionError("no transaction waited: the two did not overlap")


def client_of(person) -> Client:
    client = Client()
    client.force_login(person)
    return client


def by_page(person, submission, form: dict, **more):
    return client_of(person).post(reverse("web:answer", args=[submission.pk]), form | more)


def by_api(person, submission, kind: str, form: dict):
    address = f"{API}/submissions/{submission.pk}/{kind}"
    headers = {"Accept-Language": "en"}
    return client_of(person).post(address, form, "application/json", headers=headers)


def raise_urgency(submission, to: Urgency = Urgency.EMERGENCY) -> Callable[[], object]:
    return lambda: Submission.objects.filter(pk=submission.pk).update(urgency=to)


# --- The urgency rises ------------------------------------------------------------------------------------
@pytest.mark.parametrize("to", [Urgency.DAYS_2, Urgency.SAME_DAY, Urgency.EMERGENCY])
def test_page_refuses_a_slow_signature_when_the_urgency_has_risen(dana, claimed, to):
    with meanwhile(raise_urgency(claimed, to)):
        answer = by_page(dana, claimed, ANSWER)
    page = answer.content.decode()
    assert answer.status_code == 409
    assert f"risen to: {to.label}" in page and ANSWER["text"] in page
    assert 'value="self_care" checked' in page
    claimed.refresh_from_db()
    assert (claimed.status, claimed.reviews.count()) == (Status.IN_REVIEW, 0)
    assert by_page(dana, claimed, ANSWER, reason="Seen by the family doctor today.").status_code == 302


def test_api_refuses_a_slow_signature_when_the_urgency_has_risen(dana, claimed):
    with meanwhile(raise_urgency(claimed)):
        answer = by_api(dana, claimed, "reviews", ANSWER)
    assert answer.status_code == 409
    problem = answer.json()
    assert (problem["code"], problem["urgency"]) == ("urgency_rose", "emergency")
    assert "emergency" in problem["detail"] and "why" in problem["detail"]
    assert not Review.objects.exists()


def test_a_slow_signature_with_a_reason_stores_the_current_urgency(dana, claimed):
    with meanwhile(raise_urgency(claimed)):
        assert by_page(dana, claimed, ANSWER, reason="Seen today by a colleague.").status_code == 302
    assert claimed.reviews.get().triage_urgency == Urgency.EMERGENCY


def test_a_slow_answer_of_sufficient_urgency_needs_no_reason(dana, claimed):
    with meanwhile(raise_urgency(claimed)):
        assert by_page(dana, claimed, ANSWER | {"disposition": "emergency"}).status_code == 302


def test_a_slow_correction_is_refused_when_the_urgency_has_risen(dana, answered):
    with meanwhile(raise_urgency(answered)):
        answer = by_api(dana, answered, "amendments", ANSWER)
    assert (answer.status_code, answer.json()["code"]) == (409, "urgency_rose")
    assert Review.objects.count() == 1


def test_a_lost_claim_is_reported_before_the_urgency(dana, erik, adam, claimed):
    def hand_on() -> None:
        reviews.reassign(Submission.objects.get(pk=claimed.pk), to=erik, by=adam)
        raise_urgency(claimed)()

    with meanwhile(hand_on):
        answer = by_page(dana, claimed, ANSWER)
    assert answer.status_code == 409 and "is claimed by Erik" in answer.content.decode()


# --- Two corrections --------------------------------------------------------------------------------------
def amend(person, submission, form: dict) -> Callable[[], object]:
    return lambda: reviews.amend(Submission.objects.get(pk=submission.pk), by=person, **form)


def test_page_shows_the_second_dermatologist_the_correction_of_the_first(dana, erik, answered):
    original = answered.answer()
    with meanwhile(amend(erik, answered, FIRST)):
        answer = by_page(dana, answered, SECOND, amends=original.pk)
    newer, page = answered.answer(), answer.content.decode()
    assert answer.status_code == 409 and newer.author == erik
    assert (
        "Erik has signed another answer meanwhile"
        in page.partition('id="not-signed"')[2].partition("id_text")[0]
    )  # it is shown above the form
    assert FIRST["text"] in page and SECOND["text"] in page and SECOND["reason"] in page
    assert f'name="amends" value="{newer.pk}"' in page
    assert by_page(dana, answered, SECOND, amends=newer.pk).status_code == 302
    assert list(answered.reviews.order_by("signed_at").values_list("amends", flat=True)) == [
        None,
        original.pk,
        newer.pk,
    ]


@pytest.mark.parametrize("names_what_it_read", [True, False])
def test_api_names_the_answer_that_came_first(dana, erik, answered, names_what_it_read):
    form = SECOND | ({"amends": str(answered.answer().pk)} if names_what_it_read else {})
    with meanwhile(amend(erik, answered, FIRST)):
        answer = by_api(dana, answered, "amendments", form)
    newer = answered.answer()
    assert (answer.status_code, answer.json()["code"]) == (409, "already_amended")
    assert answer.json()["review"] == str(newer.pk) and newer.author == erik
    assert answered.reviews.count() == 2
    assert by_api(dana, answered, "amendments", SECOND | {"amends": str(newer.pk)}).status_code == 201


@pytest.mark.parametrize("call", ["page", "api"])
def test_a_correction_of_a_superseded_answer_is_detected_later_as_well(dana, erik, answered, call):
    read = str(answered.answer().pk)
    amend(erik, answered, FIRST)()
    if call == "page":
        answer = by_page(dana, answered, SECOND, amends=read)
    else:
        answer = by_api(dana, answered, "amendments", SECOND | {"amends": read})
    assert answer.status_code == 409
    assert answered.reviews.count() == 2


def test_the_form_of_a_first_answer_cannot_correct_an_answer(dana, claimed):
    """In two tabs, the second signs an answer that the first has already signed."""
    page = client_of(dana).get(reverse("web:review", args=[claimed.pk])).content.decode()
    assert 'name="amends" value="nothing"' in page
    assert by_page(dana, claimed, ANSWER, amends="nothing").status_code == 302
    again = by_page(dana, claimed, SECOND, amends="nothing")
    assert again.status_code == 409 and SECOND["text"] in again.content.decode()
    assert claimed.reviews.count() == 1


def test_a_drafted_or_previewed_text_keeps_the_id_of_the_answer_that_was_read(dana, answered):
    read = answered.answer().pk
    for step in ({"preview": "1"}, {"insert": "en"}):
        page = by_page(dana, answered, SECOND | step, amends=read).content.decode()
        assert f'name="amends" value="{read}"' in page


def test_simultaneous_corrections_form_one_chain(dana, answered):
    """Of eight simultaneous corrections each either amends the current answer or is refused; no other error occurs."""
    read, results = str(answered.answer().pk), []

    def run() -> None:
        results.append(by_api(dana, answered, "amendments", SECOND | {"amends": read}).status_code)
        connection.close()

    threads = [threading.Thread(target=run) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(results) == [201] + [409] * 7
