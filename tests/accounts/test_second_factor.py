"""Dermatologists and admins need a second factor to log in, and again before they grant rights."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal import auth
from django.test import Client
from django.urls import reverse
from knox.models import AuthToken

from teleder.accounts import people
from teleder.accounts.models import Invitation, Role, User
from tests.conftest import PASSWORD

pytestmark = pytest.mark.django_db
SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
NEW_PASSWORD = "another-horse-battery"


@pytest.fixture(autouse=True)
def _one_moment(monkeypatch) -> None:
    """Keep the clock within the thirty seconds of one code."""
    monkeypatch.setattr(auth, "yield_hotp_counters_from_time", lambda: iter([59_000_000]))


def code_of(secret: str = SECRET) -> str:
    return auth.format_hotp_value(auth.hotp_value(secret, 59_000_000))


@pytest.fixture
def danas_app(dana) -> Authenticator:
    return auth.TOTP.activate(dana, SECRET).instance


def log_in(person: User, password: str = PASSWORD) -> Client:
    client = Client()
    client.post(reverse("account_login"), {"login": person.email, "password": password})
    return client


def show_code(client: Client, code: str) -> None:
    client.post(reverse("mfa_authenticate"), {"code": code})


def is_in(client: Client) -> bool:
    return client.get(reverse("web:worklist")).status_code == 200


# --- Setting up -------------------------------------------------------------------------------------------
def test_dana_without_a_factor_reaches_only_the_pages_that_set_one_up(dana):
    client = log_in(dana)
    for name in ("web:worklist", "web:settings", "account_change_password", "account_email"):
        assert client.get(reverse(name))["Location"] == reverse("mfa_index")
    assert client.get(reverse("api:worklist")).status_code == 403
    assert client.get(reverse("mfa_index")).status_code == 200


@pytest.mark.django_db(transaction=True)
def test_a_page_to_set_up_a_factor_asks_for_nothing_that_is_closed_until_then(dana):
    """The strip's request was led back to this page, which then loaded again and again."""
    client = log_in(dana)
    page = client.get(reverse("mfa_index")).content.decode()
    assert reverse("web:strip") not in page
    set_up(client)
    assert reverse("web:strip") in client.get(reverse("mfa_index")).content.decode()


def test_adam_without_a_factor_cannot_open_the_admin_site(adam):
    assert log_in(adam).get(reverse("admin:index"))["Location"] == reverse("mfa_index")


def set_up(client: Client) -> str:
    """Set up an app on the pages; return the code that confirmed it."""
    client.post(reverse("account_reauthenticate"), {"password": PASSWORD})
    page = client.get(reverse("mfa_activate_totp"))
    code = code_of(page.context["form"].secret)
    client.post(reverse("mfa_activate_totp"), {"code": code})
    return code


@pytest.mark.django_db(transaction=True)
def test_dana_sets_up_an_app_and_is_logged_in(dana):
    client = log_in(dana)
    set_up(client)
    assert is_in(client)
    assert {each.type for each in Authenticator.objects.filter(user=dana)} == {"totp", "recovery_codes"}


def test_the_code_that_set_up_the_app_cannot_be_used_to_log_in(dana):
    code = set_up(log_in(dana))
    again = log_in(dana)
    show_code(again, code)
    assert not is_in(again)


@pytest.mark.django_db(transaction=True)
def test_a_session_begun_with_only_the_password_ends_when_a_factor_is_set_up(dana):
    thief, client = log_in(dana), log_in(dana)
    _row, token = AuthToken.objects.create(dana)
    set_up(client)
    assert is_in(client)
    assert thief.get(reverse("web:worklist"))["Location"].startswith(reverse("account_login"))
    assert not AuthToken.objects.exists() and token


BEHIND_THE_FACTOR = [
    "mfa_index",
    "mfa_view_recovery_codes",
    "mfa_download_recovery_codes",
    "mfa_generate_recovery_codes",
    "mfa_activate_totp",
    "mfa_deactivate_totp",
    "mfa_list_webauthn",
    "mfa_add_webauthn",
]


def test_an_action_pending_from_before_the_factor_is_not_completed_by_the_password(dana):
    thief = log_in(dana)
    wanted = thief.post(reverse("mfa_generate_recovery_codes"))
    assert wanted["Location"].startswith(reverse("account_reauthenticate"))
    auth.TOTP.activate(dana, SECRET)
    thief.post(wanted["Location"], {"password": PASSWORD})
    assert not Authenticator.objects.filter(user=dana, type="recovery_codes").exists()


@pytest.mark.parametrize("endpoint", BEHIND_THE_FACTOR)
def test_the_password_alone_opens_no_factor_page_if_a_factor_exists(dana, endpoint):
    thief = log_in(dana)
    auth.TOTP.activate(dana, SECRET)  # at the same moment, so that no session is ended
    RecoveryCodes.activate(dana)
    for ask in (thief.get, thief.post):
        assert ask(reverse(endpoint))["Location"] == reverse("mfa_reauthenticate")
    assert not is_in(thief)


