"""PostgreSQL counts attempts: no flush, restart or outage of Valkey allows more guesses."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import timedelta
from urllib.parse import quote

import pytest
import redis
from allauth.mfa.totp.internal import auth
from django.db import connection
from django.db.models import F
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from teleder.accounts.models import AttemptCounter, User
from teleder.security import attempt_counters
from teleder.security.tasks import forget_expired_task
from tests.conftest import PASSWORD

pytestmark = pytest.mark.django_db
SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
ELSEWHERE = "203.0.113.9"


def guess(email: str, password: str = "wrong", client: Client | None = None):
    form = {"login": email, "password": password}
    return (client or Client()).post(reverse("account_login"), form, REMOTE_ADDR=ELSEWHERE)


def ask_for_token(email: str, password: str = "wrong", **more):
    form = {"email": email, "password": password} | more
    return Client().post(reverse("api:tokens"), form, "application/json", REMOTE_ADDR=ELSEWHERE)


@pytest.fixture
def flush(settings):
    return redis.Redis.from_url(settings.REDIS_URL).flushdb


def is_in(client: Client) -> bool:
    return "_auth_user_id" in client.session


# --- Valkey is flushed or unavailable ---------------------------------------------------------------------
def test_of_180_guesses_from_one_address_100_are_checked_despite_flushes_of_valkey(db, flush):
    statuses = []
    for number in range(180):
        statuses.append(guess(f"person{number}@example.com").status_code)
        flush()
    assert statuses == [200] * 100 + [429] * 80


def test_of_guesses_at_one_account_ten_are_checked_despite_flushes_of_valkey(alice, flush):
    statuses = []
    for ask in [guess] * 6 + [ask_for_token] * 8:
        statuses.append(ask(alice.email).status_code)
        flush()
    assert statuses == [200] * 6 + [401] * 4 + [429] * 4


def test_codes_of_the_second_factor_are_counted_despite_flushes_of_valkey(dana, flush):
    auth.TOTP.activate(dana, SECRET)
    client = Client()
    guess(dana.email, PASSWORD, client)
    statuses = []
    for _ in range(12):
        statuses.append(client.post(reverse("mfa_authenticate"), {"code": "000000"}).status_code)
        flush()
    assert statuses == [200] * 10 + [429] * 2


def test_mails_for_a_new_password_are_counted_despite_flushes_of_valkey(alice, flush, mailoutbox):
    for _ in range(6):
        Client().post(reverse("account_reset_password"), {"email": alice.email})
        flush()
    assert len(mailoutbox) == 3


def test_a_stolen_session_may_guess_ten_passwords_despite_flushes_of_valkey(client, alice, flush):
    client.force_login(alice)
    statuses = []
    for _ in range(14):
        statuses.append(client.post(reverse("account_reauthenticate"), {"password": "wrong"}).status_code)
        flush()
    assert statuses.count(429) == 4


def test_a_code_of_the_app_works_once_despite_flushes_of_valkey(dana, flush, monkeypatch):
    monkeypatch.setattr(auth, "yield_hotp_counters_from_time", lambda: iter([59_000_000]))
    auth.TOTP.activate(dana, SECRET)
    code = auth.format_hotp_value(auth.hotp_value(SECRET, 59_000_000))
    assert ask_for_token(dana.email, PASSWORD, code=code).status_code == 201
    flush()
    assert ask_for_token(dana.email, PASSWORD, code=code).status_code == 401


def test_without_valkey_people_log_in_and_guesses_are_counted(alice, dana, valkey_is_gone, mailoutbox):
    client = Client()
    assert guess(alice.email, PASSWORD, client).status_code == 302
    assert is_in(client)
    assert ask_for_token(alice.email, PASSWORD).status_code == 201
    auth.TOTP.activate(dana, SECRET)
    code = auth.format_hotp_value(auth.hotp_value(SECRET, next(auth.yield_hotp_counters_from_time())))
    assert ask_for_token(dana.email, PASSWORD, code=code).status_code == 201
    assert [guess(alice.email).status_code for _ in range(12)] == [200] * 10 + [429] * 2
    assert Client().post(reverse("account_reset_password"), {"email": alice.email}).status_code == 302
    form = {"name": "Carol", "email": "carol@example.com", "password1": PASSWORD, "password2": PASSWORD}
    assert Client().post(reverse("account_signup"), form).status_code == 302
    assert len(mailoutbox) == 2


# --- Exact ------------------------------------------------------------------------------------------------
COUNT = """
import django; django.setup()
from teleder.security import attempt_counters
print(sum(attempt_counters.count_attempt("alice", amount=30, seconds=900) is not None for _ in range(20)))
"""


@pytest.mark.django_db(transaction=True)
def test_of_80_attempts_in_four_processes_exactly_30_pass():
    at = connection.settings_dict
    user = f"{quote(at['USER'])}:{quote(at['PASSWORD'])}@" if at["USER"] else ""
    environment = os.environ | {
        "DATABASE_URL": f"postgresql://{user}{quote(at['HOST'], safe='')}:{at['PORT']}/{at['NAME']}",
        "DJANGO_SETTINGS_MODULE": "teleder.settings",
    }
    started = [
        subprocess.Popen([sys.executable, "-c", COUNT], env=environment, stdout=subprocess.PIPE)
        for _ in range(4)
    ]
    assert sum(int(each.communicate()[0]) for each in started) == 30


@pytest.mark.django_db(transaction=True)
def test_a_guess_is_counted_even_if_its_request_fails(alice, monkeypatch):
    def break_off(*_):
        raise RuntimeError

    monkeypatch.setattr(User, "check_password", break_off)
    client = Client(raise_request_exception=False)
    assert [guess(alice.email, client=client).status_code for _ in range(11)] == [500] * 10 + [429]


def test_a_right_password_is_not_counted(alice):
    guess(alice.email)
    before = sorted(len(row.times) for row in AttemptCounter.objects.all())
    guess(alice.email, PASSWORD)
    after = sorted(len(row.times) for row in AttemptCounter.objects.all())
    assert sum(after) == sum(before) + 1  # the request itself, of 300 a minute


def test_returning_one_of_two_simultaneous_attempts_keeps_the_other(db):
    counted = attempt_counters.count_attempt("alice", amount=5, seconds=900)
    AttemptCounter.objects.update(times=[counted.time, counted.time])
    counted.rollback()
    assert AttemptCounter.objects.get().times == [counted.time]
    counted.rollback()
    counted.rollback()
    assert AttemptCounter.objects.get().times == []


def test_attempts_are_checked_again_after_the_window(alice):
    assert [guess(alice.email).status_code for _ in range(11)][-1] == 429
    for row in AttemptCounter.objects.all():
        row.times = [time - timedelta(minutes=15, seconds=1) for time in row.times]
        row.save()
    assert guess(alice.email).status_code == 200


def test_a_limit_of_zero_refuses_every_attempt(db):
    assert attempt_counters.count_attempt("alice", amount=0, seconds=900) is None


# --- The content of the table -----------------------------------------------------------------------------
def test_the_table_contains_no_account_and_no_address(alice):
    guess(alice.email)
    ask_for_token(alice.email)
    rows = list(AttemptCounter.objects.values_list("key", flat=True))
    assert len(rows) >= 5
    assert all(len(key) == 64 and int(key, 16) >= 0 for key in rows)


def test_expired_counters_are_deleted_at_night(alice):
    guess(alice.email)
    AttemptCounter.objects.create(key="old", times=[], expires_at=timezone.now() - timedelta(seconds=1))
    forget_expired_task()
    assert AttemptCounter.objects.exists()
    AttemptCounter.objects.update(expires_at=F("expires_at") - timedelta(days=2))
    forget_expired_task()
    assert not AttemptCounter.objects.exists()
