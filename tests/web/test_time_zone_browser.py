"""The browser says in which time zone its reader is."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest


@pytest.mark.browser
@pytest.mark.django_db(transaction=True)
def test_the_browsers_zone_is_used_from_the_second_page_on(visit, alice, alices_submission):
    page = visit(alice, timezone_id="Europe/Berlin", language="en")
    page.goto("/")
    page.goto(alices_submission.get_absolute_url())
    moment = alices_submission.due_at.astimezone(ZoneInfo("Europe/Berlin"))
    assert f"{moment:%H:%M} ({moment:%Z})" in page.locator(".promise .big").inner_text()
