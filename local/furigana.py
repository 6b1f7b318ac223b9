"""`./run furigana`: bring teleder/web/furigana.txt up to date with the texts a patient can meet.

Lines that stand are kept, with what was corrected by hand. New texts get the readings of Sudachi's dictionary, marked `#?` until
a person has read them; without Sudachi (`pip install '.[furigana]'`) they are listed, to be written by hand.
"""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
HEAD = """# Readings of the Japanese texts a patient can meet: base《reading》, and ｜base《reading》 where the base is more than kanji.
# `./run furigana` adds new texts, each after a line "#?" that is to be removed when a person has read it, and drops old ones.
"""
UNREAD = "#?"
TO_HIRAGANA = {code: code - 0x60 for code in range(ord("ァ"), ord("ヶ"))}


def main(_arguments: list[str]) -> int:
    import django

    from local.checks import PRODUCTION

    os.environ.update(PRODUCTION)
    django.setup()
    standing, new = split()
    try:
        added = [f"{UNREAD}\n{read(text)}" for text in new]
    except ImportError:
        print("\n".join([*new, f"{len(new)} texts have no reading, and Sudachi is not installed."]))
        return 1
    lines = sorted([*standing, *added], key=lambda line: line.removeprefix(f"{UNREAD}\n"))
    from teleder.web.furigana import READINGS

    READINGS.write_text(HEAD + "\n".join(lines) + "\n")
    print(f"{len(new)} texts were added; look for {UNREAD}")
    return 0


def split() -> tuple[list[str], list[str]]:
    """Return the lines of the file that are still wanted, and the texts without a line. Needs Django."""
    from teleder.web.furigana import NOTES, READING, READINGS

    lines = READINGS.read_text().splitlines() if READINGS.exists() else []
    known = {
        READING.sub(lambda found: found[1] or found[2], line): (
            f"{UNREAD}\n{line}" if before == UNREAD else line
        )
        for before, line in zip(["", *lines], lines, strict=False)
        if line and not line.startswith(NOTES)
    }
    texts = wanted()
    return [line for text, line in known.items() if text in texts], sorted(texts - known.keys())


def wanted() -> set[str]:
    """Return all texts with kanji, as they stand between the tags of a page."""
    from local import sentences
    from teleder.accounts.models import Language
    from teleder.web.furigana import HAS_KANJI

    parts = {str(label) for label in Language.labels}  # written in the language itself, in no catalogue
    for title, pairs in sentences.sections().items():
        # A dermatologist edits a letter: what is left of ours is known sentence by sentence.
        between = r"\{impression\}|(?<=。)" if title.startswith("Reply templates") else r"<[^>]*>|\n"
        if not title.startswith(
            ("Messages and mails", "Mail ", "What the lists")
        ):  # plain text, and what is typed
            parts |= {part.strip() for _en, ja in pairs for part in re.split(between, ja)}
    return {part for part in parts if HAS_KANJI.search(part)}


def read(text: str) -> str:
    from sudachipy import Dictionary, SplitMode

    tokens = Dictionary().create(mode=SplitMode.C).tokenize(text)
    return "".join(_annotated(each.surface(), each.reading_form().translate(TO_HIRAGANA)) for each in tokens)


def _annotated(surface: str, reading: str) -> str:
    """Put the reading over the kanji only: 選ぶ, えらぶ gives 選《えら》ぶ."""
    from teleder.web.furigana import KANJI

    runs = re.findall(rf"[{KANJI}ヶ]+|[^{KANJI}ヶ]+", surface)
    if not any(re.match(f"[{KANJI}]", run) for run in runs):
        return surface
    pattern = "".join(
        "(.+?)" if re.match(f"[{KANJI}]", run) else re.escape(run.translate(TO_HIRAGANA)) for run in runs
    )
    if not (found := re.fullmatch(pattern, reading)):
        return f"｜{surface}《{reading}》"
    readings = iter(found.groups())
    return "".join(f"{run}《{next(readings)}》" if re.match(f"[{KANJI}]", run) else run for run in runs)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
