"""`./run messages`: Babel extracts the texts of the web, brings the Japanese catalogue up to date and compiles it.

The source language is English; Japanese must be complete. GNU gettext is not needed, and the compiled catalogue is
committed: nothing compiles it at run time.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_python
from babel.messages.frontend import CommandLineInterface
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

ROOT = Path(__file__).resolve().parents[1]
CATALOGUE = ROOT / "teleder" / "locale" / "ja" / "LC_MESSAGES" / "django.po"
CONFIGURATION = ROOT / "pyproject.toml"
# What Django has besides gettext's own functions; as xgettext's --keyword.
KEYWORDS = ("gettext_lazy", "gettext_noop", "ngettext_lazy:1,2", "pgettext_lazy:1c,2")
PLACEHOLDER = re.compile(r"%(?:\(\w+\))?[sdf]|\{\w*\}")


def extract_template(file: BinaryIO, keywords: Any, tags: Any, options: Any) -> Iterable[tuple]:
    """Extract the messages of a Django template. Babel calls this (pyproject.toml); it cannot read such templates itself."""
    from django.utils.translation.template import templatize

    # Django writes each tag as a Python call and replaces all else by X's, whose indentation means nothing.
    text = "\n".join(line.lstrip() for line in templatize(file.read().decode()).splitlines())
    return extract_python(BytesIO(text.encode()), keywords, tags, options)


def update() -> None:
    """Add new messages to the Japanese catalogue, drop those that are gone, and compile it."""
    with tempfile.TemporaryDirectory() as folder:
        template = _extract(folder, "--no-location")
        _babel("update", "--input-file", template, "--output-file", CATALOGUE, "--locale=ja",
               "--ignore-obsolete", "--no-fuzzy-matching", "--ignore-pot-creation-date")  # fmt: skip
    CATALOGUE.with_suffix(".mo").write_bytes(_compiled())


def faults() -> list[str]:
    """Return a line for each message that has no finished Japanese translation, or one with a wrong placeholder."""
    with tempfile.TemporaryDirectory() as folder:
        wanted = _read(Path(_extract(folder)), locale=None)
    translated, found = _read(CATALOGUE), []
    for message in filter(lambda each: each.id, wanted):
        entry = translated.get(message.id, message.context)
        place = ":".join(map(str, message.locations[0]))
        if entry is None or entry.fuzzy or not all(_texts(entry.string)):
            found.append(f"{place}: {message.id!r} has no Japanese translation")
        elif unknown := {*_placeholders(entry.string)} - {*_placeholders(message.id)}:
            found.append(f"{place}: {message.id!r} is translated with unknown {', '.join(sorted(unknown))}")
    return found


def is_compiled() -> bool:
    """Whether the .mo is what the .po compiles to."""
    target = CATALOGUE.with_suffix(".mo")
    return target.exists() and target.read_bytes() == _compiled()


def _compiled() -> bytes:
    file = BytesIO()
    write_mo(file, _read(CATALOGUE))  # `pybabel compile` takes "95% interval" for a placeholder
    return file.getvalue()


def _extract(folder: str, *options: str) -> str:
    """Write all messages of the web to a template in the folder; return its path."""
    template = f"{folder}/django.pot"
    keywords = [f"--keywords={each}" for each in KEYWORDS]
    mapping = f"--mapping-file={CONFIGURATION}"
    _babel("extract", mapping, *keywords, *options, f"--output-file={template}", ROOT / "teleder")
    return template


def _babel(*arguments: object) -> None:
    if CommandLineInterface().run(["pybabel", "--quiet", *map(str, arguments)]):
        raise SystemExit(f"pybabel {arguments[0]} failed")


def _read(path: Path, locale: str | None = "ja") -> Catalog:
    with path.open("rb") as file:
        return read_po(file, locale=locale)


def _texts(one_or_more: str | Iterable[str]) -> tuple[str, ...]:
    return (one_or_more,) if isinstance(one_or_more, str) else tuple(one_or_more)


def _placeholders(text: str | Iterable[str]) -> Iterator[str]:
    return (name for each in _texts(text) for name in PLACEHOLDER.findall(each))
