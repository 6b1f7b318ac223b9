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
    if name in {"localhost", "[::1]"} or name.endswith(".localhost"):
        return True
    parts = name.split(".")
    is_address = len(parts) == 4 and all(part.isdecimal() and int(part) < 256 for part in parts)
    return is_address and parts[0] == "127"


def require_loopback(
    hosts: Iterable[str], public_url: str, *, behind_proxy: bool, origins: Iterable[str]
) -> None:
    """Refuse the demo's marker where other machines can reach the site."""
    if behind_proxy or any(origin.startswith("https:") for origin in origins):
        raise ImproperlyConfigured(
            "TELEDER_INSECURE_COOKIES=1 is for plain http on loopback; "
            "remove it behind a proxy and where TELEDER_ORIGINS names https."
        )
    foreign = [host for host in [*hosts, urlsplit(public_url).netloc] if not is_loopback(host)]
    if foreign:
        raise ImproperlyConfigured(
            "TELEDER_INSECURE_COOKIES=1 is for this machine only, and TELEDER_HOSTS or TELEDER_PUBLIC_URL names "
            f"{', '.join(foreign)}. Remove it and serve https, or name localhost."
        )


def refuse_demo_settings(
    *, debug: bool, hosts: Iterable[str], secret_key: str, public_url: str, second_factor: bool
) -> None:
    """Refuse what only the demo may do: staff without a second factor, debug pages, wildcard hosts, a key that can be
    guessed, links by http."""
    if not second_factor:
        raise ImproperlyConfigured(
            "TELEDER_STAFF_SECOND_FACTOR=0 is for the demo, with TELEDER_INSECURE_COOKIES=1."
        )
    if debug:
        raise ImproperlyConfigured("TELEDER_DEBUG=1 shows settings and records on error pages: remove it.")
    for host in hosts:
        if "*" in host or host.startswith("."):
            raise ImproperlyConfigured(
                f"TELEDER_HOSTS={host} lets the site be called by names you may not own: "
                "write each name out, divided by commas."
            )
    is_short = len(secret_key) < KEY_CHARACTERS or len(set(secret_key)) < KEY_DISTINCT_CHARACTERS
    if is_short or secret_key.startswith(DJANGOS_DRAFT):
        raise ImproperlyConfigured(
            f"TELEDER_SECRET_KEY must be drawn at random and have at least {KEY_CHARACTERS} characters. Draw one: "
            'python -c "import secrets; print(secrets.token_urlsafe(50))". Put the old key into '
            "TELEDER_SECRET_KEY_FALLBACKS, or authenticator apps that are set up no longer work."
        )
    if not public_url.startswith("https://") and not is_loopback(urlsplit(public_url).netloc):
        raise ImproperlyConfigured(
            f"TELEDER_PUBLIC_URL={public_url}: links in mail must begin with https:// (they can set a new password)."
        )


def require_public_url(url: str, hosts: list[str]) -> None:
    """Refuse an address for the links in mail that leads nowhere, or to a host that this site does not answer for."""
    parts = urlsplit(url)
    is_plain = not (parts.username or parts.query or parts.fragment)
    if parts.scheme not in {"http", "https"} or not parts.hostname or not is_plain:
        raise ImproperlyConfigured(
            f"TELEDER_PUBLIC_URL={url} must be the address of the site, such as https://teleder.example."
        )
    if parts.path.strip("/"):
        raise ImproperlyConfigured(
            f"TELEDER_PUBLIC_URL={url}: the site cannot live below a path ({parts.path}). Give it a host name or a port of its own, "
            "such as https://teleder.hospital.example or https://hospital.example:8443."
        )
    if not validate_host(split_domain_port(parts.netloc)[0], hosts):
        raise ImproperlyConfigured(
            f"TELEDER_PUBLIC_URL={url}: links in mail lead there, and TELEDER_HOSTS does not name that host. "
            "Set TELEDER_PUBLIC_URL to where people reach the site."
        )
