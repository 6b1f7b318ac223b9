"""Browser fixtures, and the checks that every page must pass."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Iterator

import pytest
from django.conf import settings as django_settings
from django.test import Client

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
QUIET = "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
SIZES = {"phone": {"width": 390, "height": 844}, "desk": {"width": 1440, "height": 900}}
WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
# The browser's own messages about a refused form, a missing page and an intended disconnection.
EXPECTED = re.compile(r"status of (404|409|422)|ERR_INTERNET_DISCONNECTED")
TOO_SMALL = """() => [...document.querySelectorAll('button, a.button, input, select, textarea, summary, .nav a')]
    .map(one => one.matches('.choice input') ? one.closest('.choice') : one)
    .map(one => one.matches('.is-scripted [type=file]') ? one.labels[0] : one)
    .filter(one => one.checkVisibility({visibilityProperty: true}) && one.type !== 'hidden')
    .map(one => [one.getBoundingClientRect(), one])
    .filter(([box, one]) => box.width < 44 || box.height < 44)
    .map(([box, one]) => `${one.outerHTML.slice(0, 80)} ${box.width}x${box.height}`)"""

os.environ.setdefault("DJANGO_ALLOW_ASYNC_UNSAFE", "1")  # Playwright keeps an event loop in our thread


def pytest_collection_modifyitems(items) -> None:
    """Run browser tests one at a time, since they share the machine, and skip them without Chromium."""
    for item in items:
        if item.get_closest_marker("browser"):
            item.add_marker(pytest.mark.xdist_group("browser"))
            if CHROMIUM is None:
                item.add_marker(pytest.mark.skip(reason="no Chromium here: apt-get install chromium"))


@pytest.fixture(scope="session")
def browser_type_launch_args() -> dict:
    more = "--disable-component-update --disable-sync"
    return {"executable_path": CHROMIUM, "args": (QUIET + more).split()}


@pytest.fixture
def visit(browser, live_server) -> Iterator[Callable]:
    """Open a browser as a person; its console may show no error, and no request may leave our origin."""
    contexts, problems = [], []

    def as_somebody(person=None, *, size: str = "phone", language: str = "", expected=EXPECTED, **more):
        language = language or getattr(person, "language", "en")
        phone = {"is_mobile": True, "has_touch": True} if size == "phone" else {}
        context = browser.new_context(
            base_url=live_server.url,
            viewport=SIZES[size],
            locale={"ja": "ja-JP", "en": "en-GB"}[language],
            timezone_id="Asia/Tokyo",
            **phone,
            **more,
        )
        contexts.append(context)
        if person is not None:
            person.language = language
            person.save(update_fields=["language"])
            context.add_cookies([_session_of(person, live_server.url)])
        page = context.new_page()
        page.set_default_timeout(10_000)
        _watch(page, live_server.url, problems, expected)
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
        faults = [*_by_axe(page), *_by_language(page, language), *_by_size(page)]
        assert faults == [], f"{page.url}\n" + "\n".join(faults)

    return check


def _by_axe(page) -> list[str]:
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(page, options={"runOnly": {"type": "tag", "values": WCAG}}).response["violations"]
    serious = [row for row in found if row["impact"] in {"serious", "critical"}]
    return [
        f"{row['id']}: {node['html']} {node['failureSummary']}" for row in serious for node in row["nodes"]
    ]


def _by_language(page, language: str) -> Iterator[str]:
    if page.locator("html").get_attribute("lang") != language:
        yield f"the page does not say that it is in {language}"
    if language == "ja":
        english = re.findall(r"(?:[A-Za-z][a-z']+[ ,.]+){3,}", page.locator("main").inner_text())
        yield from (f"not translated: {sentence}" for sentence in english)


def _by_size(page) -> Iterator[str]:
    before = page.viewport_size
    if before["width"] < 600:
        yield from (f"hard to hit: {control}" for control in page.evaluate(TOO_SMALL))
    for width in (before["width"], 320):
        page.set_viewport_size({"width": width, "height": before["height"]})
        if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
            yield f"scrolls sideways at {width}"
    page.set_viewport_size(before)
