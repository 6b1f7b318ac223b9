"""Draft texts for answers: a clinician chooses one, edits it and signs the result."""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path
from typing import Any

from teleder.cases.models import Disposition

TEXTS = Path(__file__).parent / "replies.toml"


@cache
def texts() -> dict[str, Any]:
    """Return {"version", "signed_by", "safety_net": {"ja", "en"}, "impressions": {impression: …},
    "replies": {disposition: {"ja", "en"}}}."""
    return tomllib.loads(TEXTS.read_text())


def is_draft() -> bool:
    return not texts()["signed_by"]


def reply(disposition: Disposition, language: str, impression: str = "") -> str:
    """Return the text for a disposition with its safety net, in `language` (ja or en).

    It names a disease only where the dermatologist's `impression` does.
    """
    seen = texts()["impressions"].get(impression, {}).get(language, "")
    text = texts()["replies"][disposition][language].replace("{impression}", seen)
    # "The same day if ..." would weaken "now".
    return text if disposition == Disposition.EMERGENCY else f"{text}\n{texts()['safety_net'][language]}"
