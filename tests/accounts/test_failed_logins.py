"""A failed log-in writes an entry for the clinic's admins, which can be erased and is deleted after 90 days."""

from __future__ import annotations

from datetime import timedelta

import pytest
from allauth.mfa.totp.internal import auth
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from teleder.accounts import people
from teleder.accounts.models import FailedLogin
from teleder.privacy import belongings
from teleder.security import failed_logins
from teleder.security.tasks import forget_expired_task
from tests.conftest import PASSWORD

pytestmark = pytest.mark.django_db
SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
ELSEWHERE = "203.0.113.9"
UNKNOWN = "alicf@example.com"


def log_in(email: str, password: str = "wrong", client: Client | None = None):
    form = {"login": email, "password": password}
    return (client or Client()).post(reverse("account_login"), form, REMOTE_ADDR=ELSEWHERE)


def ask_for_token(email: str, password: str = "wrong", **more):
    form = {"email": email, "password": password} | more
    return Client().post(reverse("api:tokens"), form, "application/json", REMOTE_ADDR=ELSEWHERE)


def entries() -> list[tuple]:
    return list(
        FailedLogin.objects.order_by("pk").values_list("person__email", "entrance", "reason", "attempts")
    )


# --- What is written --------------------------------------------------------------------------------------
def test_a_wrong_password_writes_an_entry_by_page_and_by_api(alice):
    log_in(alice.email)
    ask_for_token(alice.email)
    assert entries() == [
        (alice.email, "page", "wrong_password", 1),
        (alice.email, "api", "wrong_password", 1),
    ]
    assert FailedLogin.objects.first().network_address == ELSEWHERE


def test_an_address_without_an_account_is_stored_only_as_a_keyed_hash(db):
    log_in(UNKNOWN)
    entry = FailedLogin.objects.get()
    assert (entry.person, entry.reason) == (None, "wrong_password")
    assert entry.email_hash == failed_logins.address_hash(UNKNOWN)
    with connection.cursor() as cursor:
        cursor.execute("SELECT failed::text FROM accounts_failedlogin failed")
        assert UNKNOWN not in cursor.fetchone()[0]


def test_a_successful_log_in_writes_no_entry(alice):
    log_in(alice.email, PASSWORD)
    ask_for_token(alice.email, PASSWORD)
    assert entries() == []


def test_a_log_in_to_a_suspended_account_stores_that_reason(alice, adam):
    people.deactivate(alice, by=adam)
    log_in(alice.email, PASSWORD)
    ask_for_token(alice.email, PASSWORD)
    assert entries() == [(alice.email, "page", "suspended", 1), (alice.email, "api", "suspended", 1)]


def test_a_wrong_code_writes_an_entry_by_page_and_by_api(dana):
    auth.TOTP.activate(dana, SECRET)
    client = Client()
    log_in(dana.email, PASSWORD, client)
    client.post(reverse("mfa_authenticate"), {"code": "000000"})
    ask_for_token(dana.email, PASSWORD, code="000000")
    expected = [(dana.email, endpoint, "wrong_second_factor", 1) for endpoint in ("page", "api")]
    assert entries() == expected


def test_a_wrong_answer_of_a_security_key_writes_an_entry(dana):
    auth.TOTP.activate(dana, SECRET)
    client = Client()
    log_in(dana.email, PASSWORD, client)
    answer = '{"id": "AAAA", "rawId": "AAAA", "type": "public-key", "response": {}}'
    client.post(reverse("mfa_authenticate"), {"credential": answer})
    assert entries() == [(dana.email, "page", "wrong_second_factor", 1)]


@pytest.mark.parametrize("has_app", [True, False])
def test_a_right_password_without_a_code_writes_an_entry_by_api(dana, has_app):
    if has_app:
        auth.TOTP.activate(dana, SECRET)
    assert ask_for_token(dana.email, PASSWORD).status_code == 401
    assert entries() == [(dana.email, "api", "no_second_factor", 1)]


def test_a_wrong_password_in_a_stolen_session_writes_an_entry(client, alice):
    client.force_login(alice)
    client.post(reverse("account_reauthenticate"), {"password": "wrong"})
    assert entries() == [(alice.email, "page", "wrong_password", 1)]


