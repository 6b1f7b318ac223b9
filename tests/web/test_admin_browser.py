"""Admins in a real browser: accessible pages in both languages, jobs by keyboard, a board that refreshes itself."""

from __future__ import annotations

import pytest
from django.urls import reverse
from playwright.sync_api import expect

from contract import messages
from teleder.accounts.models import Invitation, Role
from teleder.cases import reviews
from teleder.cases.models import JobState, Submission
from teleder.notifications import alerts
from teleder.notifications.models import Alert
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
    alerts.update({("jobs_stopped", adam.clinic_id)})
    for name in ("operations", "runbook", "cases_admin", "people", "models"):
        page.goto(reverse(f"web:{name}"))
        is_accessible(page, language)
    for name, pk in (("case_admin", handed.pk), ("case_trail", handed.pk), ("licence", dana.pk)):
        page.goto(reverse(f"web:{name}", args=[pk]))
        is_accessible(page, language)
    page.goto(reverse("web:invitation", args=[token]))
    is_accessible(page, language)


@EACH_WAY
def test_adam_hands_a_page_of_cases_on_by_keyboard_and_takes_it_back(
    visit, is_accessible, adam, dana, alice, submission_of, language, size
):
    for _ in range(3):
        submission_of(alice)
    page = visit(adam, language=language, size=size)
    page.goto(f"{reverse('web:cases_admin')}?mark=unclaimed")
    page.locator("[data-select]").press("Space")
    assert page.locator("input[name=case]:checked").count() == 3
    page.select_option("#to", str(dana.pk))
    page.locator("#reason").fill("当番の交代")
    page.locator(".hand-on .button-primary").press("Enter")
    expect(page.locator("main [role=status]")).to_contain_text("3")
    assert Submission.objects.filter(claimed_by=dana).count() == 3
    is_accessible(page, language)
    page.locator("form[action$='/undo/'] button").press("Enter")
    expect(page.locator("input[name=case]")).to_have_count(3)
    assert Submission.objects.filter(claimed_by=None).count() == 3


@EACH_WAY
def test_adam_merges_two_cases_by_keyboard(visit, is_accessible, adam, alice, submission_of, language, size):
    first, second = submission_of(alice), submission_of(alice)
    page = visit(adam, language=language, size=size)
    page.goto(reverse("web:case_admin", args=[second.pk]))
    page.select_option("#into", str(first.case_id))
    page.locator("form[action$='/merge/'] button").press("Enter")
    expect(page.locator("main h1")).to_contain_text(first.case.number)
    is_accessible(page, language)
    page.locator(".actions .button-primary").press("Enter")
    expect(page.locator("main h1")).to_have_text(first.case.number)
    is_accessible(page, language)
    assert first.case.submissions.count() == 2


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


@EACH_WAY
def test_adam_sees_to_an_alert_by_keyboard(visit, adam, failed_job, language, size):
    page = visit(adam, language=language, size=size)
    page.goto(reverse("web:operations"))
    button = page.locator("#board button[form=acknowledge-form]")
    expect(button).to_have_count(0)
    alerts.update({("jobs_stopped", adam.clinic_id)})
    expect(button).to_be_visible(timeout=13_000)  # the board asks every five seconds
    button.press("Enter")
    expect(page.locator("[role=status]").first).to_be_visible()
    expect(button).to_have_count(0)
    assert Alert.objects.get().acknowledged_by == adam


def test_the_board_shows_a_stopped_job_without_reload(visit, adam, alices_submission):
    page = visit(adam, size="desk")
    page.goto(reverse("web:operations"))
    expect(page.locator(".problems")).to_have_count(0)
    job, attempt = send_for_test(alices_submission.photos.get(), "prepare")
    results.record(job=job, attempt=attempt, worker="w1", outcome=messages.Failed(code="storage_unreachable"))
    expect(page.locator("#board .problems")).to_contain_text("1 job has stopped.", timeout=13_000)
