"""Codes, numbers, addresses and searches are accepted in the widths that a Japanese keyboard writes."""

from __future__ import annotations

import re

import pytest
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal import auth
from django.core.exceptions import ValidationError
from django.test import Client
from django.urls import reverse
from hypothesis import given, settings
from hypothesis import strategies as st
from knox.models import AuthToken

from teleder.accounts import people
from teleder.accounts.models import DermatologistProfile, Invitation, PatientProfile, Role, User
from teleder.accounts.normalisation import (
    normalise_code,
    normalise_email,
    normalise_number,
    normalise_width,
    western_year,
)
from teleder.cases import questionnaire
from tests.conftest import PASSWORD

pytestmark = pytest.mark.django_db
SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
WIDE = {code: code + 0xFEE0 for code in range(0x21, 0x7F)} | {0x20: 0x3000}
DASHES = "-‐‑‒–—―−－ー﹣─"
SPACES = " \u3000\u00a0\u2003\t"


def wide(text: str) -> str:
    return text.translate(WIDE)


# --- The forms of text ------------------------------------------------------------------------------------
@settings(deadline=None)
@given(st.text("BCDFGHJKLMNPQRSTVWXZ0123456789", min_size=1), st.data())
def test_a_code_is_the_same_with_any_dashes_spaces_and_width(code, data):
    between = st.text(DASHES + SPACES + "\u200b\u200e\ufeff", max_size=3)
    letters = [data.draw(st.sampled_from([letter, wide(letter)])) + data.draw(between) for letter in code]
    assert normalise_code("".join(letters)) == code


@pytest.mark.parametrize(
    "typed",
    [
        "ａｌｉｃｅ＠ｅｘａｍｐｌｅ．ｃｏｍ",
        "Ａlice＠example.com",
        "\u3000alice@example.com\u3000",
        "alice@example。com",
        "alice@example｡com",
        "\u200balice@example.com\ufeff",
        "ALICE@EXAMPLE.COM",
    ],
)
def test_an_address_is_the_same_in_any_width(typed):
    assert normalise_email(typed) == "alice@example.com"


def test_a_long_vowel_mark_is_a_dash_between_latin_letters_and_a_letter_between_kana():
    assert normalise_width("ＡＢＣＤーＥＦＧＨ") == "ABCD-EFGH"
    assert normalise_width("ｱﾄﾋﾟｰ") == "アトピー"
    assert normalise_number("　第１２３−４５ー６号 ") == "第123-45-6号"


# --- Codes ------------------------------------------------------------------------------------------------
FORMS_OF_A_CODE = [
    wide,
    lambda code: f"{code[:3]}-{code[3:]}",
    lambda code: f"{wide(code[:3])}ー{code[3:]}",
    lambda code: f" {code[:3]}‐{code[3:]}\u3000",
    lambda code: f"{code[:3]}−{wide(code[3:])}",
    lambda code: " ".join(code),
]


@pytest.mark.parametrize("form", FORMS_OF_A_CODE)
def test_the_code_of_a_sign_up_mail_is_accepted_and_costs_no_attempt(client, mailoutbox, form):
    given = {"name": "Carol", "email": "carol@example.com", "password1": PASSWORD, "password2": PASSWORD}
    client.post(reverse("account_signup"), given)
    code = re.search(r"^\d{6}$", mailoutbox[0].body, re.M)[0]
    for _ in range(2):  # the last of three attempts
        client.post(reverse("account_email_verification_sent"), {"code": "no code"})
    client.post(reverse("account_email_verification_sent"), {"code": form(code)})
    assert "_auth_user_id" in client.session


@pytest.fixture
def app_code(monkeypatch) -> str:
    monkeypatch.setattr(auth, "yield_hotp_counters_from_time", lambda: iter([59_000_000]))
    return auth.format_hotp_value(auth.hotp_value(SECRET, 59_000_000))


def log_in(person: User) -> Client:
    client = Client()
    client.post(reverse("account_login"), {"login": wide(person.email), "password": PASSWORD})
    return client


FORMS_OF_DIGITS = [
    wide,
    lambda code: f"{code[:3]}\u3000{code[3:]}",
    lambda code: f"{wide(code[:3])}ー{wide(code[3:])} ",
]


