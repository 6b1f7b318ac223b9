"""`./run runbook`: write docs/runbook.md from the product's own texts, which the page Runbook shows, too."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "teleder" / "notifications" / "runbook.toml"
FILE = ROOT / "docs" / "runbook.md"
HEAD = """# Runbook

What to do about each alert. Written by `./run runbook` from `teleder/notifications/runbook.toml`; do not edit it here. The page
Runbook of admins shows the same text. Settings and commands: [running.md](running.md).
"""
WORDS = {
    "en": ("What it means", "Patients see", "What to do", "How to see that it helped"),
    "ja": ("意味", "患者さんに見えること", "すること", "直ったとわかること"),
}


def main() -> int:
    FILE.write_text(document())
    return 0


def document() -> str:
    sections = tomllib.loads(SOURCE.read_text())
    titles = [each["en"]["title"] for each in sections.values()]
    contents = "\n".join(f"- [{title}](#{_anchor(title)})" for title in titles)
    return "\n".join([HEAD, contents, *map(_section, sections.values())])


def _anchor(title: str) -> str:
    return re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")


def _section(languages: dict[str, dict[str, Any]]) -> str:
    parts = [f"\n## {languages['en']['title']}\n"]
    for code, (meaning, patients, steps, check) in WORDS.items():
        text = languages[code]
        title = "" if code == "en" else f"**{text['title']}**\n\n"
        lines = "\n".join(f"{number}. {step}" for number, step in enumerate(text["steps"], 1))
        parts.append(
            f"{title}{meaning}: {text['meaning']}\n\n{patients}: {text['patients']}\n\n{steps}:\n\n{lines}\n\n"
            f"{check}: {text['check']}\n"
        )
    return "\n".join(parts)
