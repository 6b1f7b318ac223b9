"""Guessing passwords and codes: its limits, and who is not affected by them."""

from __future__ import annotations

import os
import re

import pytest
from allauth.mfa.totp.internal.auth import TOTP
from django.test import Client
from django.urls import reverse

from teleder.accounts.models import User
from teleder.security.login_throttling import DEVICE_COOKIE
from tests.conftest import PASSWORD

pytestmark = pytest.mark.django_db
GUESSES = int(os.environ.get("TELEDER_TEST_GUESSES", "200"))  # 10000 take four minutes
HER_CLINIC, ELSEWHERE = "198.51.100.1", "203.0.113.9"


@pytest.fixture
def checked_guesses(monkeypatch) -> list[str]:
    """The guesses that were compared with a password."""
    seen: list[str] = []
    compare = User.check_password

    def watched(self, password):
        seen.append(password)
        return compare(self, password)

    monkeypatch.setattr(User, "check_password", watched)
    return seen


def guess(email: str, password: str = "wrong", *, at: str = ELSEWHERE, by: Client | None = None, **headers):
    form = {"login": email, "password": password}
    return (by or Client()).post(reverse("account_login"), form, REMOTE_ADDR=at, headers=headers)


def gets_in(email: str, *, at: str, by: Client | None = None) -> bool:
    client = by or Client()
    guess(email, PASSWORD, at=at, by=client)
    return "_auth_user_id" in client.session


def test_ten_guesses_at_an_account_from_one_address_are_checked_and_no_more(alice, checked_guesses):
    answers = [guess(alice.email, f"guess {n}").status_code for n in range(40)]
    assert len(checked_guesses) == 10
    assert answers == [200] * 10 + [429] * 30
    assert not gets_in(alice.email, at=ELSEWHERE)


def test_the_refusal_says_how_long_to_wait_and_what_else_to_do(alice):
    refused = [guess(alice.email, **{"Accept-Language": "en"}) for _ in range(11)][-1]
    assert refused["Retry-After"] == "900"
    assert b"reset your password" in refused.content


def test_an_unknown_account_is_refused_in_the_same_way(db):
    assert [guess("nobody@example.com").status_code for _ in range(12)] == [200] * 10 + [429] * 2


def test_another_spelling_of_the_address_shares_the_count(alice, checked_guesses):
    for spelling in ("alice@example.com", "ALICE@example.com", "Alice@Example.Com"):
        for _ in range(10):
            guess(spelling)
            ask_for_token(spelling)
    assert len(checked_guesses) == 10


def test_a_forged_client_address_changes_nothing(alice, checked_guesses):
    for n in range(30):
        guess(alice.email, **{"X-Forwarded-For": f"192.0.2.{n}", "X-Real-IP": f"192.0.2.{n}"})
    assert len(checked_guesses) == 10


def test_dana_logs_in_at_the_clinic_while_somebody_guesses_elsewhere(dana):
    for _ in range(40):
        guess(dana.email)
    assert gets_in(dana.email, at=HER_CLINIC)


def test_a_forgotten_password_does_not_lock_the_clinics_address(alice, dana):
    for _ in range(40):
        guess(alice.email, at=HER_CLINIC)
    assert gets_in(dana.email, at=HER_CLINIC)


def test_guesses_from_many_addresses_are_limited(alice, checked_guesses):
    for n in range(GUESSES):
        guess(alice.email, at=f"203.0.113.{n % 100}")
    assert len(checked_guesses) == 30


def test_guesses_from_one_address_at_many_accounts_are_limited(alice, checked_guesses):
    for n in range(GUESSES):
        guess(f"person{n}@example.com")
    assert guess(alice.email).status_code == 429
    assert not checked_guesses


def test_dana_logs_in_from_her_device_while_others_guess(dana):
    hers = Client()
    assert gets_in(dana.email, at=HER_CLINIC, by=hers)
    hers.post(reverse("account_logout"))
    for n in range(60):
        guess(dana.email, at=f"203.0.113.{n}")
        guess(f"person{n}@example.com", at=HER_CLINIC)
        guess(f"other{n}@example.com", at=HER_CLINIC)
    assert not gets_in(dana.email, at=ELSEWHERE)
    assert not gets_in(dana.email, at=HER_CLINIC)
    assert gets_in(dana.email, at=HER_CLINIC, by=hers)


