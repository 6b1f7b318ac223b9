"""Easily guessed passwords are refused wherever a password is set."""

from __future__ import annotations

import random
import re
import string

import pytest
from django.contrib.auth.password_validation import password_validators_help_texts
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse
from django.utils.translation import override

from teleder.accounts import people
from teleder.accounts.models import Clinic, Role, User
from teleder.accounts.password_validation import is_easily_guessed
from tests.conftest import PASSWORD

pytestmark = pytest.mark.django_db

GUESSED = [
    "teleder2026",
    "teleder-demo-2026",
    "Teledermatology1",
    "T3l3d3rmat0l0gy!",
    "ＴＥＬＥＤＥＲ２０２６",
    "derma-derma-12",
    "dermatologist!!",
    "hifuka20261128",
    "Hifuka-Clinic-1",
    "atopy-atopy-99",
    "at0py@clinic7",
    "redeletredelet1",
    "皮膚科アトピー２０２６年",
    "パスワードパスワード1",
    "password2026",
    "P@ssw0rd-2026",
    "p a s s w o r d 1 2",
    "sunshine-2026!!",
    "iloveyou202611",
    "admin-admin-01",
    "qwertyuiop12",
    "Qwertyuiop[]",
    "asdfghjkl12345",
    "1qaz2wsx3edc",
    "!QAZ2wsx3edc",
    "q1w2e3r4t5y6",
    "1234567890-^",
    "zxcvbnm,./12",
    "poiuytrewq99",
    "abcdefghij2026",
    "aaaaaaaaaaaa",
    "abcabcabcabc",
    "teleder-horse-1",
]
GOOD = [
    PASSWORD,
    "another-horse-battery",
    "a-thiefs-password",
    "a-long-password",
    "mountain river quietly 7",
    "xK9$vTq2!mLp",
    "8305917264",
    "92kd-8312-77#x1",
    "しずかな山と川がすき",
    "clinic of the blue elephants",
    "tangerine trombone",
]


@pytest.mark.parametrize("password", GUESSED)
def test_easily_guessed_passwords_are_refused(password):
    assert is_easily_guessed(password)


@pytest.mark.parametrize("password", GOOD)
def test_other_passwords_are_accepted(password):
    assert not is_easily_guessed(password)


def test_random_passwords_are_accepted():
    rng = random.Random(7)
    letters = string.ascii_letters + string.digits + string.punctuation
    drawn = ["".join(rng.choices(letters, k=12)) for _ in range(3000)]
    assert sum(map(is_easily_guessed, drawn)) <= 3


def test_the_name_of_the_clinic_is_refused(db):
    Clinic.objects.update(name="Blauwald Hautpraxis")
    Clinic.objects.create(name="山田皮ふ科")
    for password in (
        "Blauwald2026",
        "blauw4ld-1999",
        "Hautpraxis-2026",
        "blauwald hautpraxis",
        "山田皮ふ科2026年度",
    ):
        with pytest.raises(ValidationError, match="name of this service or of a clinic"):
            people.validate_password(password)


# --- Everywhere -------------------------------------------------------------------------------------------
WEAK = "Teledermatology-2026"


def refused(page: bytes) -> bool:
    return b"easy to guess" in page


def test_at_sign_up(client, db):
    form = {"name": "Carol", "email": "carol@example.com", "password1": WEAK, "password2": WEAK}
    assert refused(client.post(reverse("account_signup"), form, headers={"Accept-Language": "en"}).content)
    assert not User.objects.exists()


def test_at_password_change(client, alice):
    client.force_login(alice)
    form = {"oldpassword": PASSWORD, "password1": WEAK, "password2": WEAK}
    assert refused(client.post(reverse("account_change_password"), form).content)


def test_at_password_reset(client, alice, mailoutbox):
    client.post(reverse("account_reset_password"), {"email": alice.email})
    link = re.search(r"http://\S+(/accounts/password/reset/key/\S+)", mailoutbox[0].body)[1]
    form = client.get(link)["Location"]
    answer = client.post(form, {"password1": WEAK, "password2": WEAK}, headers={"Accept-Language": "en"})
    assert refused(answer.content)
    alice.refresh_from_db()
    assert alice.check_password(PASSWORD)


def test_at_invitation(adam, mailoutbox):
    invitation = people.invite(email="erik@example.com", role=Role.ADMIN, by=adam)
    link = re.search(r"/invitation/\S+", mailoutbox[0].body)[0]
    answer = Client().post(link, {"name": "Erik", "password": WEAK}, headers={"Accept-Language": "en"})
    assert answer.status_code == 422 and refused(answer.content)
    with pytest.raises(ValidationError):
        people.accept_invitation(invitation, name="Erik", password=WEAK)


def test_at_noninteractive_createsuperuser(monkeypatch, db):
    monkeypatch.setenv("DJANGO_SUPERUSER_PASSWORD", WEAK)
    with pytest.raises(CommandError, match="easy to guess"):
        call_command("createsuperuser", email="root@example.com", interactive=False)
    monkeypatch.setenv("DJANGO_SUPERUSER_PASSWORD", PASSWORD)
    call_command("createsuperuser", email="root@example.com", interactive=False)
    assert User.objects.get().is_superuser


def test_the_refusal_and_the_hint_are_in_japanese():
    with override("ja"):
        with pytest.raises(ValidationError, match="あてられ"):
            people.validate_password(WEAK)
        assert "キーボード" in password_validators_help_texts()[-1]
