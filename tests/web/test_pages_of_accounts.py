"""What allauth brings for accounts, log-in and second factor is shown in our words and look: nothing of its own is left."""

from __future__ import annotations

from pathlib import Path

import allauth
import pytest
from allauth.account.adapter import DefaultAccountAdapter
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from django.conf import settings
from django.template.loader import get_template
from django.test import Client
from django.urls import reverse
from django.utils import translation

from teleder.accounts.models import User
from teleder.security.adapter import AccountAdapter
from teleder.security.mfa import MFAAdapter
from tests.access.conftest import passkey
from tests.conftest import PASSWORD

THEIRS = Path(allauth.__file__).parent / "templates"
OURS = settings.BASE_DIR / "teleder" / "web" / "templates"
# Templates of allauth that nobody meets, by why.
NOT_MET = {
    "is only extended by pages that ours replace": [
        *("account/base_confirm_code.html", "account/base_entrance.html", "account/base_manage.html"),
        *(
            "account/base_manage_email.html",
            "account/base_manage_password.html",
            "account/base_manage_phone.html",
        ),
        *("account/base_reauthenticate.html", "mfa/base_entrance.html", "mfa/base_manage.html"),
        *("mfa/recovery_codes/base.html", "mfa/totp/base.html", "mfa/webauthn/base.html"),
        *("account/snippets/already_logged_in.html", "account/snippets/warn_no_email.html"),
        *("mfa/webauthn/snippets/login_script.html", "mfa/webauthn/snippets/scripts.html"),
    ],
    "says nothing itself": [
        *("mfa/recovery_codes/download.txt", "account/email/email_confirmation_signup_message.txt"),
    ],
    "belongs to a feature that is off: log-in by a code, phones, usernames, links to confirm an address, trusted browsers": [
        *("account/confirm_login_code.html", "account/request_login_code.html"),
        *("account/messages/login_code_sent.txt", "account/email/login_code_message.txt"),
        *("account/email/login_code_subject.txt", "account/confirm_password_reset_code.html"),
        *("account/email/password_reset_code_message.txt", "account/email/password_reset_code_subject.txt"),
        *("account/confirm_phone_verification_code.html", "account/phone_change.html"),
        *("account/messages/phone_verification_sent.txt", "account/messages/phone_verified.txt"),
        *(
            "account/email_confirm.html",
            "account/verification_sent.html",
            "account/verified_email_required.html",
        ),
        *("account/email_change.html", "account/signup_by_passkey.html", "mfa/webauthn/signup_form.html"),
        *("mfa/trust.html", "account/signup_closed.html"),
        *("account/email/email_confirm_message.txt", "account/email/email_confirm_subject.txt"),
    ],
    "is for accounts without a password, which we have not": [
        *("account/password_set.html", "account/messages/password_set.txt"),
        *("account/email/password_set_message.txt", "account/email/password_set_subject.txt"),
    ],
    "is a notice by mail, which is off (ACCOUNT_EMAIL_NOTIFICATIONS)": [
        "account/email/base_notification.txt",
        *(
            f"{place}_{part}.txt"
            for part in ("message", "subject")
            for place in (
                *(
                    "account/email/email_changed",
                    "account/email/email_deleted",
                    "account/email/password_changed",
                ),
                *("account/email/password_reset", "mfa/email/recovery_codes_generated"),
                *("mfa/email/totp_activated", "mfa/email/totp_deactivated"),
                *("mfa/email/webauthn_added", "mfa/email/webauthn_removed"),
            )
        ),
    ],
}
LEFT_OUT = {name for names in NOT_MET.values() for name in names}
FILES = [
    file.relative_to(THEIRS).as_posix()
    for folder in ("account", "mfa")
    for file in sorted((THEIRS / folder).rglob("*.*"))
]
PHONES = {code for code in DefaultAccountAdapter.error_messages if "phone" in code or "username" in code}


@pytest.mark.parametrize("name", sorted(set(FILES) - LEFT_OUT))
def test_the_template_that_is_used_is_ours(name):
    origin = Path(get_template(name).origin.name)
    assert origin.is_relative_to(OURS), (
        f"{name} is allauth's: write our own, or say in NOT_MET why nobody meets it"
    )


def test_what_is_left_out_exists_and_is_not_ours():
    assert not getattr(settings, "ACCOUNT_EMAIL_NOTIFICATIONS", False)
    for name in LEFT_OUT:
        assert name in FILES, name
        assert not (OURS / name).exists(), name


@pytest.mark.parametrize(
    ("theirs", "ours", "left_out"),
    [
        (
            DefaultAccountAdapter,
            AccountAdapter,
            # Of features that are off, and of answers that would tell who has an account.
            PHONES | {"invalid_login", "invalid_or_expired_key", "unknown_email"},
        ),
        (DefaultMFAAdapter, MFAAdapter, set()),
    ],
)
def test_every_error_is_in_our_words(theirs, ours, left_out):
    same = {code for code, text in theirs.error_messages.items() if ours.error_messages[code] is text}
    assert same == left_out