def test_guesses_from_a_known_device_are_limited_as_well(alice, checked_guesses):
    hers = Client()
    gets_in(alice.email, at=HER_CLINIC, by=hers)
    hers.post(reverse("account_logout"))
    checked_guesses.clear()
    for n in range(30):
        guess(alice.email, at=f"203.0.113.{n}", by=hers)
    assert len(checked_guesses) == 10


def test_a_forged_device_cookie_allows_no_more_attempts(alice, checked_guesses):
    forger = Client()
    forger.cookies[DEVICE_COOKIE] = 'WyJ4Iiwi:1abc:"'
    for _ in range(30):
        guess(alice.email, by=forger)
    assert len(checked_guesses) == 10


def test_bobs_devices_allow_no_more_attempts_at_alices_account(alice, bob, checked_guesses):
    bobs = [Client() for _ in range(3)]
    for device in bobs:
        gets_in(bob.email, at=ELSEWHERE, by=device)
        device.post(reverse("account_logout"))
    checked_guesses.clear()
    for n in range(30):
        guess(alice.email, by=bobs[n % 3])
    assert len(checked_guesses) == 10


def test_right_passwords_are_not_counted(alice):
    assert all(gets_in(alice.email, at=HER_CLINIC) for _ in range(15))


def test_a_right_password_does_not_reset_the_count(alice, bob, checked_guesses):
    for _ in range(3):
        for _ in range(5):
            guess(alice.email)
        gets_in(alice.email, at=ELSEWHERE)
    assert guess(alice.email).status_code == 429


def test_a_new_password_by_mail_allows_log_in_at_once(alice, mailoutbox):
    for _ in range(15):
        guess(alice.email)
    client = Client(REMOTE_ADDR=ELSEWHERE)
    client.post(reverse("account_reset_password"), {"email": alice.email})
    link = re.search(r"http://\S+(/accounts/password/reset/key/\S+)", mailoutbox[0].body)[1]
    form = client.get(link)["Location"]
    client.post(form, {"password1": PASSWORD + "2", "password2": PASSWORD + "2"})
    assert guess(alice.email, PASSWORD + "2").status_code == 302


# --- Other endpoints ------------------------------------------------------------------------------------------
def ask_for_token(email: str, **more):
    given = {"email": email, "password": "wrong"} | more
    return Client().post(reverse("api:tokens"), given, "application/json", REMOTE_ADDR=ELSEWHERE)


def test_the_endpoint_for_tokens_shares_the_count(alice, checked_guesses):
    for _ in range(5):
        guess(alice.email)
    answers = [ask_for_token(alice.email) for _ in range(10)]
    assert [answer.status_code for answer in answers] == [401] * 5 + [429] * 5
    assert answers[-1]["Content-Type"] == "application/problem+json" and answers[-1]["Retry-After"] == "900"
    assert len(checked_guesses) == 10


def test_no_more_than_ten_codes_are_checked(dana):
    TOTP.activate(dana, "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP")
    client = Client()
    guess(dana.email, PASSWORD, by=client)
    codes = [client.post(reverse("mfa_authenticate"), {"code": "000000"}).status_code for _ in range(12)]
    assert codes == [200] * 10 + [429] * 2
    by_api = ask_for_token(dana.email, password=PASSWORD, code="000000")
    assert by_api.status_code == 429


def test_a_stolen_session_allows_no_more_guesses(client, alice, checked_guesses):
    client.force_login(alice)
    for _ in range(30):
        client.post(reverse("account_reauthenticate"), {"password": "wrong"})
    for _ in range(30):
        form = {"oldpassword": "wrong", "password1": PASSWORD + "2", "password2": PASSWORD + "2"}
        client.post(reverse("account_change_password"), form)
    assert len(checked_guesses) <= 20
