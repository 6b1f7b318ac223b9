"""Dana's passkey, in a browser with a virtual authenticator (CDP WebAuthn)."""

from __future__ import annotations

import re

import pytest
from django.urls import reverse

from tests.conftest import PASSWORD

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
KEY = {
    "protocol": "ctap2",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}


def add_virtual_authenticator(page) -> None:
    devices = page.context.new_cdp_session(page)
    devices.send("WebAuthn.enable")
    devices.send("WebAuthn.addVirtualAuthenticator", {"options": KEY})


def log_in(page, person) -> None:
    page.goto(reverse("account_login"))
    page.fill("[name=login]", person.email)
    page.fill("[name=password]", PASSWORD)
    page.click("main [type=submit]")


def leave(page) -> None:
    page.context.clear_cookies()


def test_dana_sets_up_a_passkey_sees_her_codes_once_and_logs_in_with_it(visit, is_accessible, dana):
    page = visit(size="desk", language="en")
    add_virtual_authenticator(page)
    log_in(page, dana)
    assert page.url.endswith(reverse("mfa_index"))

    page.goto(reverse("mfa_add_webauthn"))
    page.fill("[name=password]", PASSWORD)  # required again before a key is added
    page.click("main [type=submit]")
    page.fill("[name=name]", "my phone")
    page.click("#mfa_webauthn_add")
    page.wait_for_url("**" + reverse("mfa_view_recovery_codes"))
    codes = re.findall(r"\b\d{8}\b", page.locator("main").inner_html())
    assert len(codes) == 10
    page.reload()
    assert not re.findall(r"\b\d{8}\b", page.locator("main").inner_html())

    leave(page)
    log_in(page, dana)
    assert page.url.endswith(reverse("mfa_authenticate"))
    is_accessible(page, "en")
    page.click("#mfa_webauthn_authenticate")
    page.wait_for_url("**" + reverse("web:worklist"))


@pytest.mark.parametrize("language", ["ja", "en"])
def test_the_pages_of_the_second_factor_are_accessible(visit, is_accessible, dana, language):
    page = visit(dana, language=language)
    for name in ("mfa_index", "mfa_activate_totp", "mfa_add_webauthn"):
        page.goto(reverse(name))
        assert page.url.endswith(reverse(name))
        is_accessible(page, language)