def test_refusals_after_too_many_attempts_write_one_entry_an_hour(alice):
    for _ in range(15):
        log_in(alice.email)
    assert entries() == [(alice.email, "page", "wrong_password", 1)] * 10 + [
        (alice.email, "page", "throttled", 5)
    ]
    FailedLogin.objects.update(at=timezone.now() - timedelta(hours=1, seconds=1))
    log_in(alice.email)
    assert entries()[-1] == (alice.email, "page", "throttled", 1)


def test_codes_refused_after_too_many_attempts_write_an_entry(dana):
    auth.TOTP.activate(dana, SECRET)
    client = Client()
    log_in(dana.email, PASSWORD, client)
    for _ in range(12):
        client.post(reverse("mfa_authenticate"), {"code": "000000"})
    assert entries()[-1] == (dana.email, "page", "throttled", 2)


def test_attempts_at_many_accounts_do_not_fill_the_table(db):
    for number in range(130):
        log_in(f"person{number}@example.com")
    assert FailedLogin.objects.count() == 101
    assert entries()[-1] == (None, "page", "throttled", 30)


# --- Who has an account -----------------------------------------------------------------------------------
def statements(ask, email: str) -> list[str]:
    with CaptureQueriesContext(
        connection,
    ) as asked:
        ask(email)
    return [query["sql"].split("(")[0].split("WHERE")[0] for query in asked if "accounts_" in query["sql"]]


@pytest.mark.parametrize("ask", [log_in, ask_for_token])
def test_a_failed_log_in_runs_the_same_queries_with_and_without_an_account(alice, ask):
    written = [
        [each for each in statements(ask, email) if "failedlogin" in each or "attemptcounter" in each]
        for email in (alice.email, UNKNOWN)
    ]
    assert written[0] == written[1]
    assert any(each.startswith("INSERT") for each in written[0])


# --- Who sees it ------------------------------------------------------------------------------------------
def page_of(client, person, query: str = "") -> str:
    client.force_login(person)
    return client.get(reverse("web:failed_logins") + query).content.decode()


def test_adam_sees_those_of_his_clinic_and_noel_does_not(client, alice, adam, noel):
    log_in(alice.email)
    assert alice.email in page_of(client, adam) and ELSEWHERE in page_of(client, adam)
    assert alice.email not in page_of(client, noel)
    assert ELSEWHERE not in page_of(client, noel)


def test_with_several_clinics_no_admin_learns_who_has_an_account_elsewhere(client, adam, nora, sue):
    log_in(nora.email)
    log_in(UNKNOWN)
    assert ELSEWHERE not in page_of(client, adam)
    assert page_of(client, sue).count(ELSEWHERE) == 2


def test_with_one_clinic_its_admin_sees_guesses_at_unknown_addresses(client, adam):
    log_in(UNKNOWN)
    assert "no account with this address" in page_of(client, adam)


def test_the_page_can_be_filtered_by_person_and_is_translated(client, alice, bob, adam):
    log_in(alice.email)
    log_in(bob.email)
    adam.language = "ja"
    adam.save()
    page = page_of(client, adam, f"?person={alice.pk}")
    assert alice.email in page and bob.email not in page
    assert "ログインの失敗" in page and "パスワード" in page
    client.force_login(adam)
    for nobody in ("x", "00000000-0000-7000-8000-00000000ffff"):
        assert client.get(reverse("web:failed_logins"), {"person": nobody}).status_code == 404


# --- Deletion ---------------------------------------------------------------------------------------------
def test_entries_are_deleted_after_90_days(alice):
    log_in(alice.email)
    forget_expired_task()
    assert FailedLogin.objects.exists()
    FailedLogin.objects.update(at=timezone.now() - timedelta(days=90, seconds=1))
    forget_expired_task()
    assert not FailedLogin.objects.exists()


def test_entries_are_erased_with_the_person_including_those_before_the_account(person, bob):
    log_in("carol@example.com")
    log_in(bob.email)
    carol = person("carol")
    log_in(carol.email.upper())
    assert FailedLogin.objects.filter(person=carol).count() == 1
    belongings.forget_mentions(carol)
    assert [row[0] for row in entries()] == [bob.email]
