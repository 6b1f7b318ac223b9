"""Settings with which no production site starts; the error says what to change."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from local.checks import PRODUCTION
from teleder import deployment

KEY = PRODUCTION["TELEDER_SECRET_KEY"]


def start(**settings: str) -> subprocess.CompletedProcess:
    """Load the settings as every web process does, without any connection."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("TELEDER_")}
    command = [sys.executable, "-c", "import django; django.setup()"]
    return subprocess.run(
        command, env=clean | PRODUCTION | settings, capture_output=True, text=True, check=False
    )


def test_a_documented_configuration_starts():
    assert start().returncode == 0


REFUSED = {
    "debug": ({"TELEDER_DEBUG": "1"}, "remove it"),
    "any host": ({"TELEDER_HOSTS": "*"}, "write each name out"),
    "any host beside ours": ({"TELEDER_HOSTS": "teleder.example,*"}, "write each name out"),
    "any host of ours": ({"TELEDER_HOSTS": "teleder.example,.teleder.example"}, "write each name out"),
    "any host of a country": ({"TELEDER_HOSTS": "teleder.example,.jp"}, "write each name out"),
    "a star in a name": ({"TELEDER_HOSTS": "teleder.example,*.teleder.example"}, "write each name out"),
    "a short key": ({"TELEDER_SECRET_KEY": KEY[:49]}, "secrets.token_urlsafe"),
    "one letter": ({"TELEDER_SECRET_KEY": "a" * 80}, "secrets.token_urlsafe"),
    "four letters": ({"TELEDER_SECRET_KEY": "abcd" * 20}, "secrets.token_urlsafe"),
    "Django's draft": ({"TELEDER_SECRET_KEY": "django-insecure-" + KEY}, "TELEDER_SECRET_KEY_FALLBACKS"),
    "links by http": ({"TELEDER_PUBLIC_URL": "http://teleder.example"}, "must begin with https"),
    "links to no page": ({"TELEDER_PUBLIC_URL": "teleder.example"}, "must be the address of the site"),
    "links with a name": ({"TELEDER_PUBLIC_URL": "https://me@teleder.example"}, "must be the address"),
    "a path of another site": (
        {"TELEDER_PUBLIC_URL": "https://teleder.example/derma"},
        "cannot live below a path",
    ),
    "links elsewhere": ({"TELEDER_PUBLIC_URL": "https://other.example"}, "TELEDER_HOSTS does not name"),
    "links to this machine": ({"TELEDER_PUBLIC_URL": "http://localhost:8000"}, "TELEDER_HOSTS does not name"),
    "the demo's cookies": ({"TELEDER_INSECURE_COOKIES": "1"}, "for this machine only"),
    "the demo's cookies for all": (
        {"TELEDER_INSECURE_COOKIES": "1", "TELEDER_HOSTS": "*", "TELEDER_PUBLIC_URL": "http://localhost"},
        "for this machine only",
    ),
    "the demo's cookies in a local network": (
        {
            "TELEDER_INSECURE_COOKIES": "1",
            "TELEDER_HOSTS": "localhost,192.168.0.7",
            "TELEDER_PUBLIC_URL": "http://localhost",
        },
        "192.168.0.7",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_refused_setting_names_its_remedy(name):
    settings, advice = REFUSED[name]
    done = start(**settings)
    assert done.returncode and advice in done.stderr.splitlines()[-1]
    assert KEY[:49] not in done.stderr  # no key is quoted


def test_the_demo_starts_with_its_settings():
    demo = {"TELEDER_INSECURE_COOKIES": "1", "TELEDER_SECRET_KEY": "short", "TELEDER_DEBUG": "1"}
    loopback = {"TELEDER_HOSTS": "localhost,127.0.0.1,[::1]", "TELEDER_PUBLIC_URL": "http://localhost:8765"}
    assert start(**demo, **loopback).returncode == 0


def test_an_old_key_may_be_weak_after_a_key_change():
    """Authenticator secrets are encrypted with it and must stay readable after a change of the key."""
    assert start(TELEDER_SECRET_KEY_FALLBACKS="the-old-short-one").returncode == 0


@pytest.mark.parametrize(
    "host", ["localhost", "localhost:8000", "127.0.0.1", "127.1.2.3:80", "[::1]:8000", "demo.localhost"]
)
def test_these_hosts_are_this_machine(host):
    assert deployment.is_loopback(host)


@pytest.mark.parametrize(
    "host",
    [
        "*",
        "",
        "0.0.0.0",
        "localhost.example",
        "127.0.0.1.nip.io",
        "127.0.0.999",
        "notlocalhost",
        "[::]",
        "10.0.0.1",
    ],
)
def test_these_hosts_are_not_this_machine(host):
    assert not deployment.is_loopback(host)
