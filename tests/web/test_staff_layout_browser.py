"""At a desk no word of a staff page is cut in the middle where the rest would mean something else."""

from __future__ import annotations

import pytest
from django.urls import reverse
from playwright.sync_api import expect

from teleder.accounts.models import Relation
from teleder.cases import reviews
from teleder.cases.models import Submission

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
# Of each element the parts of its text that stick out of it, or out of the window.
CUT = """all => all.filter(one => one.checkVisibility()).filter(one => one.scrollWidth > one.clientWidth + 1
    || one.getBoundingClientRect().right > innerWidth).map(one => one.outerHTML.slice(0, 150))"""
OVERLAP = """row => { const [a, b] = ['.urg', '.row-link'].map(name => row.querySelector(name).getBoundingClientRect());
    return a.right > b.left; }"""


@pytest.mark.parametrize("language", ["ja", "en"])
def test_the_head_of_a_case_cuts_nothing(visit, dana, alice, alices_submission, language):
    alice.patient.skin_type = 3
    alice.patient.save()
    Submission.objects.update(written_by=Relation.values[0])
    reviews.claim(alices_submission, by=dana)
    page = visit(dana, size="desk", language=language)
    page.goto(reverse("web:review", args=[alices_submission.pk]))
    about = page.locator(".case-about")
    assert about.evaluate_all(CUT) == [] and about.locator("> *").evaluate_all(CUT) == []
    head = page.locator(".case-head").bounding_box()
    inside = about.bounding_box()
    assert head["y"] <= inside["y"] and inside["y"] + inside["height"] <= head["y"] + head["height"]
    assert head["height"] <= 70


@pytest.mark.parametrize("language", ["ja", "en"])
def test_the_dialog_of_a_hand_over_is_as_wide_as_its_content(
    visit, dana, person, alices_submission, language
):
    person("mori", "dermatologist")
    reviews.claim(alices_submission, by=dana)
    page = visit(dana, size="desk", language=language)
    page.goto(reverse("web:review", args=[alices_submission.pk]))
    page.locator("a[data-dialog]").nth(1).click()
    dialog = page.locator("#colleague-dialog")
    expect(dialog.locator("input[name=to]")).to_be_focused()
    assert dialog.evaluate_all(CUT) == []


@pytest.mark.parametrize("language", ["ja", "en"])
def test_a_row_on_hold_is_readable(visit, dana, alices_submission, language):
    reviews.claim(alices_submission, by=dana)
    reviews.request_photos(alices_submission, by=dana, reason="blurred")
    page = visit(dana, size="desk", language=language)
    page.goto(reverse("web:worklist") + "?show=waiting")
    row = page.locator("[data-row]")
    assert not row.evaluate(OVERLAP)
    assert row.locator(".band, .urg").evaluate_all(CUT) == []
    box, band = row.locator(".row-a").bounding_box(), row.locator(".band").bounding_box()
    assert band["x"] + band["width"] <= box["x"] + box["width"] + 1, "the age band is seen"
