"""What settings may not be outside the demo: each function raises `ImproperlyConfigured` with what to do about it.

The demo and the tests are marked by TELEDER_INSECURE_COOKIES=1, which is refused for any host but this machine's own.
"""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured
from django.http.request import split_domain_port, validate_host

# As Django's own deployment check (security.W009) has it.
KEY_CHARACTERS = 50
KEY_DISTINCT_CHARACTERS = 5
DJANGOS_DRAFT = "django-insecure-"


def is_loopback(host: str) -> bool:
    """Whether a host name, with or without a port, can only mean this machine."""
    name = split_domain_port(host)[0].lstrip(".")
    return name in {"localhost", "[::1]"} or name.endswith(".localhost") or _is_127(name)


def _is_127(name: str) -> bool:
    parts = name.split(".")
    return (
        len(parts) == 4 and parts[0] == "127" and all(part.isdecimal() and int(part) < 256 for part in parts)
    )


def require_loopback(hosts: Iterable[str], public_url: str) -> None:
    """Refuse the demo's marker where other machines can reach the site."""
    foreign = [host for host in [*hosts, urlsplit(public_url).netloc] if not is_loopback(host)]
    if foreign:
        raise ImproperlyConfigured(
            "TELEDER_INSECURE_COOKIES=1 is for this machine only, and TELEDER_HOSTS or TELEDER_PUBLIC_URL names "
            f"{', '.join(foreign)}. Remove it and serve https, or name localhost."
        )


def refuse_demo_settings(*, debug: bool, hosts: Iterable[str], secret_key: str, public_url: str) -> None:
    """Refuse what only the demo may do: debug pages, wildcard hosts, a key that can be guessed, links by http."""
    if debug:
        raise ImproperlyConfigured("TELEDER_DEBUG=1 shows settings and records on error pages: remove it.")
    _refuse_wildcards(hosts)
    _refuse_weak_key(secret_key)
    if not public_url.startswith("https://") and not is_loopback(urlsplit(public_url).netloc):
        raise ImproperlyConfigured(
            f"TELEDER_PUBLIC_URL={public_url}: links in mail must begin with https:// (they can set a new password)."
        )


def _refuse_wildcards(hosts: Iterable[str]) -> None:
    for host in hosts:
        if "*" in host or host.startswith("."):
            raise ImproperlyConfigured(
                f"TELEDER_HOSTS={host} lets the site be called by names you may not own: "
                "write each name out, divided by commas."
            )


def _refuse_weak_key(key: str) -> None:
    is_short = len(key) < KEY_CHARACTERS or len(set(key)) < KEY_DISTINCT_CHARACTERS
    if is_short or key.startswith(DJANGOS_DRAFT):
        raise ImproperlyConfigured(
            f"TELEDER_SECRET_KEY must be drawn at random and have at least {KEY_CHARACTERS} characters. Draw one: "
            'python -c "import secrets; print(secrets.token_urlsafe(50))". Put the old key into '
            "TELEDER_SECRET_KEY_FALLBACKS, or authenticator apps that are set up no longer work."
        )


def require_public_url(url: str, hosts: list[str]) -> None:
    """Refuse an address for the links in mail that leads nowhere, or to a host that this site does not answer for."""
    parts = urlsplit(url)
    is_plain = not (parts.username or parts.query or parts.fragment)
    if parts.scheme not in {"http", "https"} or not parts.hostname or not is_plain:
        raise ImproperlyConfigured(
            f"TELEDER_PUBLIC_URL={url} must be the address of the site, such as https://teleder.example."
        )
    if not validate_host(split_domain_port(parts.netloc)[0], hosts):
        raise ImproperlyConfigured(
            f"TELEDER_PUBLIC_URL={url}: links in mail lead there, and TELEDER_HOSTS does not name that host. "
            "Set TELEDER_PUBLIC_URL to where people reach the site."
        )
