"""Links in mail lead to the public address, whatever host the request that caused the mail named."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from django.conf import settings as configured
from django.test import Client
from django.urls import reverse

from teleder.notifications import outbox
from teleder.privacy import erasure
from teleder.privacy.models import Why
from tests.conftest import PASSWORD

pytestmark = pytest.mark.django_db
PUBLIC = "https://derma.example"
FORGED = "second.example"  # a name that the site answers to as well
NEW_PASSWORD = "another-horse-battery"
ADDRESS = re.compile(r"https?://[^\s\"'<>)]+")


@pytest.fixture(autouse=True)
def _two_hosts(settings):
    settings.PUBLIC_URL = PUBLIC
    settings.ALLOWED_HOSTS = ["derma.example", FORGED]


@pytest.fixture
def forging() -> Callable[..., Client]:
    def make(person=None, **headers) -> Client:
        client = Client(headers={"Host": FORGED, "X-Forwarded-Host": "evil.example", **headers})
        if person:
            client.force_login(person)
        return client

    return make


def read(mailoutbox) -> list[str]:
    """Return all links of the mails, none of which may name another host anywhere."""
    assert mailoutbox
    for mail in mailoutbox:
        text = f"{mail.subject}\n{mail.body}\n{mail.extra_headers}"
        assert FORGED not in text and "evil.example" not in text
    links = [link for mail in mailoutbox for link in ADDRESS.findall(mail.body)]
    assert [link for link in links if not link.startswith(f"{PUBLIC}/")] == []
    return links


def ask_for_a_new_password(client: Client, email: str) -> None:
    assert client.post(reverse("account_reset_password"), {"email": email}).status_code == 302


def test_a_new_password_is_chosen_at_the_public_address(forging, alice, mailoutbox):
    ask_for_a_new_password(forging(), alice.email)
    (link,) = read(mailoutbox)
    page = Client(headers={"Host": "derma.example"}).get(link.removeprefix(PUBLIC), follow=True)
    assert page.status_code == 200 and b"password1" in page.content


def test_the_mail_to_an_unknown_address_links_to_sign_up_at_the_public_address(forging, mailoutbox):
    ask_for_a_new_password(forging(), "nobody@example.com")
    assert read(mailoutbox) == [PUBLIC + reverse("account_signup")]


def sign_up(client: Client, email: str) -> None:
    form = {"name": "Carol", "email": email, "password1": NEW_PASSWORD, "password2": NEW_PASSWORD}
    client.post(reverse("account_signup"), form)


def test_the_mail_after_a_second_sign_up_links_to_the_public_address(forging, alice, mailoutbox):
    sign_up(forging(), alice.email)
    assert read(mailoutbox) == [PUBLIC + reverse("account_reset_password")]


def test_the_code_for_a_new_account_names_no_other_host(forging, mailoutbox):
    sign_up(forging(), "carol@example.com")
    assert read(mailoutbox) == []


def test_the_code_for_a_second_address_names_no_other_host(forging, alice, mailoutbox):
    client = forging()
    client.post(reverse("account_login"), {"login": alice.email, "password": PASSWORD})
    client.post(reverse("account_reauthenticate"), {"password": PASSWORD})
    client.post(reverse("account_email"), {"action_add": "", "email": "alice2@example.com"})
    assert read(mailoutbox) == []


def test_an_invitation_links_to_the_public_address(forging, adam, mailoutbox):
    form = {"email": "new@example.com", "role": "dermatologist"}
    assert forging(adam).post(reverse("web:invite"), form).status_code == 302
    assert all("/invitation/" in link for link in read(mailoutbox))


def test_mails_about_news_and_erasures_link_to_the_public_address(
    forging, dana, alices_submission, mailoutbox
):
    client = forging(dana)
    client.post(reverse("web:claim", args=[alices_submission.pk]))
    answer = {"impression": "AD", "disposition": "today", "text": "Please come today."}
    assert client.post(reverse("web:answer", args=[alices_submission.pk]), answer).status_code == 302
    outbox.queue_messages()
    outbox.deliver()
    assert len(read(mailoutbox)) == len(mailoutbox)
    mailoutbox.clear()
    erasure.ask(alices_submission.patient, why=Why.LETTER, by=dana)
    erasure.notify_people()
    assert read(mailoutbox) == [PUBLIC + reverse("web:data")]


# --- All mails --------------------------------------------------------------------------------------------
ALLAUTH = Path(__import__("allauth").__file__).parent / "templates"
OF_LIBRARY = sorted(
    f"{folder}/email/{file.name.removesuffix('_message.txt')}"
    for folder in ("account", "mfa")
    for file in (ALLAUTH / folder / "email").glob("*_message.txt")
    if not file.name.startswith("base_")
)


@pytest.mark.parametrize("template", OF_LIBRARY)
def test_no_template_of_the_library_names_the_host_of_the_request(template, alice, mailoutbox):
    """This covers every link of the library, because their names end in `_url`."""
    from allauth.account.adapter import get_adapter
    from allauth.core import context
    from django.test import RequestFactory

    request = RequestFactory(headers={"Host": FORGED}).get("/")
    links = {
        name: request.build_absolute_uri("/somewhere/?key=1")
        for name in ("password_reset_url", "signup_url", "activate_url", "login_url")
    }
    with context.request_context(request):
        get_adapter().send_mail(template, alice.email, {"user": alice, **links})
    assert set(read(mailoutbox)) <= {f"{PUBLIC}/somewhere/?key=1"}


# --- Where a log-in leads ---------------------------------------------------------------------------------
ELSEWHERE = [
    f"https://{FORGED}/",
    f"http://{FORGED}/settings/",
    f"//{FORGED}/",
    "https://evil.example/",
    "/\\evil.example",
    "///evil.example",
    "javascript:alert(1)",
]


@pytest.mark.parametrize("there", ELSEWHERE)
def test_no_log_in_redirects_to_another_host(forging, alice, there):
    form = {"login": alice.email, "password": PASSWORD, "next": there}
    answer = forging().post(reverse("account_login"), form)
    assert (answer.status_code, answer["Location"]) == (302, reverse("web:home"))
    answer = forging(alice).post(reverse("web:language"), {"language": "en", "next": there})
    assert (answer.status_code, answer["Location"]) == (302, "/")


def test_a_log_in_redirects_to_a_page_of_this_site(forging, alice):
    form = {"login": alice.email, "password": PASSWORD, "next": "/settings/?a=b"}
    assert forging().post(reverse("account_login"), form)["Location"] == "/settings/?a=b"


def test_a_request_to_an_unknown_host_is_refused(alice, mailoutbox):
    answer = Client(headers={"Host": "evil.example"}).post(
        reverse("account_reset_password"), {"email": alice.email}
    )
    assert answer.status_code == 400 and not mailoutbox
    assert not configured.USE_X_FORWARDED_HOST
