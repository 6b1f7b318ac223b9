"""Translations without the gettext binaries: extract, compare, update, compile.

The source language is English; Japanese must be complete. Python files are read by Babel, templates are
turned into Python-like text by Django first.
"""

from __future__ import annotations

import fcntl
import re
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import polib

ROOT = Path(__file__).resolve().parents[1]
CATALOGUE = ROOT / "teleder" / "locale" / "ja" / "LC_MESSAGES" / "django.po"
# Name -> which arguments are the message, its plural, its context (as xgettext's --keyword).
KEYWORDS = {
    "_": None,
    "gettext": None,
    "gettext_lazy": None,
    "gettext_noop": None,
    "ngettext": (1, 2),
    "ngettext_lazy": (1, 2),
    "pgettext": ((1, "c"), 2),
    "pgettext_lazy": ((1, "c"), 2),
    "npgettext": ((1, "c"), 2, 3),
}


def compile_catalogues() -> None:
    """Write the .mo beside each .po that is newer."""
    for source in (ROOT / "teleder" / "locale").rglob("*.po"):
        target = source.with_suffix(".mo")
        if not target.exists() or target.stat().st_mtime < source.stat().st_mtime:
            polib.pofile(str(source)).save_as_mofile(str(target))


def messages() -> Iterator[tuple[str, str, str, str]]:
    """Yield (place, context, message, plural) for each translatable string of the web."""
    from babel.messages.extract import extract_python

    for path in sorted((ROOT / "teleder").rglob("*")):
        if path.suffix not in {".py", ".html", ".txt"} or "migrations" in path.parts:
            continue
        text = path.read_text() if path.suffix == ".py" else _as_python(path)
        for line, name, found, _ in extract_python(BytesIO(text.encode()), KEYWORDS, [], {}):
            context, message, plural = _parts(name, found)
            if message:
                yield f"{path.relative_to(ROOT)}:{line}", context, message, plural


def _as_python(template: Path) -> str:
    from django.utils.translation.template import templatize

    # What is no call is blotted out with X's, but its indentation would mislead Babel's tokenizer.
    text = templatize(template.read_text(), origin=str(template))
    return "\n".join(line.lstrip() for line in text.splitlines())


def _parts(name: str, found: object) -> tuple[str, str, str]:
    """Return (context, message, plural) of one call; a message that is no constant counts as none."""
    words = [
        word if isinstance(word, str) else "" for word in (found if isinstance(found, tuple) else (found,))
    ]
    context = words.pop(0) if name.startswith(("pgettext", "npgettext")) else ""
    plural = words[1] if name.startswith(("ngettext", "npgettext")) and len(words) > 1 else ""
    return context, words[0] if words else "", plural


def missing() -> list[str]:
    """Return a line for each string that has no finished Japanese translation, or a wrong one."""
    catalogue = _catalogue()
    lines = {}
    for place, context, message, _plural in messages():
        entry = catalogue.find(message, msgctxt=context or False)
        if fault := _fault_of(entry):
            lines.setdefault((context, message), f"{place}: {message!r} {fault}")
    return list(lines.values())


def _fault_of(entry: polib.POEntry | None) -> str:
    if entry is None or not entry.translated() or "fuzzy" in entry.flags:
        return "has no Japanese translation"
    # A name that is in the translation only is an error on the page.
    known = _names(entry.msgid) | _names(entry.msgid_plural)
    for text in (entry.msgstr, *entry.msgstr_plural.values()):
        if strange := _names(text) - known:
            return f"is translated with unknown {', '.join(sorted(strange))}"
    return ""


def _names(text: str) -> set[str]:
    return set(re.findall(r"%(?:\(\w+\))?[sdf]|\{\w*\}", text))


def update() -> int:
    """Add what is new to the Japanese catalogue and drop what is gone; return how many were added."""
    CATALOGUE.parent.mkdir(parents=True, exist_ok=True)
    with CATALOGUE.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        catalogue, wanted, added = _catalogue(), set(), 0
        for _place, context, message, plural in messages():
            wanted.add((context, message))
            if catalogue.find(message, msgctxt=context or False) is None:
                catalogue.append(_entry(context, message, plural))
                added += 1
        for entry in list(catalogue):
            if (entry.msgctxt or "", entry.msgid) not in wanted:
                catalogue.remove(entry)
        catalogue.save(str(CATALOGUE))
    CATALOGUE.with_suffix(".lock").unlink()
    return added


def _entry(context: str, message: str, plural: str) -> polib.POEntry:
    entry = polib.POEntry(msgid=message, msgctxt=context or None, msgid_plural=plural)
    if plural:
        entry.msgstr_plural = {0: ""}
    return entry


def _catalogue() -> polib.POFile:
    if CATALOGUE.exists():
        return polib.pofile(str(CATALOGUE))
    catalogue = polib.POFile(wrapwidth=110)
    catalogue.metadata = {
        "Language": "ja",
        "MIME-Version": "1.0",
        "Content-Type": "text/plain; charset=utf-8",
        "Content-Transfer-Encoding": "8bit",
        "Plural-Forms": "nplurals=1; plural=0;",
    }
    return catalogue
