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

    leave(page)
    page.goto(reverse("account_login"))
    is_accessible(page, "en")
    page.click("#passkey_login")  # alone: the device asks for a PIN, a finger or a face
    page.wait_for_url("**" + reverse("web:worklist"))


def test_a_passkey_of_a_suspended_person_does_not_log_in(visit, dana):
    page = visit(size="desk", language="en")
    add_virtual_authenticator(page)
    log_in(page, dana)
    page.goto(reverse("mfa_add_webauthn"))
    page.fill("[name=password]", PASSWORD)
    page.click("main [type=submit]")
    page.click("#mfa_webauthn_add")
    page.wait_for_url("**" + reverse("mfa_view_recovery_codes"))
    leave(page)
    type(dana).objects.filter(pk=dana.pk).update(is_active=False)
    page.goto(reverse("account_login"))
    page.click("#passkey_login")
    page.wait_for_url("**" + reverse("account_inactive"))
    page.goto(reverse("web:worklist"))
    assert reverse("account_login") in page.url


def test_a_device_with_a_passkey_is_offered_it_first(visit, is_accessible, alice):
    page = visit(size="phone", language="en")
    add_virtual_authenticator(page)
    page.goto(reverse("account_login"))
    first = page.locator("main .btn-primary:visible")
    assert first.count() == 1 and first.inner_text() == "Log in"
    log_in(page, alice)
    page.goto(reverse("mfa_add_webauthn"))
    page.fill("[name=password]", PASSWORD)
    page.click("main [type=submit]")
    page.fill("[name=name]", "my phone")
    page.check("[name=passwordless]")
    page.click("#mfa_webauthn_add")
    page.wait_for_url("**" + reverse("mfa_view_recovery_codes"))
    page.goto(reverse("account_logout"))
    page.locator("main [type=submit]").click()
    page.goto(reverse("account_login"))
    assert first.count() == 1 and first.inner_text() == "Log in with a passkey"
    is_accessible(page, "en")
    first.click()
    page.wait_for_url("**" + reverse("web:home"))


@pytest.mark.parametrize("language", ["ja", "en"])
def test_the_pages_of_the_second_factor_are_accessible(visit, is_accessible, dana, language):
    page = visit(dana, language=language)
    for name in ("mfa_index", "mfa_activate_totp", "mfa_add_webauthn"):
        page.goto(reverse(name))
        assert page.url.endswith(reverse(name))
        is_accessible(page, language)
