"""The pages of sign-up and log-in, and the names that people give there."""

from __future__ import annotations

import re
from datetime import time, timedelta

import pytest
import time_machine
from allauth.account.internal.flows.email_verification_by_code import EMAIL_VERIFICATION_CODE_SESSION_KEY
from django.conf import settings
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from teleder.accounts.models import AttemptCounter, User
from tests.conftest import PASSWORD

pytestmark = pytest.mark.django_db
FORM = {"name": "山田 はな", "reading": "ヤマダ ハナ", "email": "hana@example.com"}
FORM |= {"password1": PASSWORD, "password2": PASSWORD}
CODE_PAGE = "account_email_verification_sent"


@pytest.fixture
def client():
    return Client(headers={"Accept-Language": "en"})


def sign_up(client, **changed: str):
    return client.post(reverse("account_signup"), FORM | changed)


def page_of(client, name: str, language: str = "en") -> str:
    return client.get(reverse(name), headers={"Accept-Language": language}).content.decode()


# --- Names ----------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("name", "reading", "stored"),
    [
        ("山田 はな", "やまだ はな", ("山田 はな", "やまだ はな")),
        ("山田はな", "ﾔﾏﾀﾞﾊﾅ", ("山田はな", "ヤマダハナ")),
        ("Björn  O'Neil-Vega", "", ("Björn O'Neil-Vega", "")),
        ("はな", "", ("はな", "")),
        ("김하나", "キム・ハナ", ("김하나", "キム・ハナ")),
    ],
)
def test_a_name_and_its_reading_are_stored_unsplit(client, name, reading, stored):
    assert sign_up(client, name=name, reading=reading).status_code == 302
    hana = User.objects.get(email="hana@example.com")
    assert (hana.name, hana.reading) == stored


@pytest.mark.parametrize(
    ("name", "reading", "field"),
    [
        ("", "", "name"),
        ("hana@example.com", "", "name"),
        ("hana＠example.com", "", "name"),
        ("山田 はな", "", "reading"),
        ("山田 はな", "山田 花", "reading"),
    ],
)
def test_sign_up_refuses_what_is_no_name(client, name, reading, field):
    answer = sign_up(client, name=name, reading=reading)
    assert list(answer.context["form"].errors) == [field]
    assert not User.objects.exists()


def test_a_patient_without_a_name_is_asked_once(client, alice):
    User.objects.filter(pk=alice.pk).update(name="")
    client.force_login(alice)
    assert client.get(reverse("web:home")).url == reverse("web:name")
    assert client.get(reverse("web:name")).status_code == 200
    assert client.get(reverse("web:home")).status_code == 200
    answer = client.post(reverse("web:name"), {"name": "山田 はな", "reading": "やまだ はな"})
    alice.refresh_from_db()
    assert (answer.url, alice.name, alice.reading) == (reverse("web:home"), "山田 はな", "やまだ はな")


def test_settings_do_not_insist_on_the_reading_of_an_older_name(client, alice):
    User.objects.filter(pk=alice.pk).update(name="山田 花")
    client.force_login(alice)
    form = {"section": "me", "name": "山田 花", "reading": "", "birth_year": "1990"}
    assert client.post(reverse("web:settings"), form).status_code == 302
    assert client.post(reverse("web:settings"), form | {"name": "山田 華"}).status_code == 422


def test_without_a_name_the_clinic_reads_the_number_and_never_the_address(
    client, adam, dana, alice, alices_submission
):
    User.objects.filter(pk=alice.pk).update(name="")
    pages = {
        adam: [("web:cases_admin", []), ("web:case_admin", [alices_submission.pk])],
        dana: [("web:worklist", []), ("web:review", [alices_submission.pk])],
    }
    for reader, addresses in pages.items():
        client.force_login(reader)
        for name, args in addresses:
            page = client.get(reverse(name, args=args)).content.decode()
            assert alice.email not in page and alices_submission.case.number in page
    client.force_login(adam)
    page = client.get(reverse("web:person_data", args=[alice.pk])).content.decode()
    assert f"<h1>{alices_submission.case.number}</h1>" in page
    assert str(User.objects.get(pk=alice.pk)) == "(no name)"


