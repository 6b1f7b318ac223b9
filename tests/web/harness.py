"""The rules of every page: accessible, in its language, no wider than the screen, and with targets large enough for a thumb.

`faults` checks a page as it is; `faults_at_each_size` on a phone and at a desk, also with the largest text of the product's own
setting and with the browser's own text at 200 %, which every `rem` and every media query follows.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from babel.messages.mofile import read_mo

SIZES = {"phone": {"width": 390, "height": 844}, "desk": {"width": 1440, "height": 900}}
EACH_WAY = pytest.mark.parametrize(
    ("language", "size"), [("ja", "phone"), ("en", "phone"), ("ja", "desk"), ("en", "desk")]
)
WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
SERIOUS, EVERY = {"serious", "critical"}, {"minor", "moderate", "serious", "critical"}
ALL_RULES = {"runOnly": {"type": "tag", "values": WCAG}, "resultTypes": ["violations"]}
# What the size of the text can change of a page that keeps all the rules.
OF_LAYOUT = {
    "runOnly": {"type": "rule", "values": ["target-size", "color-contrast", "scrollable-region-focusable"]},
    "resultTypes": ["violations"],
}
NARROW, PHONES_BELOW, TALL = 320, 600, 12_000  # px; so tall that no sticky bar covers anything
NORMAL_PX, DOUBLE_PX, LARGEST_STEP = 16, 32, "4"
# Which rules of axe, if any, are checked at each width and size of text; all the others always are.
RULES_BY_WIDTH = {
    SIZES["phone"]["width"]: {"normal": ALL_RULES, "largest": None, "double": OF_LAYOUT},
    NARROW: {"normal": None, "largest": None},
    SIZES["desk"]["width"]: {"normal": ALL_RULES, "double": OF_LAYOUT},
}
MESSAGES = Path("teleder/locale/ja/LC_MESSAGES/django.mo")
ENGLISH = re.compile(r"(?:[A-Za-z][a-z']+[ ,.]+){3,}")  # within a Japanese text
TWO_WORDS = re.compile(r"[A-Za-z]{2,}[,.]? [A-Za-z]{2,}")
ASCII_ONLY = re.compile(r"[\x20-\x7e]+")
JAPANESE = re.compile(r"[\u3040-\u30ff\u4e00-\u9fff]")
# A link within a sentence may be as high as its line, as in WCAG 2.5.8. A link that stretches over its card is as large as that.
TOO_SMALL = """() => {
    const isPatients = document.querySelector('link[rel=stylesheet][href*="patient"]');
    const links = isPatients ? 'a[href]' : 'a.button, a.btn, a.call, a.edit, a.icon, a.more, .nav a';
    const isInSentence = one => one.matches('a') && getComputedStyle(one).display === 'inline'
        && one.parentElement.textContent.trim().length > one.textContent.trim().length;
    const target = one => one.matches('input') ? one.closest('label, .choice, .pick, .cell') ?? one
        : getComputedStyle(one, '::after').position === 'absolute' ? one.offsetParent : one;
    return [...document.querySelectorAll(`button, input, select, textarea, summary, ${links}`)]
        .filter(one => one.type !== 'hidden' && !isInSentence(one))
        .map(target)
        .filter(one => one.checkVisibility({visibilityProperty: true}))
        .map(one => [one.getBoundingClientRect(), one])
        .filter(([box]) => box.right > 0 && box.width > 1 && box.height > 1)
        .filter(([box]) => box.width < 43.9 || box.height < 43.9)
        .map(([box, one]) => `hard to hit: ${one.outerHTML.slice(0, 120)} ${box.width}x${box.height}`);
}"""
# On a phone `innerWidth` grows with what is too wide, so that the width of the screen is what counts.
TOO_WIDE = """width => {
    if (document.documentElement.scrollWidth <= width) return [];
    const wide = [...document.body.querySelectorAll('*')].filter(one => one.getBoundingClientRect().right > width + 0.5);
    return [`scrolls sideways at ${width}: ${wide.slice(-3).map(one => one.outerHTML.slice(0, 120)).join(' | ')}`];
}"""
# Every text with its language, also what no eye sees.
TEXTS = """() => {
    const names = '[name=time_zone], [name=language]';  // the same in every language
    const found = [], language = one => one.closest('[lang]').lang, theirs = `script, style, textarea, ${names}`;
    const add = (one, text) => text && found.push([text, language(one), !!one.closest('main')]);
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
        const one = walker.currentNode.parentElement;
        if (!one.closest(theirs)) add(one, walker.currentNode.textContent.replace(/\\s+/g, ' ').trim());
    }
    for (const name of ['aria-label', 'placeholder', 'title', 'alt'])
        for (const one of document.querySelectorAll(`[${name}]`)) add(one, one.getAttribute(name).trim());
    add(document.documentElement, document.title.split(' · ')[0]);
    return found;
}"""


def faults(page: Any, language: str) -> list[str]:
    """Return what is wrong with a page; of axe's findings those that are serious or critical."""
    return [*_by_axe(page), *_by_language(page, language), *_by_size(page)]


