"""Every page that a patient, a guardian, a visitor or the reader of a link can meet, and what all of them show.

`PAGES` names each page by its URL's name; a URL that shows no page of its own stands in `NO_PAGE`.
tests/web/test_every_patient_page_browser.py opens them all, and fails where a URL has neither.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from django.urls import reverse

from tests.conftest import PASSWORD

Steps = Callable[[Any], None]  # what a person does on the page before it is looked at
LONG = "x" * 2500


@dataclass(frozen=True)
class PatientPage:
    """A page of one reader. `args` are names of `things`, or the arguments themselves; `after` does something there first."""

    reader: str
    args: tuple = ()
    query: str = ""
    status: int = 200
    after: Steps | None = None

    def path(self, name: str, things: dict[str, Any]) -> str:
        args = [things.get(arg, arg) if isinstance(arg, str) else arg for arg in self.args]
        return reverse(name, args=args) + self.query


def of(reader: str, *args: Any, **more: Any) -> PatientPage:
    return PatientPage(reader, args, **more)


def filled(fields: dict[str, str], button: str = "main form [type=submit], main form .btn-primary") -> Steps:
    """Fill a form and send it; the page that comes says what is wrong with it."""

    def act(page: Any) -> None:
        for field, words in fields.items():
            page.fill(f"main {field}", words)
        with page.expect_navigation():
            page.locator(button).first.click()

    return act


def sign_up(page: Any) -> None:
    words = {"[name=name]": "はな", "[name=email]": "carol@example.com"}
    filled(words | {"[name=password1]": PASSWORD, "[name=password2]": PASSWORD})(page)


LOG_IN = {"[name=login]": "toto@example.com", "[name=password]": PASSWORD}
OTHER_PASSWORD = {"[name=oldpassword]": "x", "[name=password1]": "y", "[name=password2]": "z"}
PARTS = ("duration", "symptoms", "itch", "sleep", "different", "treatment", "allergies")
PAGES: dict[str, list[PatientPage]] = {
    # Everybody
    "web:home": [of(who) for who in ("visitor", "alice", "bob", "emi", "momo", "eri")],
    "web:emergency": [of("visitor"), of("alice")],
    "web:offline": [of("visitor")],
    "web:clinic_text": [of("visitor", kind) for kind in ("cost", "contact", "terms", "privacy")],
    "web:clinic_text_version": [of("visitor", "terms", 1)],
    "web:shared": [of("visitor", "shared"), of("visitor", "shared ended", status=410)],
    "web:take_over": [of("visitor", "hand-over"), of("visitor", "x" * 43, status=410)],
    "web:invitation": [of("visitor", "invitation")],
    "web:join": [
        of("bob", "joining"),
        of("bob", "joining", after=filled({})),
        of("bob", "x" * 43, status=410),
    ],
    # Before the first consultation
    "web:name": [of("nameless"), of("nameless", after=filled({"[name=name]": "a@example.com"}))],
    "web:welcome": [
        of("nana"),
        of("nana", after=filled({"[name=birth_year]": "1"})),
        of("nana", after=filled({"[name=birth_year]": "2015"})),
    ],
    "web:guardian_needed": [of("yui")],
    # Asking
    "web:new": [of("bob"), of("alice"), of("alice", query="?for=me")],
    "web:follow_up": [of("alice", "corrected case")],
    "web:advice": [of("alice", "same day"), of("emi", "emergency")],
    "web:answers": [of("alice", "draft")],
    "web:question": [of("alice", "draft", 1), of("alice", "draft", 4), of("alice", "same day", 12)],
    "web:about": [of("alice", "draft"), of("alice", "follow-up"), of("alice", "placeless", after=filled({}))],
    "web:history": [
        *(of("alice", "draft", part) for part in PARTS),
        *(of("alice", "follow-up", part) for part in ("symptoms", "itch", "treatment", "allergies")),
        of("alice", "begun", "different", after=filled({"#different": LONG})),
        of("alice", "begun", "treatment", after=filled({"#treatment": LONG})),
    ],
    "web:photos": [of("alice", name) for name in ("draft", "begun", "follow-up", "wanted")],
    "web:missing_photo": [of("alice", "begun")],
    "web:send": [of("alice", "draft"), of("alice", "same day")],
    # Afterwards
    "web:submission": [
        *(of("alice", name) for name in ("waiting", "looked at", "wanted", "withdrawn", "late")),
        *(of("alice", name) for name in ("answered", "answered with alarm", "corrected")),
        of("momo", "moved up"),
    ],
    "web:ask_back": [
        of("alice", "answered"),
        of("alice", "corrected"),
        of("alice", "corrected", after=filled({})),
    ],
    "web:share": [of("alice", "answered"), of("alice", "corrected", after=filled({}))],
    "web:looks": [of("alice", "answered")],
    "web:inbox": [of("alice"), of("bob")],
    # Settings, children, data; "alice again" has just logged in, as some pages want
    "web:settings": [of("alice"), of("alice", after=filled({"[name=name]": "a@example.com"}))],
    "web:add_child": [of("alice"), of("alice", after=filled({}))],
    "web:child": [of("alice", "child"), of("alice", "grown child")],
    "web:child_data": [of("alice again", "child")],
    "web:data": [of("alice again"), of("eri")],
    # Accounts
    "account_login": [of("visitor"), of("visitor", after=filled({"[name=login]": "a@b.example"}))],
    "account_logout": [of("alice again")],
    "account_inactive": [of("visitor")],
    "account_signup": [of("visitor"), of("visitor", after=filled({}))],
    "account_email_verification_sent": [of("new visitor")],
    "account_reauthenticate": [of("alice again")],
    "account_email": [of("alice again")],
    "account_change_password": [of("alice again"), of("alice again", after=filled(OTHER_PASSWORD))],
    "account_reset_password": [of("visitor"), of("visitor", after=filled({}))],
    "account_reset_password_done": [of("visitor")],
    "account_reset_password_from_key": [of("visitor", "a", "b-c")],
    "account_reset_password_from_key_done": [of("visitor")],
    "mfa_index": [of("alice again"), of("toto"), of("bob")],
    "mfa_authenticate": [of("half logged in")],
    "mfa_reauthenticate": [of("toto")],
    "mfa_reauthenticate_webauthn": [of("alice again")],
    "mfa_list_webauthn": [of("alice again")],
    "mfa_edit_webauthn": [of("alice again", "key")],
    "mfa_remove_webauthn": [of("alice again", "key")],
    "mfa_add_webauthn": [of("alice again")],
    "mfa_activate_totp": [of("alice again")],
    "mfa_deactivate_totp": [of("toto")],
    "mfa_generate_recovery_codes": [of("toto")],
    "mfa_view_recovery_codes": [of("toto")],
}
# Who has done something on another page before the first of theirs.
ARRIVE: dict[str, tuple[str, Steps]] = {
    "new visitor": ("account_signup", sign_up),
    "half logged in": ("account_login", filled(LOG_IN)),
}
NO_PAGE: dict[str, str] = {
    **dict.fromkeys(("healthz", "readyz"), "for the operator's machines"),
    **dict.fromkeys(("web:service_worker", "mfa_login_webauthn"), "for scripts"),
    **dict.fromkeys(("web:photo", "web:shared_photo"), "a picture"),
    **dict.fromkeys(("web:answer_pdf", "web:next_photo", "mfa_download_recovery_codes"), "a file"),
    **dict.fromkeys(("web:in_progress", "web:tiles", "web:status"), "a part of a page that is walked"),
    "account_set_password": "leads to account_change_password: every account has a password",
    "account_confirm_login_code": "leads away: no code is sent to log in",
}


def visits(things: dict[str, Any]) -> Iterator[tuple[PatientPage, str, str]]:
    """Yield each page with the name of its URL and its address, those of one reader together."""
    pages = [(page, name, page.path(name, things)) for name, found in PAGES.items() for page in found]
    yield from sorted(pages, key=lambda one: one[0].reader)
