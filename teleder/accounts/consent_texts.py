"""The words that patients agree to, and which earlier words still count."""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path
from typing import Any

from django.utils.translation import get_language

CONSENT_TEXTS = Path(__file__).parent / "consent.toml"


@cache
def consent_texts() -> dict[str, Any]:
    """Return {"version", "<purpose>": {"asks_again", "ja", "en"}}: drafts until a clinician and a lawyer have signed them."""
    return tomllib.loads(CONSENT_TEXTS.read_text())


def consent_text(purpose: str, language: str | None = None, *, for_child: bool = False) -> str:
    """Return the words that are agreed to; `for_child` as a guardian agrees to them."""
    language = (language or get_language() or "ja")[:2]
    text = consent_texts()[purpose][language]
    return f"{consent_texts()['guardian'][language]} {text}" if for_child else text


def counts(purpose: str, version: str) -> bool:
    """Whether a consent to this version still says what the person agrees to."""
    return version >= consent_texts()[purpose]["asks_again"]