@pytest.mark.parametrize("form", FORMS_OF_DIGITS)
def test_the_code_of_an_app_is_accepted_by_page_and_api(dana, app_code, form):
    auth.TOTP.activate(dana, SECRET)
    client = log_in(dana)
    client.post(reverse("mfa_authenticate"), {"code": form(app_code)})
    assert client.get(reverse("web:worklist")).status_code == 200


@pytest.mark.parametrize("form", FORMS_OF_DIGITS)
def test_the_api_accepts_address_and_code_in_any_width(dana, app_code, form):
    auth.TOTP.activate(dana, SECRET)
    asked = {"email": wide(dana.email), "password": PASSWORD, "code": form(app_code)}
    assert Client().post(reverse("api:tokens"), asked, "application/json").status_code == 201


def test_an_empty_code_is_refused_by_the_api(dana):
    for code in ("　", "ー", "－−", "", "！"):
        asked = {"email": dana.email, "password": PASSWORD, "code": code}
        assert Client().post(reverse("api:tokens"), asked, "application/json").status_code == 400


@pytest.mark.parametrize("form", FORMS_OF_DIGITS)
def test_a_recovery_code_is_accepted_in_any_width(dana, form):
    auth.TOTP.activate(dana, SECRET)
    code = RecoveryCodes.activate(dana).get_unused_codes()[0]
    client = log_in(dana)
    client.post(reverse("mfa_authenticate"), {"code": form(code)})
    assert client.get(reverse("web:worklist")).status_code == 200


def test_an_app_is_set_up_and_shown_again_with_wide_codes(client, alice, app_code, monkeypatch):
    from allauth.mfa.totp import forms

    monkeypatch.setattr(forms.auth, "get_totp_secret", lambda **_: SECRET)
    client.force_login(alice)
    client.post(reverse("mfa_activate_totp"), {"code": wide(app_code)})
    assert alice.authenticator_set.filter(type="totp").exists()
    monkeypatch.setattr(auth, "yield_hotp_counters_from_time", lambda: iter([59_000_001]))
    later = auth.format_hotp_value(auth.hotp_value(SECRET, 59_000_001))
    answer = client.post(reverse("mfa_reauthenticate"), {"code": wide(later)})
    assert answer.status_code == 302


def test_a_password_is_used_as_it_was_typed(alice):
    alice.set_password("ｗｉｄｅ－horse－battery")
    alice.save()
    for password, is_in in (("wide-horse-battery", False), ("ｗｉｄｅ－horse－battery", True)):
        client = Client()
        client.post(reverse("account_login"), {"login": alice.email, "password": password})
        assert ("_auth_user_id" in client.session) is is_in


# --- Addresses --------------------------------------------------------------------------------------------
def test_a_new_password_is_sent_to_a_wide_address(alice, mailoutbox):
    Client().post(reverse("account_reset_password"), {"email": wide(alice.email)})
    assert mailoutbox[0].to == [alice.email]
    assert "/password/reset/key/" in mailoutbox[0].body


def test_sign_up_invitation_and_second_addresses_are_stored_in_half_width(client, adam, alice, mailoutbox):
    names = {"name": "Carol", "email": wide("Carol@example.com")}
    form = names | {"password1": PASSWORD, "password2": PASSWORD}
    Client().post(reverse("account_signup"), form)
    client.force_login(adam)
    client.post(reverse("web:invite"), {"email": wide("erik@example.com"), "role": "admin"})
    client.force_login(alice)
    client.post(reverse("account_email"), {"email": wide("second@example.com"), "action_add": ""})
    assert User.objects.filter(email="carol@example.com").exists()
    assert Invitation.objects.get().email == "erik@example.com"
    assert [mail.to[0].split("@")[0] for mail in mailoutbox] == ["carol", "erik", "second"]


def test_a_superuser_corrects_an_address_in_any_width(client, alice, sue):
    client.force_login(sue)
    form = {"email": wide("New@example.com"), "name": alice.name, "language": "en"}
    inlines = {
        "patient-TOTAL_FORMS": 0,
        "patient-INITIAL_FORMS": 0,
        "consents-TOTAL_FORMS": 0,
        "consents-INITIAL_FORMS": 0,
    }
    client.post(reverse("admin:accounts_user_change", args=[alice.pk]), form | inlines)
    alice.refresh_from_db()
    assert alice.email == "new@example.com"
    assert alice.emailaddress_set.get().email == "new@example.com"


