"""Translations without the gettext binaries: extract, compare, update, compile.

The source language is English; Japanese must be complete. Python files and catalogues are read by Babel, templates
are turned into Python-like text by Django first. The compiled catalogue is committed: nothing compiles it at run time.
"""

from __future__ import annotations

import fcntl
import re
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract_python
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

ROOT = Path(__file__).resolve().parents[1]
CATALOGUE = ROOT / "teleder" / "locale" / "ja" / "LC_MESSAGES" / "django.po"
HEADER = (
    "Language: ja\nMIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\n"
    "Content-Transfer-Encoding: 8bit\nPlural-Forms: nplurals=1; plural=0;\n"
)
WIDTH = 78  # columns of an entry
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


def compile_catalogue() -> None:
    """Write the .mo beside the Japanese .po."""
    CATALOGUE.with_suffix(".mo").write_bytes(_compiled())


def is_compiled() -> bool:
    """Whether the .mo is what the .po compiles to."""
    target = CATALOGUE.with_suffix(".mo")
    return target.exists() and target.read_bytes() == _compiled()


def _compiled() -> bytes:
    file = BytesIO()
    write_mo(file, _WithPlainHeader(_catalogue()))
    return file.getvalue()


class _WithPlainHeader:
    """A catalogue for `write_mo` whose header names neither a time nor Babel's version, so that it stays the same."""

    def __init__(self, catalogue: Catalog) -> None:
        self.num_plurals, self.charset = catalogue.num_plurals, "utf-8"
        self._entries = [each for each in catalogue if each.id]

    def __iter__(self) -> Iterator[Message]:
        yield Message("", string=HEADER)
        yield from self._entries


def messages() -> Iterator[tuple[str, str, str, str]]:
    """Yield (place, context, message, plural) for each translatable string of the web."""
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
        if fault := _fault_of(catalogue.get(message, context or None)):
            lines.setdefault((context, message), f"{place}: {message!r} {fault}")
    return list(lines.values())


def _fault_of(entry: Message | None) -> str:
    if entry is None or entry.fuzzy or not all(texts := _texts(entry.string)):
        return "has no Japanese translation"
    # A name that is in the translation only is an error on the page.
    known = set().union(*(_names(text) for text in _texts(entry.id)))
    for text in texts:
        if strange := _names(text) - known:
            return f"is translated with unknown {', '.join(sorted(strange))}"
    return ""


def _texts(one_or_more: str | tuple[str, ...] | list[str]) -> tuple[str, ...]:
    return (one_or_more,) if isinstance(one_or_more, str) else tuple(one_or_more)


def _names(text: str) -> set[str]:
    return set(re.findall(r"%(?:\(\w+\))?[sdf]|\{\w*\}", text))


def update() -> int:
    """Add what is new to the Japanese catalogue and drop what is gone; return how many were added.

    Entries that stay keep their place and each of their bytes, so that versions of the file can be merged.
    """
    CATALOGUE.parent.mkdir(parents=True, exist_ok=True)
    with CATALOGUE.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        wanted = {(context, message): plural for _place, context, message, plural in messages()}
        header, *entries = _entries()
        kept = {key: text for text in entries if (key := _key(text)) in wanted}
        new = [_entry(*key, plural) for key, plural in wanted.items() if key not in kept]
        CATALOGUE.write_text("\n\n".join([header, *kept.values(), *new]) + "\n")
    CATALOGUE.with_suffix(".lock").unlink()
    return len(new)


def _entries() -> list[str]:
    """Return the text of the header and of each entry."""
    if not CATALOGUE.exists():
        lines = "".join(f'"{line}\\n"\n' for line in HEADER.splitlines())
        return [f'#\nmsgid ""\nmsgstr ""\n{lines}'.rstrip()]
    return CATALOGUE.read_text().strip("\n").split("\n\n")


def _key(entry: str) -> tuple[str, str]:
    """Return (context, message)."""
    message = next(each for each in _parsed(entry) if each.id)
    return message.context or "", _texts(message.id)[0]


def _entry(context: str, message: str, plural: str) -> str:
    catalogue, file = Catalog("ja"), BytesIO()
    catalogue.add((message, plural) if plural else message, context=context or None)
    write_po(file, catalogue, width=WIDTH, omit_header=True)
    return file.getvalue().decode().strip("\n")


def _catalogue() -> Catalog:
    return _parsed(CATALOGUE.read_text() if CATALOGUE.exists() else "")


def _parsed(text: str) -> Catalog:
    return read_po(BytesIO(text.encode()), locale="ja", charset="utf-8")