def test_a_session_without_factor_can_enter_it_and_is_logged_in(dana):
    client = log_in(dana)
    auth.TOTP.activate(dana, SECRET)
    assert client.get(reverse("mfa_reauthenticate")).status_code == 200
    client.post(reverse("mfa_reauthenticate"), {"code": "000000"})
    assert not is_in(client)
    client.post(reverse("mfa_reauthenticate"), {"code": code_of()})
    assert is_in(client)


@pytest.mark.django_db(transaction=True)
def test_alices_other_sessions_end_when_she_sets_up_a_factor(alice):
    thief, client = log_in(alice), log_in(alice)
    set_up(client)
    assert client.get(reverse("web:inbox")).status_code == 200
    assert thief.get(reverse("web:inbox")).status_code == 302


def test_dana_cannot_remove_her_last_factor(client, dana, danas_app):
    client.force_login(dana)
    client.post(reverse("mfa_deactivate_totp"))
    assert Authenticator.objects.filter(pk=danas_app.pk).exists()


@pytest.mark.django_db(transaction=True)
def test_dana_cannot_remove_her_last_key(client, dana):
    keys = [Authenticator.objects.create(user=dana, type="webauthn", data={"name": name}) for name in "ab"]
    client.force_login(dana)
    for key in keys:
        client.post(reverse("mfa_remove_webauthn", args=[key.pk]))
    assert Authenticator.objects.get(user=dana) == keys[1]


@pytest.mark.django_db(transaction=True)
def test_dana_cannot_remove_her_last_factor_by_an_earlier_pending_action(client, dana, danas_app):
    key = Authenticator.objects.create(user=dana, type="webauthn", data={"name": "a"})
    client.force_login(dana)
    make_old(client)
    wanted = client.post(reverse("mfa_remove_webauthn", args=[key.pk]))
    Authenticator.objects.filter(pk=danas_app.pk).delete()
    client.post(wanted["Location"], {"password": PASSWORD})
    assert Authenticator.objects.get(user=dana) == key


def test_the_secret_is_encrypted_in_the_database(danas_app):
    danas_app.refresh_from_db()
    assert SECRET not in str(danas_app.data)


def test_alice_needs_no_factor(alice):
    assert log_in(alice).get(reverse("web:inbox")).status_code == 200


# --- Logging in -------------------------------------------------------------------------------------------
def test_the_password_alone_opens_nothing(dana, danas_app):
    client = log_in(dana)
    assert client.get(reverse("web:worklist"))["Location"].startswith(reverse("account_login"))


def test_a_code_logs_in_once(dana, danas_app):
    first, second = log_in(dana), log_in(dana)
    show_code(first, code_of())
    show_code(second, code_of())
    assert (is_in(first), is_in(second)) == (True, False)


def changed_password(dana: User, adam: User) -> None:
    fresh = User.objects.get(pk=dana.pk)
    fresh.set_password(NEW_PASSWORD)
    fresh.save()


def in_again(dana: User, adam: User) -> None:
    people.deactivate(dana, by=adam)
    people.activate(dana, by=adam)


BETWEEN_THE_STEPS = {
    "new password": changed_password,
    "suspended": lambda dana, adam: people.deactivate(dana, by=adam),
    "suspended and let in": in_again,
    "another role": lambda dana, adam: people.change_role(dana, role=Role.ADMIN, by=adam),
    "sessions ended": lambda dana, adam: people.end_sessions(dana),
}


@pytest.mark.parametrize("what", BETWEEN_THE_STEPS)
def test_a_log_in_that_waits_for_its_code_ends_if_the_account_changes(dana, danas_app, adam, what):
    client = log_in(dana)
    BETWEEN_THE_STEPS[what](dana, adam)
    show_code(client, code_of())
    User.objects.filter(pk=dana.pk).update(is_active=True)
    assert "_auth_user_id" not in client.session
    assert not is_in(client)


def test_a_user_with_only_a_passkey_is_asked_for_it(dana):
    client = log_in(dana)
    Authenticator.objects.create(user=dana, type="webauthn", data={"name": "a", "credential": {}})
    assert client.get(reverse("web:worklist"))["Location"] == reverse("mfa_reauthenticate_webauthn")


def test_a_suspended_user_gets_no_token(client, alice, adam):
    people.deactivate(alice, by=adam)
    given = {"email": alice.email, "password": PASSWORD}
    assert client.post(reverse("api:tokens"), given, "application/json").status_code == 401


def test_a_recovery_code_logs_in_once(dana, danas_app):
    code = RecoveryCodes.activate(dana).generate_codes()[0]
    first, second = log_in(dana), log_in(dana)
    show_code(first, code)
    show_code(second, code)
    assert (is_in(first), is_in(second)) == (True, False)


def test_a_password_reset_does_not_bypass_the_factor(dana, danas_app, mailoutbox):
    client = Client()
    client.post(reverse("account_reset_password"), {"email": dana.email})
    link = re.search(r"http://\S+(/accounts/password/reset/key/\S+)", mailoutbox[0].body)[1]
    form = client.get(link)["Location"]
    client.post(form, {"password1": NEW_PASSWORD, "password2": NEW_PASSWORD})
    dana.refresh_from_db()
    assert dana.check_password(NEW_PASSWORD)
    assert not is_in(client)
    assert not is_in(log_in(dana, NEW_PASSWORD))


