"""`./run copy [--check]`: write docs/copy.md, every sentence a patient can meet, in both languages, for a clinician to sign."""

from __future__ import annotations

import argparse
import html
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from babel.messages.extract import DEFAULT_KEYWORDS, extract_from_file
from babel.messages.frontend import parse_keywords

from local.checks import PRODUCTION
from local.messages import KEYWORDS

ROOT = Path(__file__).resolve().parents[1]
FILE = ROOT / "docs" / "copy.md"
HEAD = """# Every sentence a patient can meet

Written by `./run copy` from templates, code and data files; do not edit it here. `%(…)s` stands for what is filled in.
A clinician who has read it signs the files of the clinical texts (docs/clinical.md). What a dermatologist types and what
the clinic writes on its own pages is not in it.
"""
PAIR = tuple[str, str]
Sections = dict[str, list[PAIR]]

# Files of the code whose texts reach a patient, by what the patient is doing.
CODE = {
    "Asking": [
        "teleder/cases/questionnaire.py",
        "teleder/cases/answer_pdf.py",
        "teleder/cases/asking_back.py",
        "teleder/cases/body_places.py",
        "teleder/cases/case_places.py",
        "teleder/cases/intake.py",
        "teleder/cases/missing_photos.py",
        "teleder/cases/originals.py",
        "teleder/cases/remedies.py",
        "teleder/cases/sharing.py",
        "teleder/cases/transitions.py",
        "teleder/cases/models/submission.py",
        "teleder/cases/models/photo.py",
        "teleder/cases/models/review.py",
        "teleder/web/patient",
        "teleder/web/templatetags",
    ],
    "Account, consent and log-in": [
        "teleder/accounts",
        "teleder/security",
        "teleder/web/context.py",
        "teleder/web/clinic_texts.py",
        "teleder/web/display.py",
    ],
    "Messages and mails": ["teleder/notifications"],
    "A person's own data": ["teleder/privacy"],
}
# Of these folders, what only staff meets.
NOT_OF_PATIENTS = re.compile(
    r"/(migrations|management|admin\.py|admin_site\.py|invariants\.py|alerts\.py|tests)"
)
# Folders of templates; those of the second row with all that is in them, mails and messages, too.
TEMPLATES = ["teleder/web/templates/web/patient", "teleder/web/templates"]
WHOLE = ["teleder/web/templates/account", "teleder/web/templates/mfa"]
PLURAL_AT = 2


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="./run copy", description=__doc__)
    parser.add_argument(
        "--check", action="store_true", help="only say whether the file is as the code has it"
    )
    options = parser.parse_args(arguments)
    clean = {key: value for key, value in os.environ.items() if not key.startswith("TELEDER_")}
    command = [sys.executable, "-c", "from local import sentences; sentences.print_document()"]
    done = subprocess.run(
        command, cwd=ROOT, env=clean | PRODUCTION, capture_output=True, text=True, check=False
    )
    if done.returncode:
        print(done.stderr, file=sys.stderr)
        return 1
    if not options.check:
        FILE.write_text(done.stdout)
    elif not FILE.exists() or FILE.read_text() != done.stdout:
        print("docs/copy.md is not what the code says; ./run copy writes it.", file=sys.stderr)
        return 1
    return 0


def print_document() -> None:
    import django

    django.setup()
    sys.stdout.write(document())


def document() -> str:
    """Return the whole file. Needs Django."""
    parts = [HEAD]
    for title, pairs in sections().items():
        rows = "\n".join(f"<tr><td>{_cell(en)}</td><td lang=ja>{_cell(ja)}</td></tr>" for en, ja in pairs)
        parts.append(f"## {title}\n\n<table>\n{rows}\n</table>\n")
    return "\n".join(parts)


def _cell(words: str) -> str:
    return html.escape(words.strip(), quote=False).replace("\n", "<br>")


def sections() -> Sections:
    """Return (English, Japanese) of every sentence by section; each sentence stands where it is met first."""
    found, met = {}, set()
    for title, pairs in (*_data(), *_templates(), *_code()):
        new = [pair for pair in dict.fromkeys(pairs) if pair not in met]
        met.update(new)
        if new:
            found[title] = new
    return found