def faults_at_each_size(page: Any, language: str) -> list[str]:
    """Return what is wrong with a patient's page, on a phone, on a narrow one and at a desk, at each size of text."""
    found = [*_by_texts(page, language), *_by_language(page, language)]
    for width, rules_by_text in RULES_BY_WIDTH.items():
        page.set_viewport_size({"width": width, "height": TALL})
        for text, rules in rules_by_text.items():
            with text_of_size(page, text):
                faults = [*(_axe(page, EVERY, rules) if rules else []), *page.evaluate(TOO_WIDE, width)]
                if width < PHONES_BELOW:
                    faults += page.evaluate(TOO_SMALL)
            found += [f"{width} px, {text} text: {fault}" for fault in faults]
    return found


@contextmanager
def text_of_size(page: Any, text: str) -> Iterator[None]:
    scope = {"normal": nullcontext(), "largest": _largest_text(page), "double": browser_text(page, DOUBLE_PX)}
    with scope[text]:
        yield


@contextmanager
def browser_text(page: Any, pixels: int) -> Iterator[None]:
    """Set the browser's own size of text, as a person does in its settings."""
    devtools = page.context.new_cdp_session(page)
    devtools.send("Page.enable")
    devtools.send("Page.setFontSizes", {"fontSizes": {"standard": pixels, "fixed": pixels * 13 // 16}})
    root = "parseFloat(getComputedStyle(document.documentElement).fontSize)"
    assert page.evaluate(root) == pixels, "the page does not follow the browser's size of text"
    yield
    devtools.send("Page.setFontSizes", {"fontSizes": {"standard": NORMAL_PX, "fixed": 13}})
    devtools.detach()


@contextmanager
def _largest_text(page: Any) -> Iterator[None]:
    """Let the page be as the setting "Largest" makes it (test_language_switch_browser.py sets it by its form)."""
    before = page.evaluate(
        f"(({{dataset}}) => {{ const was = dataset.text; dataset.text = '{LARGEST_STEP}'; return was ?? '' }})"
        "(document.documentElement)"
    )
    yield
    page.evaluate("was => { document.documentElement.dataset.text = was }", before)


def _by_axe(page: Any) -> list[str]:
    # As tall as the page: a control that lies half under the sticky bar can be scrolled out from there.
    before = page.viewport_size
    height = page.evaluate("document.documentElement.scrollHeight")
    page.set_viewport_size({"width": before["width"], "height": max(height, before["height"])})
    found = _axe(page, SERIOUS, ALL_RULES)
    page.set_viewport_size(before)
    return found


def _axe(page: Any, impacts: set[str], rules: dict[str, Any]) -> list[str]:
    from axe_playwright_python.base import AXE_SCRIPT

    if not page.evaluate("typeof axe === 'object'"):
        page.evaluate(AXE_SCRIPT)
    found = page.evaluate("options => axe.run(options).then(({violations}) => violations)", rules)
    return [
        f"{row['id']}: {node['html'][:200]} {node['failureSummary']}"
        for row in found
        if row["impact"] in impacts
        for node in row["nodes"]
    ]


def _by_language(page: Any, language: str) -> Iterator[str]:
    if page.locator("html").get_attribute("lang") != language:
        yield f"the page does not say that it is in {language}"
    if language == "ja":
        english = ENGLISH.findall(page.locator("main").inner_text())
        # What says that it is English may stand on a Japanese page: the other language of a letter.
        said = " ".join(page.locator("main [lang=en]").all_inner_texts())
        yield from (f"not translated: {sentence}" for sentence in english if sentence not in said)


def _by_texts(page: Any, language: str) -> Iterator[str]:
    """Yield the texts in the wrong language: in Japanese what is a message's English or ASCII alone."""
    for text, of, in_main in page.evaluate(TEXTS):
        if of != language:
            continue
        if language == "en" and JAPANESE.search(text):
            yield f"not English: {text[:80]}"
        if language == "ja" and (
            text in _untranslated_ids() or (in_main and ASCII_ONLY.fullmatch(text) and TWO_WORDS.search(text))
        ):
            yield f"not Japanese: {text[:80]}"


@cache
def _untranslated_ids() -> frozenset[str]:
    """Return the English of every message whose Japanese is another text."""
    with MESSAGES.open("rb") as file:
        messages = list(read_mo(file))
    ids = ((one.id,) if isinstance(one.id, str) else one.id for one in messages if one.id)
    texts = {text for each in ids for text in each}
    same = {one.id for one in messages if isinstance(one.id, str) and one.id == one.string}
    return frozenset(texts - same)


def _by_size(page: Any) -> Iterator[str]:
    before = page.viewport_size
    if before["width"] < PHONES_BELOW:
        yield from page.evaluate(TOO_SMALL)
    for width in (before["width"], NARROW):
        page.set_viewport_size({"width": width, "height": before["height"]})
        yield from page.evaluate(TOO_WIDE, width)
    page.set_viewport_size(before)