def test_staff_find_a_patient_by_the_reading(alice):
    User.objects.filter(pk=alice.pk).update(name="山田 花", reading="ヤマダ ハナ")
    assert list(User.objects.matching("ヤマダハナ")) == [alice]


def test_the_api_reads_and_changes_name_and_reading(client, alice):
    client.force_login(alice)

    def change(**given):
        return client.patch(reverse("api:me"), given, "application/json")

    assert change(name="山田 花", reading="やまだ はな").json()["reading"] == "やまだ はな"
    assert change(name="alice@example.com").status_code == 400
    assert change(reading="山田").status_code == 400


# --- Words ----------------------------------------------------------------------------------------------
STOCK = [
    "Sign In",
    "Sign Up",
    "Signup",
    "Bad Token",
    "Password Reset",
    "ユーザー登録",
    "サインイン",
    "サインアップ",
]


@pytest.mark.parametrize("language", ["ja", "en"])
@pytest.mark.parametrize(
    "name",
    [
        *("account_login", "account_signup", "account_reset_password", "account_reset_password_done"),
        *("account_inactive", "account_reset_password_from_key_done"),
    ],
)
def test_the_pages_say_it_in_our_words(client, name, language):
    page = page_of(client, name, language)
    assert [each for each in STOCK if each in page] == []
    assert "patient.css" in page


@pytest.mark.parametrize(
    ("language", "words"), [("ja", ["ログイン", "アカウントを作る"]), ("en", ["Log in", "Create an account"])]
)
def test_log_in_leads_to_sign_up_and_to_a_new_password(client, language, words):
    page = page_of(client, "account_login", language)
    assert all(each in page for each in words)
    for name in ("account_signup", "account_reset_password", "mfa_login_webauthn"):
        assert reverse(name) in page


@pytest.mark.parametrize("name", ["account_signup", CODE_PAGE, "account_reset_password_done"])
def test_where_a_mail_is_awaited_the_filters_of_carriers_are_explained(client, settings, name):
    settings.DEFAULT_FROM_EMAIL = "teleder <no-reply@mail.clinic.example>"
    sign_up(client)
    client = client if name == CODE_PAGE else Client()
    page = page_of(client, name, "ja")
    assert "docomo、au、SoftBank" in page and "@mail.clinic.example" in page


def test_mails_are_in_our_words_and_name_nobody(client, alice, mailoutbox):
    sign_up(client)
    sign_up(Client(), email=alice.email)
    Client().post(reverse("account_reset_password"), {"email": alice.email})
    Client().post(reverse("account_reset_password"), {"email": "nobody@example.com"})
    assert len(mailoutbox) == 4
    for mail in mailoutbox:
        assert "Hello from" not in mail.body and "山田" not in mail.body and "Alice" not in mail.body
        assert "@" not in mail.body


# --- The code -------------------------------------------------------------------------------------------
def code_of(mail) -> str:
    return re.search(r"^\d{6}$", mail.body, re.M)[0]


def enter(client, code: str, **more):
    return client.post(reverse(CODE_PAGE), {"code": code}, follow=True, **more)


def test_the_page_says_until_when_the_code_works(client):
    with time_machine.travel("2026-11-30T12:00:00Z", tick=False):
        sign_up(client)
        assert "It works until 21:15." in page_of(client, CODE_PAGE)  # in Tokyo


def test_a_code_is_sent_again_and_the_one_before_no_longer_works(client, mailoutbox):
    sign_up(client)
    AttemptCounter.objects.all().delete()  # ten seconds later
    page = client.post(reverse(CODE_PAGE), {"action": "resend"}, follow=True).content.decode()
    assert "We sent a new code" in page
    first, second = map(code_of, mailoutbox)
    assert first != second
    assert "This is not the code." in enter(client, first).content.decode()
    enter(client, second)
    assert "_auth_user_id" in client.session


def test_too_soon_no_code_is_sent_and_the_page_says_so(client, mailoutbox):
    sign_up(client)
    answer = client.post(reverse(CODE_PAGE), {"action": "resend"}, follow=True)
    assert answer.status_code == 200 and "wait ten seconds" in answer.content.decode()
    assert len(mailoutbox) == 1
    enter(client, code_of(mailoutbox[0]))
    assert "_auth_user_id" in client.session