def test_the_admin_site_has_no_separate_log_in(client, adam):
    client.post(reverse("admin:login"), {"username": adam.email, "password": PASSWORD})
    assert client.get(reverse("admin:index")).status_code == 302
    assert "_auth_user_id" not in client.session


def test_a_token_needs_the_factor_as_well(client, dana):
    given = {"email": dana.email, "password": PASSWORD}
    assert client.post(reverse("api:tokens"), given, "application/json").status_code == 401
    auth.TOTP.activate(dana, SECRET)
    with_code = given | {"code": code_of()}
    answers = [client.post(reverse("api:tokens"), with_code, "application/json") for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 401]


# --- Required again before granting rights ----------------------------------------------------------------
STEPS = [
    ("web:invite", [], {"email": "erik@example.com", "role": "admin"}),
    ("web:change_person", ["deactivate"], {}),
    ("web:change_person", ["make-admin"], {}),
    ("admin:accounts_user_changelist", [], {"action": "deactivate"}),
]


def make_old(client: Client) -> None:
    """Move the log-in an hour into the past."""
    session = client.session
    for record in session["account_authentication_methods"]:
        record["at"] -= 3600
    session.save()


def test_adam_authenticates_again_before_he_changes_the_data_of_signatures(client, adam, dana):
    client.force_login(adam)
    make_old(client)
    path = (
        reverse("admin:accounts_user_change", args=[dana.pk])
        + "?_changelist_filters=role__exact%3Ddermatologist"
    )
    inline = {"TOTAL_FORMS": 1, "INITIAL_FORMS": 1, "0-user": str(dana.pk), "0-licence_number": "777"}
    form = {"name": "Eve", "language": "en"} | {
        f"dermatologist-{name}": value for name, value in inline.items()
    }
    asked = client.post(path, form)
    assert asked["Location"].startswith(reverse("account_reauthenticate"))
    dana.refresh_from_db()
    assert dana.name == "Dana"
    client.post(asked["Location"], {"password": PASSWORD})
    dana = User.objects.get(pk=dana.pk)
    assert (dana.name, dana.dermatologist.licence_number) == ("Eve", "777")


@pytest.mark.parametrize(("name", "verb", "form"), STEPS, ids=lambda value: str(value)[:20])
def test_adam_authenticates_again_before_he_changes_rights(client, adam, dana, name, verb, form):
    client.force_login(adam)
    make_old(client)
    path = reverse(name, args=[dana.pk, *verb] if verb else []) + "?q=dana" * name.startswith("admin:")
    asked = client.post(path, {"_selected_action": str(dana.pk), **form})
    assert asked["Location"].startswith(reverse("account_reauthenticate"))
    dana.refresh_from_db()
    assert (dana.is_active, dana.role) == (True, Role.DERMATOLOGIST)
    client.post(asked["Location"], {"password": PASSWORD})
    dana.refresh_from_db()
    assert (dana.is_active, dana.role) != (True, Role.DERMATOLOGIST) or Invitation.objects.exists()


def test_adam_helps_dana_who_lost_her_phone(client, adam, dana, danas_app):
    old = Client()
    old.force_login(dana)
    client.force_login(adam)
    client.post(reverse("web:change_person", args=[dana.pk, "forget-factors"]))
    assert not Authenticator.objects.filter(user=dana).exists()
    assert not is_in(old)
    assert log_in(dana).get(reverse("web:worklist"))["Location"] == reverse("mfa_index")


def test_adam_cannot_remove_his_own_factor(adam):
    with pytest.raises(people.ValidationError):
        people.reset_second_factors(adam, by=adam)


# --- The demo ---------------------------------------------------------------------------------------------
def test_in_the_demo_dana_logs_in_by_password(settings, dana):
    settings.STAFF_SECOND_FACTOR = False
    assert is_in(log_in(dana))


def test_an_installation_with_real_cookies_does_not_start_without_the_factor():
    environment = os.environ | {"TELEDER_STAFF_SECOND_FACTOR": "0", "TELEDER_INSECURE_COOKIES": "0"}
    done = subprocess.run(
        [sys.executable, "manage.py", "check", "--deploy"], env=environment, capture_output=True, text=True
    )
    assert done.returncode and "TELEDER_STAFF_SECOND_FACTOR" in done.stderr


@pytest.mark.parametrize(
    "setting", [{"TELEDER_BEHIND_PROXY": "1"}, {"TELEDER_ORIGINS": "https://derma.example"}]
)
def test_an_installation_with_https_does_not_start_with_insecure_cookies(setting):
    environment = os.environ | {"TELEDER_INSECURE_COOKIES": "1"} | setting
    done = subprocess.run(
        [sys.executable, "manage.py", "check"], env=environment, capture_output=True, text=True
    )
    assert done.returncode and "remove it" in done.stderr
