"""When sessions and tokens end, and when a session key changes."""

from __future__ import annotations

from datetime import timedelta

import pytest
from allauth.account.models import EmailAddress
from django.conf import settings as configured
from django.test import Client
from django.urls import reverse
from knox.models import AuthToken
from time_machine import travel

from teleder.accounts import people
from tests.conftest import PASSWORD

pytestmark = pytest.mark.django_db
NEW_PASSWORD = "another-horse-battery"
START = "2026-11-23T09:00:00+09:00"
POLL = {"HX-Request": "true"}


def session_of(client: Client) -> str:
    return client.cookies[configured.SESSION_COOKIE_NAME].value


def with_session(key: str) -> Client:
    client = Client()
    client.cookies[configured.SESSION_COOKIE_NAME] = key
    return client


def is_in(client: Client, name: str = "web:settings", **headers) -> bool:
    return client.get(reverse(name), headers=headers).status_code == 200


def log_in(person, client: Client | None = None) -> Client:
    client = client or Client()
    client.post(reverse("account_login"), {"login": person.email, "password": PASSWORD})
    return client


# --- Session keys -----------------------------------------------------------------------------------------
def test_a_session_key_from_before_the_log_in_is_invalid(alice):
    client = Client()
    client.post(reverse("account_reset_password"), {"email": "x@example.com"})
    client.get(reverse("account_reset_password_done"))
    planted = client.session
    planted["anything"] = 1
    planted.save()
    client.cookies[configured.SESSION_COOKIE_NAME] = planted.session_key
    log_in(alice, client)
    assert is_in(client)
    assert session_of(client) != planted.session_key
    assert not is_in(with_session(planted.session_key))


def test_a_session_gets_a_new_key_when_alice_authenticates_again(alice):
    client = log_in(alice)
    before = session_of(client)
    client.post(reverse("account_reauthenticate"), {"password": PASSWORD})
    assert session_of(client) != before
    assert is_in(client) and not is_in(with_session(before))


@pytest.mark.parametrize("change", ["role", "clinic", "suspension"])
def test_a_change_of_rights_ends_sessions_and_tokens(client, adam, dana, north, change):
    client.force_login(dana)
    bearing = Client(headers={"Authorization": f"Token {AuthToken.objects.create(dana)[1]}"})
    assert is_in(client) and is_in(bearing, "api:me")
    verb, more = {
        "role": (people.change_role, {"role": "admin"}),
        "clinic": (people.move_to_clinic, {"to": north}),
        "suspension": (people.deactivate, {}),
    }[change]
    verb(dana, by=adam, **more)
    assert not is_in(client) and not is_in(bearing, "api:me")


# --- Ends -------------------------------------------------------------------------------------------------
def test_a_log_out_ends_the_session_on_the_server(alice):
    client = log_in(alice)
    kept = session_of(client)
    client.post(reverse("account_logout"))
    assert not is_in(with_session(kept))


def test_the_admin_sites_log_out_ends_the_session_on_the_server(client, adam):
    client.force_login(adam)
    kept = session_of(client)
    client.post(reverse("admin:logout"))
    assert not is_in(with_session(kept), "admin:index")


def change_password(client: Client) -> None:
    form = {"oldpassword": PASSWORD, "password1": NEW_PASSWORD, "password2": NEW_PASSWORD}
    assert client.post(reverse("account_change_password"), form).status_code == 302


def test_a_new_password_ends_other_sessions_and_all_tokens(alice):
    here, elsewhere = log_in(alice), log_in(alice)
    bearing = Client(headers={"Authorization": f"Token {AuthToken.objects.create(alice)[1]}"})
    change_password(here)
    assert is_in(here)
    assert not is_in(elsewhere) and not is_in(bearing, "api:me")


def test_tokens_of_staff_end_within_half_a_day(settings, alice, dana):
    settings.STAFF_SECOND_FACTOR = False
    lives = {}
    for person in (alice, dana):
        given = {"email": person.email, "password": PASSWORD}
        Client().post(reverse("api:tokens"), given, "application/json")
        token = AuthToken.objects.get(user=person)
        lives[person.name] = round((token.expiry - token.created) / timedelta(hours=1))
    assert lives == {"Alice": 720, "Dana": 12}


# --- Idle sessions ----------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("who", "page"), [("dana", "web:worklist"), ("adam", "web:operations"), ("adam", "admin:index")]
)
def test_idle_staff_are_logged_out_after_15_minutes(client, request, who, page):
    person = request.getfixturevalue(who)
    with travel(START, tick=False) as clock:
        client.force_login(person)
        assert is_in(client, page)
        kept = session_of(client)
        clock.shift(timedelta(minutes=14))
        assert is_in(client, page)
        clock.shift(timedelta(minutes=15, seconds=1))
        assert not is_in(client, page)
        assert not is_in(with_session(kept), page)


def test_polling_does_not_keep_dana_logged_in(client, dana):
    with travel(START, tick=False) as clock:
        client.force_login(dana)
        assert is_in(client, "web:worklist")
        for _ in range(15):
            clock.shift(timedelta(minutes=1, seconds=1))
            last = client.get(reverse("web:worklist"), headers=POLL)
        assert (last.status_code, last["HX-Redirect"]) == (204, reverse("account_login"))
        assert not is_in(client, "web:worklist")


def test_dana_stays_logged_in_while_typing(client, dana):
    with travel(START, tick=False) as clock:
        client.force_login(dana)
        assert is_in(client, "web:worklist")
        for _ in range(20):
            clock.shift(timedelta(minutes=1))
            assert is_in(client, "web:worklist", **POLL, **{"X-Active": "1"})


def test_a_patient_is_not_logged_out_when_idle(client, alice):
    with travel(START, tick=False) as clock:
        client.force_login(alice)
        assert is_in(client)
        clock.shift(timedelta(hours=2))
        assert is_in(client)


# --- Authentication before an address changes -------------------------------------------------------------
def an_hour_later(client: Client) -> None:
    session = client.session
    for record in session["account_authentication_methods"]:
        record["at"] -= 3600
    session.save()


def test_alice_authenticates_again_before_her_address_changes(alice):
    client = log_in(alice)
    an_hour_later(client)
    form = {"email": "thief@example.com", "action_add": ""}
    asked = client.post(reverse("account_email"), form)
    assert asked["Location"].startswith(reverse("account_reauthenticate"))
    assert not EmailAddress.objects.filter(email="thief@example.com").exists()


def test_an_address_that_sue_corrects_replaces_all_others_and_requires_authentication(
    client, sue, alice, mailoutbox
):
    hers = log_in(alice)
    client.force_login(sue)
    an_hour_later(client)
    change = reverse("admin:accounts_user_change", args=[alice.pk])
    form = {"email": "Alice@new.example", "name": "Alice", "language": "en"}
    form |= {f"patient-{key}": 0 for key in ("TOTAL_FORMS", "INITIAL_FORMS")}
    form |= {f"consents-{key}": 0 for key in ("TOTAL_FORMS", "INITIAL_FORMS")}
    asked = client.post(change, form)
    assert asked["Location"].startswith(reverse("account_reauthenticate"))
    assert EmailAddress.objects.get(user=alice).email == "alice@example.com"
    client.post(asked["Location"], {"password": PASSWORD})
    assert EmailAddress.objects.get(user=alice).email == "alice@new.example"
    assert not is_in(hers)
    Client().post(reverse("account_reset_password"), {"email": "alice@example.com"})
    assert "password/reset/key" not in mailoutbox[0].body
