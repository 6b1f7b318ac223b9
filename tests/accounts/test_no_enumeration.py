"""No response reveals who has an account: a known and an unknown address cause the same response and work.

Work is counted (passwords hashed, mails sent), not timed; `python -m benchmarks.enumeration` measures the time.
"""

from __future__ import annotations

import re
from datetime import timedelta
from itertools import count
from types import SimpleNamespace

import pytest
from allauth.account.models import EmailAddress
from django.contrib.auth.hashers import MD5PasswordHasher
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from teleder.accounts.models import AttemptCounter, User
from teleder.security import response_time_padding
from teleder.security.tasks import forget_expired_task
from tests.conftest import PASSWORD

pytestmark = pytest.mark.django_db
UNKNOWN = "alicf@example.com"  # as long as alice's address
CHANCE = re.compile(rb"\w{64}|[0-9a-f]{32}")


@pytest.fixture
def hashed(monkeypatch) -> list[str]:
    """The passwords that went through the hasher."""
    seen: list[str] = []
    encode = MD5PasswordHasher.encode

    def watched(self, password, salt):
        seen.append(password)
        return encode(self, password, salt)

    monkeypatch.setattr(MD5PasswordHasher, "encode", watched)
    return seen


def ask_page(name: str, form: dict) -> list:
    """Return status, address and page that follow a submitted form."""
    client = Client()
    answer = client.post(reverse(name), form)
    seen = [answer.status_code, answer.get("Location"), plain(answer.content, form)]
    if answer.status_code == 302:
        seen.append(plain(client.get(answer["Location"]).content, form))
    return seen


def plain(page: bytes, form: dict) -> bytes:
    address = next(value for value in form.values() if "@" in value)
    return CHANCE.sub(b"", page.replace(address.encode(), b"ADDRESS"))


def ask_api(form: dict) -> list:
    answer = Client().post(reverse("api:tokens"), form, "application/json")
    return [answer.status_code, plain(answer.content, form)]


ENDPOINTS = {
    "log-in": lambda email: ask_page("account_login", {"login": email, "password": "wrong"}),
    "reset": lambda email: ask_page("account_reset_password", {"email": email}),
    "sign-up": lambda email: ask_page(
        "account_signup",
        {"name": "Carol", "email": email, "password1": "a-long-password", "password2": "a-long-password"},
    ),
    "token": lambda email: ask_api({"email": email, "password": "wrong"}),
    "second factor": lambda email: ask_api({"email": email, "password": "wrong", "code": "000000"}),
}
HASHES = {"log-in": 1, "reset": 0, "sign-up": 1, "token": 1, "second factor": 1}
MAILS = {"reset": 1, "sign-up": 1}


@pytest.mark.parametrize("state", ["active", "suspended", "without a password"])
@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_alices_address_gets_the_same_response_as_an_unknown_one(alice, endpoint, state, hashed, mailoutbox):
    alice.is_active = state != "suspended"
    if state == "without a password":
        alice.set_unusable_password()
    alice.save()
    hashed.clear()
    work = []
    answers = []
    for email in (alice.email, UNKNOWN):
        AttemptCounter.objects.all().delete()
        answers.append(ENDPOINTS[endpoint](email))
        work.append((len(hashed), len(mailoutbox)))
        hashed.clear()
        mailoutbox.clear()
    assert answers[0] == answers[1]
    assert work == [(HASHES[endpoint], MAILS.get(endpoint, 0))] * 2


def test_a_log_in_after_sign_up_does_not_reveal_whether_the_address_was_free(alice):
    for email in (alice.email, UNKNOWN):
        ENDPOINTS["sign-up"](email)
    tries = [
        ask_page("account_login", {"login": email, "password": "a-long-password"})
        for email in (alice.email, UNKNOWN)
    ]
    assert tries[0] == tries[1]
    assert ask_api({"email": UNKNOWN, "password": "a-long-password"})[0] == 401


def test_a_second_sign_up_for_an_address_reveals_nothing(alice):
    twice = [[ENDPOINTS["sign-up"](email) for _ in range(2)] for email in (alice.email, UNKNOWN)]
    assert twice[0] == twice[1]