# --- Texts that are data ----------------------------------------------------------------------------------
def _data() -> Iterator[tuple[str, list[PAIR]]]:
    from teleder.accounts.clinic_texts import TextKind
    from teleder.accounts.consent_texts import consent_texts
    from teleder.cases.triage import CURRENT_POLICY
    from teleder.web.clinic_texts import draft

    triage = ROOT / "teleder" / "cases" / "triage"
    yield (
        f"Questions and advice (policy {CURRENT_POLICY})",
        list(_both(triage / "policies" / f"{CURRENT_POLICY}.toml")),
    )
    yield "Warning signs", list(_both(triage / "warning_signs.toml"))
    yield "What to say on the phone", list(_both(triage / "phone_script.toml"))
    yield "Until a doctor is seen", list(_both(triage / "until_seen.toml"))
    yield "How much ointment", list(_both(triage / "fingertip.toml"))
    yield "Two days without sores", list(_both(triage / "days_2_advice.toml"))
    yield (
        f"Consents ({consent_texts()['version']})",
        list(_both(ROOT / "teleder" / "accounts" / "consent.toml")),
    )
    yield (
        "What the lists of the history suggest",
        list(_both(ROOT / "teleder" / "cases" / "suggestions.toml")),
    )
    yield (
        "Reply templates, which a dermatologist completes and signs",
        list(_both(ROOT / "teleder/cases/replies.toml")),
    )
    for kind in TextKind:
        text = draft(kind)
        lines = zip(_lines(text.en), _lines(text.ja), strict=True)
        yield f"Our draft of the clinic's page: {kind.value}", list(lines)


def _lines(text: str) -> list[str]:
    return [line.removeprefix("## ").removeprefix("- ") for line in text.splitlines() if line.strip()]


def _both(file: Path) -> Iterator[PAIR]:
    """Yield every pair of texts in a data file."""
    todo: list[Any] = [tomllib.loads(file.read_text())]
    while todo:
        each = todo.pop(0)
        if isinstance(each, dict) and isinstance(each.get("en"), str):
            yield each["en"], each["ja"]
        elif isinstance(each, dict) and isinstance(each.get("en"), list):
            yield from zip(each["en"], each["ja"], strict=True)
        elif isinstance(each, dict | list):
            todo = [*(each.values() if isinstance(each, dict) else each), *todo]


# --- Texts of the catalogue -------------------------------------------------------------------------------
def _templates() -> Iterator[tuple[str, list[PAIR]]]:
    files = [file for folder in TEMPLATES for file in sorted((ROOT / folder).glob("*.html"))]
    for folder in WHOLE:
        files += sorted([*(ROOT / folder).rglob("*.html"), *(ROOT / folder).rglob("*.txt")])
    for file in files:
        yield f"{_kind(file)} {file.relative_to(ROOT / 'teleder/web/templates')}", list(_translated(file))


def _kind(file: Path) -> str:
    return "Page" if file.suffix == ".html" else "Mail" if file.parent.name == "email" else "Message"


def _code() -> Iterator[tuple[str, list[PAIR]]]:
    for title, places in CODE.items():
        files = [file for place in places for file in _python(ROOT / place)]
        yield title, [pair for file in files for pair in _translated(file)]


def _python(place: Path) -> list[Path]:
    files = sorted(place.rglob("*.py")) if place.is_dir() else [place]
    return [file for file in files if not NOT_OF_PATIENTS.search(file.as_posix())]


def _translated(file: Path) -> Iterator[PAIR]:
    method = "python" if file.suffix == ".py" else "local.messages:extract_template"
    keywords = DEFAULT_KEYWORDS | parse_keywords(KEYWORDS)
    for _line, message, _comments, context in extract_from_file(method, file, keywords):
        yield from _pairs(message, context)


def _pairs(message: str | Iterable[str], context: str | None) -> Iterator[PAIR]:
    from django.utils import translation

    with translation.override("ja"):
        if isinstance(message, str):
            said = translation.pgettext(context, message) if context else translation.gettext(message)
            yield message, said
        else:
            one, many = [each for each in message if each][:PLURAL_AT]
            yield f"{one}\n{many}", translation.ngettext(one, many, PLURAL_AT)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
