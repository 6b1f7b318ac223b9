"""Secrets from the environment, or from files that it names: as orchestrators hand them over."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import SplitResult, urlsplit


class InvalidSettingError(ValueError):
    """A setting cannot be used; the message names it and says nothing of its value."""


def secret(name: str, default: str = "") -> str:
    """Return what the file that `NAME_FILE` names holds, else what `NAME` holds. Raises InvalidSettingError."""
    path = os.environ.get(f"{name}_FILE")
    if not path:
        return os.environ.get(name, default)
    try:
        return Path(path).read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidSettingError(
            f"{name}_FILE names a file that cannot be read ({type(error).__name__})"
        ) from None


def address(name: str, text: str) -> SplitResult:
    """Take an address apart. Raises InvalidSettingError: Python's own error would quote it, password and all."""
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError:
        raise InvalidSettingError(
            f"{name} cannot be read as an address; letters like / and @ in a password are written %2F and %40"
        ) from None
    return parts
