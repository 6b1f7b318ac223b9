"""Dana asks for other distances in a real browser; the report appears while she looks on."""

from __future__ import annotations

import pytest
from django.urls import reverse
from playwright.sync_api import expect

from contract.messages import Stage
from teleder.cases.models import Job
from tests.distances import STOPS_NEARER, record, report_of
from tests.web.test_clinician_browser import EACH_WAY, HERPES, read  # noqa: F401

pytestmark = [
    pytest.mark.browser,
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("ai_is_open"),
]
SAID = {"en": "3 of 7", "ja": "7つのうち3つ"}
AGAIN = {"en": "Check other distances", "ja": "別の距離で確かめる"}


@EACH_WAY
def test_the_report_appears_where_dana_asked_for_it(
    visit,
    is_accessible,
    dana,
    alices_submission,
    read,  # noqa: F811
    language,
    size,
):
    read(alices_submission, probabilities=HERPES)
    photo = alices_submission.photos.get()
    Job.objects.filter(stage=Stage.DISTANCE).delete()  # of an alarm from before there were reports
    page = visit(dana, language=language, size=size)
    page.goto(reverse("web:review", args=[alices_submission.pk]))
    page.locator("[data-key=s]").click()
    is_accessible(page, language)
    page.get_by_role("button", name=AGAIN[language]).click()
    section = page.locator("#distances")
    expect(section.locator("button")).to_have_count(0)
    record(photo, report_of(STOPS_NEARER))
    expect(section).to_contain_text(SAID[language], timeout=15_000)
    section.locator("summary").click()
    expect(section.locator("tbody tr")).to_have_count(8)
    is_accessible(page, language)


def test_without_scripts_the_button_leads_back_to_the_photo(visit, dana, alices_submission, read):  # noqa: F811
    read(alices_submission)
    page = visit(dana, language="en", size="desk", java_script_enabled=False)
    page.goto(reverse("web:review", args=[alices_submission.pk]))
    page.get_by_role("button", name=AGAIN["en"]).click()
    expect(page.locator("#distances")).to_contain_text("Being measured")
