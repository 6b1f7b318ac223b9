"""Browser fixtures, and the checks that every page must pass."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Iterator

import pytest
from django.conf import settings as django_settings
from django.test import Client

from tests.web.harness import SIZES, faults

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
QUIET = "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
# The browser's own messages about a refused form, a missing page and an intended disconnection.
EXPECTED = re.compile(r"status of (404|409|422)|ERR_INTERNET_DISCONNECTED")
os.environ.setdefault("DJANGO_ALLOW_ASYNC_UNSAFE", "1")  # Playwright keeps an event loop in our thread


def pytest_collection_modifyitems(items) -> None:
    """Run browser tests one at a time, since they share the machine, and skip them without Chromium.

    Each has a second try, and the run's summary names it then: a busy machine holds a browser up for seconds at a time.
    """
    for item in items:
        if item.get_closest_marker("browser"):
            item.add_marker(pytest.mark.xdist_group("browser"))
            item.add_marker(pytest.mark.flaky(reruns=1))
            if CHROMIUM is None:
                item.add_marker(pytest.mark.skip(reason="no Chromium here: apt-get install chromium"))


@pytest.fixture(scope="session")
def browser_type_launch_args() -> dict:
    more = "--disable-component-update --disable-sync"
    return {"executable_path": CHROMIUM, "args": (QUIET + more).split()}


@pytest.fixture
def visit(browser, live_server) -> Iterator[Callable]:
    """Open a browser as a person, at `url`; its console may show no error, and no request may leave our origin."""
    contexts, problems = [], []

    def as_somebody(
        person=None, *, size: str = "phone", language: str = "", expected=EXPECTED, url: str = "", **more
    ):
        url = url or live_server.url
        language = language or getattr(person, "language", "en")
        phone = {"is_mobile": True, "has_touch": True} if size == "phone" else {}
        context = browser.new_context(
            base_url=url,
            viewport=SIZES[size],
            locale={"ja": "ja-JP", "en": "en-GB"}[language],
            **{"timezone_id": "Asia/Tokyo"} | phone | more,
        )
        contexts.append(context)
        if person is not None:
            person.language = language
            person.save(update_fields=["language"])
            context.add_cookies([_session_of(person, url)])
        page = context.new_page()
        page.set_default_timeout(10_000)
        _watch(page, url, problems, expected)
        return page

    yield as_somebody
    for context in contexts:
        context.close()
    assert problems == []


def _session_of(person, url: str) -> dict:
    client = Client()
    client.force_login(person)
    name = django_settings.SESSION_COOKIE_NAME
    return {"name": name, "value": client.cookies[name].value, "url": url}


def _watch(page, origin: str, problems: list[str], expected: re.Pattern) -> None:
    def console(message) -> None:
        if message.type == "error" and not expected.search(message.text):
            problems.append(message.text)

    def request(asked) -> None:
        if not asked.url.startswith((origin, "data:", "blob:")):
            problems.append(f"left our origin: {asked.url}")

    page.on("console", console)
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("request", request)


@pytest.fixture
def is_accessible() -> Callable:
    """Check the rules for every page: axe, language, no sideways scrolling, targets large enough for a thumb."""

    def check(page, language: str) -> None:
        found = faults(page, language)
        assert found == [], f"{page.url}\n" + "\n".join(found)

    return check