# --- Signing up -------------------------------------------------------------------------------------------
def sign_up(client: Client, email: str, password: str = PASSWORD) -> None:
    form = {"name": "Carol", "email": email, "password1": password, "password2": password}
    client.post(reverse("account_signup"), form)


def confirm(client: Client, mail) -> None:
    code = re.search(r"^\d{6}$", mail.body, re.M)[0]
    client.post(reverse("account_email_verification_sent"), {"code": code})


def test_carol_is_logged_in_after_entering_the_code_of_her_mail(client, db, mailoutbox):
    sign_up(client, "carol@example.com")
    assert "_auth_user_id" not in client.session
    confirm(client, mailoutbox[0])
    assert client.get(reverse("web:home"))["Location"] == reverse("web:welcome")


def test_a_mail_to_a_mistyped_address_does_not_contain_alices_name(client, alice, mailoutbox):
    client.force_login(alice)
    client.post(reverse("account_email"), {"email": "stranger@example.com", "action_add": ""})
    reported = [mail.subject + mail.body for mail in mailoutbox if mail.to == ["stranger@example.com"]]
    assert len(reported) == 1 and alice.name == "Alice" and "Alice" not in reported[0]


def test_three_wrong_codes_end_a_sign_up(client, db, mailoutbox):
    sign_up(client, "carol@example.com")
    for _ in range(3):
        client.post(reverse("account_email_verification_sent"), {"code": "no code"})
    confirm(client, mailoutbox[0])
    assert "_auth_user_id" not in client.session


def test_a_sign_up_with_carols_address_is_replaced_by_her_own(client, db, mailoutbox):
    sign_up(Client(), "carol@example.com", "a-thiefs-password")
    AttemptCounter.objects.all().delete()
    sign_up(client, "carol@example.com")
    confirm(client, mailoutbox[-1])
    carol = User.objects.get(email="carol@example.com")
    assert carol.check_password(PASSWORD)
    assert EmailAddress.objects.get(user=carol).verified


def test_a_sign_up_with_alices_address_mails_her_and_changes_nothing(alice, mailoutbox):
    sign_up(Client(), alice.email, "a-thiefs-password")
    alice.refresh_from_db()
    assert alice.check_password(PASSWORD)
    assert mailoutbox[0].to == [alice.email]


def test_an_unconfirmed_sign_up_is_deleted_after_a_day(alice, db):
    sign_up(Client(), "carol@example.com")
    forget_expired_task()
    assert User.objects.filter(email="carol@example.com").exists()
    User.objects.update(date_joined=timezone.now() - timedelta(hours=25))
    forget_expired_task()
    assert list(User.objects.all()) == [alice]


def test_signing_up_with_eriks_address_does_not_block_his_invitation(adam):
    from teleder.accounts import people
    from teleder.accounts.models import Role

    invitation = people.invite(email="erik@example.com", role=Role.ADMIN, by=adam)
    sign_up(Client(), "erik@example.com", "a-thiefs-password")
    assert people.accept_invitation(invitation, name="Erik", password=PASSWORD).check_password(PASSWORD)


@pytest.mark.parametrize("endpoint", ENDPOINTS)
@pytest.mark.parametrize("seconds", [0.003, 0.186, 0.189])
def test_a_response_is_padded_to_the_next_step(endpoint, seconds, monkeypatch, settings):
    settings.ANSWER_STEP_SECONDS = 0.25
    slept, ticks = [], count()
    clock = SimpleNamespace(perf_counter=lambda: seconds * next(ticks), sleep=slept.append)
    monkeypatch.setattr(response_time_padding, "time", clock)
    ENDPOINTS[endpoint](UNKNOWN)
    assert seconds + slept[0] == pytest.approx(0.25)


def test_other_responses_are_not_padded(client, monkeypatch):
    monkeypatch.setattr(response_time_padding.time, "sleep", lambda _: pytest.fail("it waited"))
    client.get(reverse("account_login"))
    client.post("/accounts/no-such-page/")
