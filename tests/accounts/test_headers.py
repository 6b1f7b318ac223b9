"""Response headers, and an installation with production settings."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.django_db
ADDRESSES = [
    "/",
    "/accounts/login/",
    "/accounts/signup/",
    "/admin/",
    "/api/docs",
    "/api/schema",
    "/api/v1/me",
    "/healthz",
    "/readyz",
    "/status",
    "/no-such-page",
]
TOLD = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


@pytest.mark.parametrize("address", ADDRESSES)
def test_every_answer_has_headers_against_other_sites_and_scripts(client, address):
    answer = client.get(address)
    assert {name: answer.get(name) for name in TOLD} == TOLD
    policy = dict(part.strip().partition(" ")[::2] for part in answer["Content-Security-Policy"].split(";"))
    assert policy["default-src"] == "'self'" and policy["object-src"] == policy["base-uri"] == "'none'"
    assert policy["frame-ancestors"] == "'none'" and policy["form-action"] == "'self'"
    assert "unsafe" not in answer["Content-Security-Policy"]


PAGES = ["/", "/accounts/login/", "/accounts/signup/", "/accounts/password/reset/", "/api/docs"]


@pytest.mark.parametrize("address", PAGES)
def test_no_page_has_inline_scripts_or_styles(client, address):
    page = client.get(address).content.decode()
    assert " style=" not in page and "<style" not in page and " onclick=" not in page
    scripts = [part.partition(">")[0] for part in page.split("<script")[1:]]
    assert all("src=" in each or "application/json" in each for each in scripts)


# --- Real settings ----------------------------------------------------------------------------------------
def in_production(*command: str) -> subprocess.CompletedProcess:
    real = {"TELEDER_INSECURE_COOKIES": "0", "TELEDER_DEBUG": "0", "TELEDER_BEHIND_PROXY": "1"}
    real |= {"TELEDER_SECRET_KEY": "aB3-dE5_fG7" * 6, "DJANGO_SETTINGS_MODULE": "teleder.settings"}
    inherited = {name: value for name, value in os.environ.items() if name != "DJANGO_ALLOW_ASYNC_UNSAFE"}
    return subprocess.run(
        [sys.executable, *command], env=inherited | real, capture_output=True, text=True, check=False
    )


def test_the_deployment_check_is_silent():
    done = in_production("manage.py", "check", "--deploy", "--fail-level", "DEBUG")
    assert done.returncode == 0, done.stderr
    assert "0 silenced" in done.stdout


ASK = """
import django, json; django.setup()
from django.conf import settings
from django.test import Client
ask = lambda **more: Client().get("/api/v1/me", headers={"Host": "localhost", **more})
plain, secure = ask(), ask(**{"X-Forwarded-Proto": "https"})
cookies = [getattr(settings, f"{name}_COOKIE_{flag}") for name in ("SESSION", "CSRF") for flag in ("SECURE", "HTTPONLY")]
print(json.dumps([plain.status_code, plain["Location"], secure["Strict-Transport-Security"], cookies]))
"""


def test_with_production_settings_https_is_required_and_cookies_are_http_only():
    done = in_production("-c", ASK)
    status, location, transport, cookies = json.loads(done.stdout)
    assert (status, location) == (301, "https://localhost/api/v1/me")
    assert transport == "max-age=31536000; includeSubDomains; preload"
    assert cookies == [True] * 4


PAGES_OF = {
    "alice": ["/", "/settings/", "/messages/"],
    "dana": ["/worklist/", "/settings/"],
    "adam": ["/operations/", "/operations/people/", "/operations/cases/", "/admin/"],
}


@pytest.mark.parametrize("name", PAGES_OF)
def test_no_browser_stores_a_page_of_a_logged_in_user(request, client, name):
    client.force_login(request.getfixturevalue(name))
    for address in PAGES_OF[name]:
        answer = client.get(address)
        assert answer.status_code == 200 and "no-store" in answer["Cache-Control"], address
