"""What `./run analyse` leaves of all photos together: `photos.csv`, a line as soon as a photo is done, and `index.html`."""

from __future__ import annotations

import csv
import html
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any
from urllib.parse import quote

from contract.alarms import Condition

INDEX, TABLE = "index.html", "photos.csv"
THUMBNAIL = "-thumbnail.jpg"  # beside the photo's other files: its overlay, small
FAILED = "not_analysed"
COLUMNS = (
    "photo", "files", "reason", "sentence", "quality_fault", "skin", "lesion", "boxes", "no_box", "named",
    "abstention", "alarms", *(f"p_{condition}" for condition in Condition), "width", "height",
)  # fmt: skip
STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; margin: 1rem; color: #1b1f23; background: #fff }
label { display: inline-block; margin: 0 .9rem .4rem 0; cursor: pointer }
main { display: flex; flex-wrap: wrap; gap: .8rem; margin-top: .8rem }
figure { width: 230px; margin: 0; border: 1px solid #d0d7de; padding: .4rem; overflow-wrap: anywhere }
figure img { display: block; width: 100%; min-height: 40px } figcaption { font-size: .85rem }
"""


@dataclass(frozen=True)
class Analysed:
    """One photo: the names of its files begin with `name`; `row` is what its JSON holds, without one `error` says why."""

    path: Path
    name: str
    row: dict[str, Any] | None = None
    error: str = ""

    @property
    def reason(self) -> str:
        return self.row["verdict"]["reason"] if self.row else FAILED

    @property
    def sentence(self) -> str:
        return self.row["verdict"]["sentence"] if self.row else f"Not analysed: {self.error}."


class Table:
    """`photos.csv`: a line for each photo, written at once, so that an interrupted run keeps what it has."""

    def __init__(self, file: IO[str]) -> None:
        self.file, self.writer = file, csv.DictWriter(file, COLUMNS)
        self.writer.writeheader()

    def add(self, one: Analysed) -> None:
        self.writer.writerow(line_of(one))
        self.file.flush()


def line_of(one: Analysed) -> dict[str, Any]:
    """Return a photo's line of the table; what is unknown of it is empty."""
    line = {"photo": str(one.path), "files": one.name, "reason": one.reason, "sentence": one.sentence}
    if one.row is None:
        return line
    prepared = one.row["prepared"]
    line |= {"quality_fault": prepared["fault"], "width": prepared["width"], "height": prepared["height"]}
    if "segmented" in one.row:
        segmented, classified = one.row["segmented"], one.row["classified"]
        line |= {
            "skin": round(segmented["skin"], 4),
            "lesion": round(segmented["lesion"], 4),
            "boxes": len(segmented["boxes"]),
            "no_box": segmented["no_box"],
            "named": classified["top"],
            "abstention": classified["abstention"],
            "alarms": " ".join(one.row["verdict"]["alarms"]),
            **{f"p_{name}": value for name, value in classified["probabilities"].items()},
        }
    return line


def page(photos: Sequence[Analysed]) -> str:
    """Return the index: a card for each photo, and a choice of reasons that needs no script."""
    return "\n".join(_page(photos)) + "\n"


def _page(photos: Sequence[Analysed]) -> Iterator[str]:
    reasons = Counter(one.reason for one in photos).most_common()
    hidden = "\n".join(
        f"body:has(#only-{name}:checked) figure:not([data-reason={name}]) {{ display: none }}"
        for name, _ in reasons
    )
    yield '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">'
    yield '<meta name="viewport" content="width=device-width">'
    yield f"<title>{len(photos)} photos</title>\n<style>{STYLE}{hidden}\n</style>\n</head>\n<body>"
    yield f"<h1>{len(photos)} photos</h1>"
    yield f'<p>Not a certified medical device. <a href="{TABLE}">{TABLE}</a> has a line for each photo.</p>'
    yield "<form>"
    yield f'<label><input type="radio" name="only" checked> all ({len(photos)})</label>'
    for name, count in reasons:
        label = html.escape(name.replace("_", " "))
        yield f'<label><input type="radio" name="only" id="only-{name}"> {label} ({count})</label>'
    yield "</form>\n<main>"
    for one in photos:
        yield from _card(one)
    yield "</main>\n</body>\n</html>"


def _card(one: Analysed) -> Iterator[str]:
    name, files = html.escape(one.path.name), quote(one.name)
    yield f'<figure data-reason="{one.reason}" title="{html.escape(str(one.path))}">'
    if one.row and "segmented" in one.row:
        yield f'<a href="{files}-overlay.png"><img src="{files}{THUMBNAIL}" alt="" loading="lazy"></a>'
    yield f"<figcaption><strong>{name}</strong><br>{html.escape(one.sentence)}"
    if one.row and "segmented" in one.row:
        own = one.row["segmented"]
        yield f"<br>skin {own['skin']:.0%}, lesion {own['lesion']:.0%}, boxes {len(own['boxes'])}"
    if one.row:
        yield f'<br><a href="{files}.json">JSON</a>'
    if one.row and "classified" in one.row:
        yield f' <a href="{files}-attribution.png">attribution</a>'
    yield "</figcaption>\n</figure>"