# --- Numbers ----------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("typed", "scale"), [("７", 7), ("１０", 10), ("7 ", 7), ("　０", 0), ("", None), (10, 10)]
)
def test_a_scale_is_accepted_in_any_width(typed, scale):
    assert questionnaire.clean_history({"itch": typed}).get("itch") == scale


@pytest.mark.parametrize("typed", ["１１", "-1", "−1", "七", "7.0", "７７", True, [], {}])
def test_anything_but_a_number_from_0_to_10_is_refused(typed):
    with pytest.raises(ValidationError):
        questionnaire.clean_history({"itch": typed})


def test_a_licence_number_is_stored_in_half_width(adam, mailoutbox):
    people.invite(email="dora@example.com", role=Role.DERMATOLOGIST, by=adam)
    link = re.search(r"/invitation/\S+", mailoutbox[0].body)[0]
    form = {"name": "Dora", "password": PASSWORD, "licence_number": "　第５４３２−１ー０号 "}
    assert Client().post(link, form).status_code == 302
    assert DermatologistProfile.objects.get().licence_number == "第5432-1-0号"


YEARS = ["１９９０", "1990年", "　1990 ", "西暦１９９０年", "1990年生まれ", "1990"]


@pytest.mark.parametrize("typed", YEARS)
def test_a_western_year_is_accepted_in_any_width_by_page_and_api(client, alice, typed):
    PatientProfile.objects.update(birth_year=1970)
    bearing = {"HTTP_AUTHORIZATION": f"Token {AuthToken.objects.create(alice)[1]}"}
    answer = client.patch(reverse("api:me"), {"birth_year": typed}, "application/json", **bearing)
    assert answer.json()["birth_year"] == 1990
    PatientProfile.objects.update(birth_year=1970)
    client.force_login(alice)
    client.post(reverse("web:settings"), {"section": "me", "name": "Alice", "birth_year": typed})
    assert PatientProfile.objects.get().birth_year == 1990


ERAS = {
    "昭和55": ("昭和55年", 1980),
    "昭和５５年": ("昭和55年", 1980),
    "昭和五十五年": ("昭和55年", 1980),
    "昭和五五年": ("昭和55年", 1980),
    "S55": ("昭和55年", 1980),
    "ｓ．５５": ("昭和55年", 1980),
    "S55.3.1": ("昭和55年", 1980),
    "㍼55": ("昭和55年", 1980),
    "昭55": ("昭和55年", 1980),
    "昭和 二十年": ("昭和20年", 1945),
    "昭和十年生まれ": ("昭和10年", 1935),
    "Showa 55": ("昭和55年", 1980),
    "平成2年": ("平成2年", 1990),
    "㍻2": ("平成2年", 1990),
    "H2": ("平成2年", 1990),
    "Ｈ２年": ("平成2年", 1990),
    "h02": ("平成2年", 1990),
    "平成元年": ("平成元年", 1989),
    "H元": ("平成元年", 1989),
    "令和元年": ("令和元年", 2019),
    "㋿1": ("令和元年", 2019),
    "R7": ("令和7年", 2025),
    "大正15": ("大正15年", 1926),
    "Ｔ１５": ("大正15年", 1926),
    "㍾45年": ("明治45年", 1912),
    "平成２年５月３日": ("平成2年", 1990),
}


@pytest.mark.parametrize("typed", ERAS)
def test_the_error_for_a_year_of_an_era_gives_the_western_year(typed):
    name, year = ERAS[typed]
    with pytest.raises(ValidationError) as reported:
        western_year(typed)
    assert reported.value.messages == [f"Please use the western year: {name} is {year}."]


@pytest.mark.parametrize(
    "typed", ["昭和", "S", "55", "Sunday", "H200", "昭和百年", "平成", "元年", "abc", "S5a"]
)
def test_the_error_for_other_text_does_not_mention_eras(typed):
    assert western_year(typed) == normalise_number(typed)


def test_the_page_and_the_api_give_the_western_year(client, alice):
    bearing = {
        "HTTP_AUTHORIZATION": f"Token {AuthToken.objects.create(alice)[1]}",
        "HTTP_ACCEPT_LANGUAGE": "ja",
    }
    answer = client.patch(reverse("api:me"), {"birth_year": "Ｈ２"}, "application/json", **bearing)
    assert answer.status_code == 400
    assert "平成2年は1990年" in answer.json()["errors"][0]["message"]
    client.force_login(alice)
    page = client.post(reverse("web:settings"), {"section": "me", "name": "Alice", "birth_year": "㍻2"})
    assert "平成2年 is 1990" in page.content.decode()
    assert PatientProfile.objects.get().birth_year == 1990