def test_a_code_is_sent_again_three_times_at_most(client, mailoutbox):
    sign_up(client)
    for _again in range(5):
        AttemptCounter.objects.all().delete()
        client.post(reverse(CODE_PAGE), {"action": "resend"})
    assert len(mailoutbox) == 4
    assert "We have sent it several times" in page_of(client, CODE_PAGE)


def test_an_old_code_leads_back_to_sign_up_with_what_to_do(client, mailoutbox):
    with time_machine.travel(timezone.now() - timedelta(minutes=16)):
        sign_up(client)
    answer = enter(client, code_of(mailoutbox[0]))
    assert answer.redirect_chain[0][0] == reverse("account_signup")
    assert "The code is too old" in answer.content.decode()
    assert "_auth_user_id" not in client.session


def test_after_three_wrong_codes_the_page_says_what_to_do(client):
    sign_up(client)
    for _wrong in range(3):
        answer = enter(client, "no code")
    assert "Please create the account again" in answer.content.decode()


def test_a_phone_shows_the_keyboard_of_digits_and_fills_the_code_in(client, mailoutbox):
    sign_up(client)
    page = page_of(client, CODE_PAGE)
    assert 'inputmode="numeric"' in page and 'autocomplete="one-time-code"' in page
    assert "The 6 digits of our mail." in page and len(code_of(mailoutbox[0])) == settings.CODE_DIGITS


def test_wrong_codes_for_one_address_count_across_sign_ups(mailoutbox):
    """Nine an hour, from anywhere: each sign-up has a session of its own, and three attempts."""
    statuses = []
    for number in range(4):
        AttemptCounter.objects.filter(times__len=1).delete()  # ten seconds later, another mail may go
        stranger = Client(REMOTE_ADDR=f"203.0.113.{number}", headers={"Accept-Language": "en"})
        sign_up(stranger)
        statuses += [
            stranger.post(reverse(CODE_PAGE), {"code": "no code"}).status_code for _wrong in range(3)
        ]
    assert statuses == [200, 200, 302] * 3 + [429] * 3
    page = stranger.post(reverse(CODE_PAGE), {"code": code_of(mailoutbox[-1])})
    assert page.status_code == 429 and "too many wrong codes" in page.content.decode()
    assert "_auth_user_id" not in stranger.session


def test_of_many_concurrent_guesses_in_one_session_nine_are_checked(client):
    """What the session counts is lost among concurrent requests: here each guess finds the count of the first."""
    sign_up(client)
    first = client.session[EMAIL_VERIFICATION_CODE_SESSION_KEY]
    statuses = []
    for _guess in range(12):
        session = client.session
        session[EMAIL_VERIFICATION_CODE_SESSION_KEY] = first
        session.save()
        statuses.append(client.post(reverse(CODE_PAGE), {"code": "no code"}).status_code)
    assert statuses == [200] * 9 + [429] * 3


def test_right_codes_use_up_no_attempt(mailoutbox, settings):
    settings.ACCOUNT_RATE_LIMITS = settings.ACCOUNT_RATE_LIMITS | {"wrong_code_address": "1/h/ip"}
    for name in ("hana", "taro"):
        person = Client()
        sign_up(person, email=f"{name}@example.com")
        enter(person, code_of(mailoutbox[-1]))
        assert "_auth_user_id" in person.session


def test_another_address_can_be_given(client):
    sign_up(client)
    form = {"next": reverse("account_signup")}
    assert client.post(reverse("account_logout"), form).url == reverse("account_signup")
    assert client.get(reverse("account_signup")).status_code == 200


def test_an_old_link_to_a_new_password_says_what_to_do(client):
    page = client.get(reverse("account_reset_password_from_key", args=["a", "b-c"]), follow=True)
    assert "This link no longer works" in page.content.decode()
    assert reverse("account_reset_password") in page.content.decode()


@pytest.mark.django_db
@pytest.mark.parametrize(("language", "words"), [("en", "(Japan time)"), ("ja", "（日本時間）")])
def test_the_first_page_says_in_which_zone_the_clinic_reads(client, settings, alice, language, words):
    client.cookies["teleder_language"], settings.STAFFED_HOURS = language, (time(9), time(18))
    page = client.get(reverse("web:home")).content.decode()
    assert f"09:00–18:00 {words}" in page or f"09:00〜18:00{words}" in page
