"""The page of the API in a real browser: no fault by axe, and no sideways scrolling."""

from __future__ import annotations

import pytest
from axe_playwright_python.sync_playwright import Axe

from tests.web.harness import WCAG

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.mark.parametrize("size", ["phone", "desk"])
def test_the_page_of_the_api_passes_axe(visit, size):
    page = visit(None, language="en", size=size)
    page.goto("/api/docs", timeout=60_000)  # the first reader of a process waits for the document to be made
    found = Axe().run(page, options={"runOnly": {"type": "tag", "values": WCAG}}).response["violations"]
    assert [(row["id"], [node["html"] for node in row["nodes"]]) for row in found] == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_a_link_to_an_operation_leads_there_by_keyboard(visit):
    page = visit(None, language="en", size="desk")
    page.goto("/api/docs", timeout=60_000)
    page.locator("nav a", has_text="/api/v1/worklist").press("Enter")
    assert page.url.endswith("#worklist_list")
    assert page.locator("#worklist_list h3").bounding_box()["y"] < 900
