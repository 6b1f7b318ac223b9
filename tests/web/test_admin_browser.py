"""Admins in a real browser: accessible pages in both languages, jobs by keyboard, a board that refreshes itself."""

from __future__ import annotations

import pytest
from django.urls import reverse
from playwright.sync_api import expect

from contract import messages
from teleder.accounts.models import Invitation, Role
from teleder.cases import reviews
from teleder.cases.models import JobState
from teleder.pipeline import results
from tests.conftest import send_for_test

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
EACH_WAY = pytest.mark.parametrize(
    ("language", "size"), [("ja", "phone"), ("en", "phone"), ("ja", "desk"), ("en", "desk")]
)


@pytest.fixture
def failed_job(alices_submission):
    photo = alices_submission.photos.get()
    job, attempt = send_for_test(photo, "prepare")
    results.record(job=job, attempt=attempt, worker="w1", outcome=messages.Failed(code="storage_unreachable"))
    return photo.jobs.get()


@EACH_WAY
def test_adams_pages_are_accessible(
    visit, is_accessible, adam, dana, bob, failed_job, submission_of, language, size
):
    handed = submission_of(bob, fever="yes")
    reviews.reassign(handed, to=dana, by=adam)
    _invitation, token = Invitation.issue(email="erik@example.com", role=Role.DERMATOLOGIST, by=adam)
    page = visit(adam, language=language, size=size)
    for name in ("operations", "cases_admin", "people", "models"):
        page.goto(reverse(f"web:{name}"))
        is_accessible(page, language)
    for address in (reverse("web:case_admin", args=[handed.pk]), reverse("web:invitation", args=[token])):
        page.goto(address)
        is_accessible(page, language)


@EACH_WAY
def test_adam_requeues_by_keyboard_after_confirmation(visit, is_accessible, adam, failed_job, language, size):
    page = visit(adam, language=language, size=size)
    page.goto(reverse("web:operations"))
    page.locator(f"#job-{failed_job.pk}").press("Space")
    page.locator("section[aria-labelledby=requeue-title] .actions button").first.press("Enter")
    expect(page.locator("main h1")).not_to_have_text("")
    is_accessible(page, language)
    page.locator(".actions .button-primary").press("Enter")
    expect(page.locator("[role=status]").first).to_be_visible()
    failed_job.refresh_from_db()
    assert failed_job.state in {JobState.QUEUED, JobState.SENT}


def test_the_board_shows_a_stopped_job_without_reload(visit, adam, alices_submission):
    page = visit(adam, size="desk")
    page.goto(reverse("web:operations"))
    expect(page.locator(".problems")).to_have_count(0)
    job, attempt = send_for_test(alices_submission.photos.get(), "prepare")
    results.record(job=job, attempt=attempt, worker="w1", outcome=messages.Failed(code="storage_unreachable"))
    expect(page.locator("#board .problems")).to_contain_text("1 job has stopped.", timeout=13_000)
