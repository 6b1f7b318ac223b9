"""Readers of environment variables. Each raises `ImproperlyConfigured`, and never quotes a secret."""

from __future__ import annotations

import base64
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import time
from typing import Any
from urllib.parse import SplitResult, urlsplit

from django.core.exceptions import ImproperlyConfigured

from contract import encryption, environment, storage
from contract.alarms import Condition
from teleder import database

LOOPBACK = {"localhost", "127.0.0.1", "::1"}
WEBHOOK_KEY_BYTES = 24


@contextmanager
def checked() -> Iterator[None]:
    """Raise `ImproperlyConfigured` for what `contract` refuses."""
    try:
        yield
    except (
        encryption.InvalidKeysError,
        environment.InvalidSettingError,
        storage.StorageSettingError,
    ) as error:
        raise ImproperlyConfigured(str(error)) from None


def flag(name: str, *, default: bool = False) -> bool:
    value = os.environ.get(name, "1" if default else "0").lower()
    if value not in {"0", "1", "true", "false", "yes", "no"}:
        raise ImproperlyConfigured(f"{name} must be 0 or 1, not {value!r}")
    return value in {"1", "true", "yes"}


def comma_separated(name: str, default: str = "") -> list[str]:
    return [value.strip() for value in os.environ.get(name, default).split(",") if value.strip()]


def base_rates(name: str, default: str) -> dict[str, float]:
    """Return the share of cases with each condition, above 0 and below 1: `HI=0.02,IM=0.02`."""
    rates = {}
    for pair in comma_separated(name, default):
        condition, _, text = pair.partition("=")
        try:
            rates[condition] = float(text)
        except ValueError:
            rates[condition] = 0.0
        if condition not in set(Condition) or not 0 < rates[condition] < 1:
            raise ImproperlyConfigured(
                f"{name} must be shares between 0 and 1 such as {default}, not {pair!r}"
            )
    return rates


def one_of(name: str, values: Iterable[str], default: str) -> str:
    """Return a setting that is one of these words."""
    value, allowed = os.environ.get(name) or default, list(values)
    if value not in allowed:
        raise ImproperlyConfigured(f"{name} must be one of {', '.join(allowed)}, not {value!r}")
    return value


def secret(name: str, default: str = "", *, least_characters: int = 0) -> str:
    """Return a setting. `NAME_FILE` may name a file that holds it. One that is set may not be too short."""
    with checked():
        value = environment.secret(name, default)
    if value and len(value) < least_characters:
        raise ImproperlyConfigured(
            f"{name} has fewer than {least_characters} characters: `openssl rand -hex 20` makes one"
        )
    return value


def required(name: str) -> str:
    """Return a secret that has no safe default."""
    if value := secret(name):
        return value
    raise ImproperlyConfigured(f"{name} is not set. `./run demo` sets it; .env.example explains it.")


def address(name: str, text: str) -> SplitResult:
    with checked():
        return environment.address(name, text)


def outgoing(name: str) -> str:
    """Return an address that is called, https unless it is this machine's, or an empty text."""
    if not (url := secret(name)):
        return ""
    parts = urlsplit(url)
    is_safe = parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in LOOPBACK)
    if not is_safe or not parts.hostname:
        raise ImproperlyConfigured(f"{name} must be an https address")
    return url


def webhook(name: str) -> tuple[str, str]:
    """Return the address of a webhook and the key that signs its calls (`whsec_` and base64), or two empty texts."""
    url, key = outgoing(name), secret(f"{name}_SECRET")
    if not url:
        return "", ""
    try:
        size = len(base64.b64decode(key.removeprefix("whsec_"), validate=True))
    except ValueError:
        size = 0
    if size < WEBHOOK_KEY_BYTES:
        raise ImproperlyConfigured(
            f"{name}_SECRET must be {WEBHOOK_KEY_BYTES} bytes or more in base64: `openssl rand -base64 32` makes one"
        )
    return url, key


def database_settings() -> dict[str, Any]:
    """Return Django's settings of the database. Migrations, roles and dumps need one session, which no pooler gives."""
    direct = sys.argv[1:2] in (["migrate"], ["backup"], ["createsuperuser"]) or sys.argv[1:3] == [
        "audit",
        "protect",
    ]
    name = "DATABASE_DIRECT_URL" if direct and secret("DATABASE_DIRECT_URL") else "DATABASE_URL"
    pooler = flag("TELEDER_DATABASE_POOLER") and name == "DATABASE_URL"
    with checked():
        return database.from_url(required(name), pooler=pooler, name=name)


def hours(name: str, default: str) -> tuple[time, time] | None:
    """Return opening and closing time of "09:00-18:00"; None for "always"."""
    text = os.environ.get(name) or default
    if text == "always":
        return None
    try:
        opens, closes = map(time.fromisoformat, text.split("-"))
    except ValueError:
        raise ImproperlyConfigured(f'{name} must be "always" or like 09:00-18:00, not {text!r}') from None
    if not opens < closes or opens.tzinfo or closes.tzinfo:
        raise ImproperlyConfigured(f"{name} must open before it closes, not {text!r}")
    return opens, closes