# --- The pages as alice meets them ------------------------------------------------------------------------
@pytest.fixture(params=["en", "ja"])
def alices(request, alice) -> Client:
    client = Client(headers={"Accept-Language": request.param})
    client.force_login(alice)
    User.objects.filter(pk=alice.pk).update(language=request.param)
    client.language = request.param
    client.post(reverse("account_reauthenticate"), {"password": PASSWORD})
    return client


@pytest.fixture
def key(alice) -> Authenticator:
    return Authenticator.objects.create(user=alice, type="webauthn", data=passkey())


PAGES = [
    ("account_email", "E-mail address"),
    ("account_change_password", "Change the password"),
    ("account_logout", "Log out?"),
    ("mfa_index", "Passkeys and two-factor log-in"),
    ("mfa_list_webauthn", "Passkeys and security keys"),
    ("mfa_add_webauthn", "Set up a passkey"),
    ("mfa_activate_totp", "Set up the app"),
    ("mfa_generate_recovery_codes", "Make new codes for an emergency?"),
    ("account_reauthenticate", "Your password again"),
    ("mfa_reauthenticate_webauthn", "Your key again"),
    ("account_inactive", "This account cannot log in now"),
]


@pytest.mark.django_db
@pytest.mark.parametrize(("name", "heading"), PAGES)
def test_each_page_has_our_heading_in_the_frame_of_patients(alices, key, name, heading):
    answer = alices.get(reverse(name))
    page = answer.content.decode()
    with translation.override(alices.language):
        said = translation.gettext(heading)
    assert answer.status_code == 200 and f"<h1>{said}</h1>" in page
    assert "web/patient." in page and "app.css" not in page


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("name", "heading"),
    [("mfa_edit_webauthn", "Change the name"), ("mfa_remove_webauthn", "Remove this key?")],
)
def test_the_pages_of_one_key(alices, key, name, heading):
    page = alices.get(reverse(name, args=[key.pk])).content.decode()
    with translation.override(alices.language):
        assert f"<h1>{translation.gettext(heading)}</h1>" in page


@pytest.mark.django_db
def test_alice_changes_her_password_and_two_that_differ_are_told(client, alice):
    client.force_login(alice)
    client.defaults["HTTP_ACCEPT_LANGUAGE"] = "en"
    form = {"oldpassword": PASSWORD, "password1": "a better sentence 7", "password2": "a better sentence 8"}
    refused = client.post(reverse("account_change_password"), form).content.decode()
    assert "The two passwords are not the same." in refused and "You must type" not in refused
    wrong = client.post(reverse("account_change_password"), form | {"oldpassword": "x"}).content.decode()
    assert "This is not your password." in wrong
    done = client.post(
        reverse("account_change_password"), form | {"password2": form["password1"]}, follow=True
    )
    assert "Your new password is saved." in done.content.decode()
    alice.refresh_from_db()
    assert alice.check_password(form["password1"])


@pytest.mark.django_db
def test_alice_renames_and_removes_a_key_and_sees_new_codes_once(client, alice, key):
    client.force_login(alice)
    client.defaults["HTTP_ACCEPT_LANGUAGE"] = "en"
    client.post(reverse("account_reauthenticate"), {"password": PASSWORD})
    client.post(reverse("mfa_edit_webauthn", args=[key.pk]), {"name": "My phone"})
    assert "My phone" in client.get(reverse("mfa_list_webauthn")).content.decode()
    page = client.post(reverse("mfa_generate_recovery_codes"), follow=True).content.decode()
    codes = RecoveryCodes(Authenticator.objects.get(user=alice, type="recovery_codes")).get_unused_codes()
    assert all(code in page for code in codes) and len(codes) == 10
    again = client.get(reverse("mfa_view_recovery_codes")).content.decode()
    assert not any(code in again for code in codes) and "10 codes are left." in again
    gone = client.post(reverse("mfa_remove_webauthn", args=[key.pk]), follow=True).content.decode()
    assert "The key was removed." in gone and not Authenticator.objects.filter(pk=key.pk).exists()


@pytest.mark.django_db
def test_alice_adds_an_address_and_chooses_it(client, alice, mailoutbox):
    client.force_login(alice)
    client.defaults["HTTP_ACCEPT_LANGUAGE"] = "en"
    client.post(reverse("account_reauthenticate"), {"password": PASSWORD})
    page = client.post(
        reverse("account_email"), {"email": "new@example.com", "action_add": "1"}, follow=True
    ).content.decode()
    assert "Enter the code of our mail" in page
    code = next(line for line in mailoutbox[-1].body.splitlines() if line.isdecimal())
    page = client.post(
        reverse("account_email_verification_sent"), {"code": code}, follow=True
    ).content.decode()
    assert "The address is confirmed." in page
    assert "Use this one" in client.get(reverse("account_email")).content.decode()
    chosen = {"email": "new@example.com", "action_primary": "1"}
    page = client.post(reverse("account_email"), chosen, follow=True).content.decode()
    assert "You log in with this address from now on" in page
    alice.refresh_from_db()
    assert alice.email == "new@example.com"