# --- Searches ---------------------------------------------------------------------------------------------
NAMES = [
    ("山田　花子", "山田 花子"),
    ("山田　花子", "山田花子"),
    ("山田花子", "山田　花子"),
    ("ﾔﾏﾀﾞ　ﾊﾅｺ", "ヤマダ"),
    ("ヤマダ　ハナコ", "ﾔﾏﾀﾞﾊﾅｺ"),
    ("Ｙａｍａｄａ　Ｈａｎａｋｏ", "yamada hanako"),
    ("Yamada Hanako", "ＨＡＮＡＫＯ　ｙａｍａ"),
    ("Anne‑Marie Smith", "anne-marie"),
    ("Anne-Marie Smith", "Ａｎｎｅ－Ｍａｒｉｅ"),
    ("ジョン・スミス", "ジョンスミス"),
    ("ジョンスミス", "ジョン･スミス"),
    ("ハ\u3099トー", "バトー"),
    ("50%_off", "50％＿"),
    # One kind of kana, and the usual form of a kanji.
    ("やまだ　はなこ", "ヤマダ"),
    ("ヤマダ ハナコ", "やまだはなこ"),
    ("やまだ　はなこ", "ﾔﾏﾀﾞﾊﾅｺ"),
    ("ｳﾞｨｸﾄﾘｱ", "ゔぃくとりあ"),
    ("サトー", "さとー"),
    ("髙橋 一郎", "高橋"),
    ("高橋一郎", "髙橋"),
    ("渡邉 花", "渡辺"),
    ("渡邊花", "渡邉"),
    ("斉藤", "齋藤"),
    ("﨑山", "崎山"),
    ("𠮷田", "吉田"),
    ("葛\U000e0100城", "葛城"),
]


@pytest.mark.parametrize(("stored", "find"), NAMES)
def test_people_are_found_by_name_in_any_width(client, adam, person, stored, find):
    hanako = person("hanako")
    User.objects.filter(pk=hanako.pk).update(name=stored)
    client.force_login(adam)
    page = client.get(reverse("web:people"), {"find": find}).content.decode()
    assert hanako.email in page and adam.email not in page.split("list-title")[-1]
    page = client.get(reverse("admin:accounts_user_changelist"), {"q": find}).content.decode()
    assert f"{hanako.pk}/change" in page and f"{adam.pk}/change" not in page


@pytest.mark.parametrize("find", ["やまだ", "ヤマダ", "ﾔﾏﾀﾞ", "ヤマダ　はなこ", "山田", "山田 ﾊﾅｺ"])
def test_people_are_found_by_kanji_and_by_their_reading_in_any_kana(person, adam, find):
    hanako, taro = person("hanako"), person("taro")
    User.objects.filter(pk=hanako.pk).update(name="山田花子", reading="ヤマダ ハナコ")
    User.objects.filter(pk=taro.pk).update(name="田中太郎", reading="たなか たろう")
    assert list(User.objects.matching(find)) == [hanako]


def test_people_are_found_by_address_and_others_are_not(adam, alice, bob):
    assert list(User.objects.matching("ａｌｉｃｅ＠")) == [alice]
    assert list(User.objects.matching("%")) == []
    assert set(User.objects.matching("　")) == {adam, alice, bob}


@pytest.mark.parametrize(
    "form",
    [wide, str.lower, lambda n: n.replace("-", "ー"), lambda n: wide(n).replace("－", "　"), lambda n: n[:4]],
)
def test_a_case_is_found_by_its_number_in_any_width(client, adam, alices_submission, form):
    client.force_login(adam)
    number = alices_submission.case.number
    page = client.get(reverse("web:cases_admin"), {"find": form(number)}).content.decode()
    assert number in page
    assert number in client.get(reverse("web:cases_admin"), {"find": wide("alice@")}).content.decode()


def test_the_admin_site_finds_a_case_number_in_any_width(client, adam, alices_submission):
    client.force_login(adam)
    number = alices_submission.case.number
    for typed in (wide(number), number.replace("-", "ー"), wide("alice@example.com")):
        assert number in client.get(reverse("admin:cases_case_changelist"), {"q": typed}).content.decode()
