"""Readings above the kanji of our own Japanese texts, for who has switched them on.

`furigana.txt` has a line for each text a patient can meet, with the reading of its kanji, checked by hand. A text is annotated
only if the whole of it is in that file: names and answers, which people typed, stay as they are, and so does each sentence of a
letter that is not one of our templates.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import cache
from html import escape
from pathlib import Path
from typing import NamedTuple

from django.http import HttpRequest, HttpResponse
from django.utils.translation import get_language

from teleder.web.display import display_of

READINGS = Path(__file__).with_name("furigana.txt")
NOTES = ("# ", "#?")  # beginnings of lines that are no text; one text begins with #7119
KANJI = "\u3005\u3006\u3400-\u4dbf\u4e00-\u9fff"
HAS_KANJI = re.compile(f"[{KANJI}]")
# 写真《しゃしん》, and where the base is more than kanji: ｜4日《よっか》
READING = re.compile(rf"(?:｜([^《｜]+)|([{KANJI}ヶ]+))《([^》]+)》")
PLACEHOLDER = re.compile(r"%\(\w+\)[sd]|%[sd]|\{\w*\}")
# Between texts that stand in one line of a page, in the order in which they are tried: some stand in a text, too.
BETWEEN = (
    re.compile(r"(\s*[·\n]\s*|\s{2,})"),
    re.compile(r"((?<=[。\d.])\s+)"),
    re.compile(r"((?<=。)(?=.))"),
    re.compile(r"(\s*[・：:（）()–]\s*)"),
)
SKIPPED = {"script", "style", "title", "textarea", "option", "code", "ruby", "svg"}
TAG = re.compile(r"<!--.*?-->|<(/?)([a-zA-Z][\w-]*)((?:\"[^\"]*\"|'[^']*'|[^>\"'])*)>", re.DOTALL)
OTHER_LANGUAGE = re.compile(r"\slang=(?![\"']?ja)|\stranslate=[\"']?no")
RUBY = re.compile(r"<ruby>([^<]*)<rt>([^<]*)</rt></ruby>")
FOR_SCRIPTS, DATA = re.compile(r"\sdata-readings\b"), re.compile(r'(data-[\w-]+)="([^"]*)"')
DATE = re.compile(r"(?:(\d+)年)?(\d+)月(\d+)日(?:（([月火水木金土日])）)?(?: (\d+:\d+))?")
ZONE = re.compile(r"（[^（）]+）[ぁ-ん]*")  # after a time
NUMBER = re.compile(r"\d[\d,.]*")
DAYS = {
    1: "ついたち", 2: "ふつか", 3: "みっか", 4: "よっか", 5: "いつか", 6: "むいか", 7: "なのか", 8: "ようか",
    9: "ここのか", 10: "とおか", 14: "じゅうよっか", 20: "はつか", 24: "にじゅうよっか",
}  # fmt: skip
WEEKDAYS = dict(zip("月火水木金土日", ("げつ", "か", "すい", "もく", "きん", "ど", "にち"), strict=True))
# Of minutes, the reading depends on the last digit.
MINUTES_PUN = "013468"
COUNTED = re.compile(r"\s?(分|日)《[^》]+》")


class Readings(NamedTuple):
    whole: dict[str, str]
    patterns: list[tuple[re.Pattern, str]]


@cache
def readings() -> Readings:
    """Return texts as they stand in HTML with their ruby, and the same for those with placeholders, the longest first."""
    whole, patterns = {}, []
    for line in READINGS.read_text().splitlines():
        if not line or line.startswith(NOTES):
            continue
        plain = READING.sub(lambda found: found[1] or found[2], line)
        if PLACEHOLDER.search(plain):
            parts = PLACEHOLDER.split(plain)
            patterns.append((re.compile("(.+?)".join(map(re.escape, map(escape, parts))), re.DOTALL), line))
        else:
            whole[escape(plain).replace("%%", "%")] = ruby(escape(line).replace("%%", "%"))
    patterns.sort(key=lambda pair: -len(pair[0].pattern))
    return Readings(whole, patterns)


def ruby(line: str) -> str:
    return READING.sub(lambda found: f"<ruby>{found[1] or found[2]}<rt>{found[3]}</rt></ruby>", line)


def with_furigana(page: str) -> str:
    """Return the HTML with ruby in its text. The choices of a list, which hold no markup, have readings in brackets; of attributes
    only those that a script writes into the page (`data-readings`) have them. Scripts and other languages stay as they are."""
    done, end, skipped = [], 0, []
    for tag in TAG.finditer(page):
        text = page[end : tag.start()]
        if not skipped and HAS_KANJI.search(text) and (found := annotate(text)) != text:
            text = f"<bdi>{found}</bdi>"  # one box, also in a row that gives each text a box of its own
        elif skipped == ["option"] and HAS_KANJI.search(text):
            text = RUBY.sub(r"\1（\2）", annotate(text))
        written = FOR_SCRIPTS.search(tag[3] or "") and not skipped and DATA.sub(_with_readings, tag[0])
        done += [text, written or tag[0]]
        end = tag.end()
        closes, name = tag[1], (tag[2] or "").lower()
        if skipped and name == skipped[-1]:
            skipped = skipped[:-1] if closes else [*skipped, name]
        elif not skipped and not closes and (name in SKIPPED or is_other_language(name, tag[3] or "")):
            skipped = [name]
    return "".join([*done, page[end:]])


def _with_readings(attribute: re.Match) -> str:
    """Return a data attribute with the readings that static/web/readings.js puts above the kanji."""
    name, words = attribute.groups()
    if not HAS_KANJI.search(words):
        return attribute[0]
    marked = RUBY.sub(r"｜\1《\2》", annotate(words))
    return f'{name}="{marked}"'


def is_other_language(name: str, attributes: str) -> bool:
    return name not in {"html", "input", "img", "meta", "link"} and bool(OTHER_LANGUAGE.search(attributes))


def annotate(text: str) -> str:
    """Return a text with ruby where all of it, or a part between separators, is known."""
    head, words, tail = re.fullmatch(r"(\s*)(.*?)(\s*)", text, re.DOTALL).groups()
    return head + _annotated(re.sub(r"\s*\n\s*", "\n", words), BETWEEN) + tail


def _annotated(words: str, between: tuple[re.Pattern, ...]) -> str:
    if not HAS_KANJI.search(words):
        return words
    if (found := _known(words)) is None and between:
        found = "".join(_annotated(part, between[1:]) for part in between[0].split(words))
    return words if found is None else found


def _known(words: str) -> str | None:
    if words in readings().whole:
        return readings().whole[words]
    if date := DATE.match(words):
        rest = words[date.end() :]
        if not HAS_KANJI.search(rest) or ZONE.fullmatch(rest):
            return "".join(_date(date)) + annotate(rest)
    for pattern, line in readings().patterns:
        if found := pattern.fullmatch(words):
            return _filled(line, found.groups())
    return None


def _filled(line: str, values: tuple[str, ...]) -> str:
    parts = PLACEHOLDER.split(escape(line).replace("%%", "%"))
    done = ruby(parts[0])
    for value, part in zip(values, parts[1:], strict=True):
        if NUMBER.fullmatch(value) and (counted := COUNTED.match(part)):
            done += _counted(value, counted[1]) + ruby(part[counted.end() :])
        else:
            done += annotate(value) + ruby(part)
    return done


def _counted(number: str, counter: str) -> str:
    if counter == "分":
        return f"{number}{_over('分', 'ぷん' if number[-1] in MINUTES_PUN else 'ふん')}"
    days = int(number) if number.isdecimal() else 0
    return _over("1日", "いちにち") if days == 1 else _day(days, number)


def _day(day: int, number: str) -> str:
    return _over(f"{number}日", DAYS[day]) if day in DAYS else f"{number}{_over('日', 'にち')}"


def _date(found: re.Match) -> Iterator[str]:
    year, month, day, weekday, time = found.groups()
    if year:
        yield f"{year}{_over('年', 'ねん')}"
    yield f"{month}{_over('月', 'がつ')}{_day(int(day), day)}"
    if weekday:
        yield f"（{_over(weekday, WEEKDAYS[weekday])}）"
    if time:
        yield f" {time}"


def _over(base: str, reading: str) -> str:
    return f"<ruby>{base}<rt>{reading}</rt></ruby>"


class FuriganaMiddleware:
    """Annotates the pages of patients and visitors who have switched it on and read Japanese."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        is_staff = request.user.is_authenticated and not request.user.is_patient
        if is_staff or not display_of(request).furigana or get_language() != "ja":
            return self.get_response(request)
        response = self.get_response(request)
        is_page = response.headers.get("Content-Type", "").startswith("text/html")
        if is_page and not response.streaming and response.content:
            response.content = with_furigana(response.content.decode()).encode()
            if "Content-Length" in response.headers:
                response["Content-Length"] = str(len(response.content))
        return response
