"""Addresses of old Japanese carriers are accepted everywhere, and mail to them is sent."""

from __future__ import annotations

import io
import json
import re
import socketserver
import threading
from collections.abc import Iterator
from contextlib import redirect_stdout

import pytest
from django.core import mail
from django.core.exceptions import ValidationError
from django.core.mail import EmailMessage
from django.core.validators import validate_email
from django.test import Client
from django.urls import reverse
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from knox.models import AuthToken

from teleder.accounts import people
from teleder.accounts.email_addresses import CARRIERS, EmailAddressValidator, quoted
from teleder.accounts.models import Invitation, Role, User
from teleder.notifications import outbox
from tests.conftest import PASSWORD

OLD = [
    "a..b@docomo.ne.jp",
    ".abc@ezweb.ne.jp",
    "abc.@docomo.ne.jp",
    "tsuki..mi.0511@docomo.ne.jp",
    "tsukimi.@ezweb.ne.jp",
    "-...x_-.@t.vodafone.ne.jp",
    "a...@softbank.ne.jp",
    "b+..c/@au.com",
    "0120.@xx.pdx.ne.jp",
]
RUBBISH = [
    "a..b@example.com",
    ".abc@gmail.com",
    "abc.@docomo.ne.jp.example.com",
    "abc.@notdocomo.ne.jp",
    "..@docomo.ne.jp",
    "@docomo.ne.jp",
    "a..b@docomo..ne.jp",
    "a..b@-.docomo.ne.jp",
    "a..b@.docomo.ne.jp",
    "a..b c@docomo.ne.jp",
    "a..b@c@docomo.ne.jp",
    "a..<b>@docomo.ne.jp",
    "a..b,c@docomo.ne.jp",
    "a..b\r\nBcc: x@docomo.ne.jp",
    "あ..い@docomo.ne.jp",
    f"{'a.' * 40}@docomo.ne.jp",
    "abc",
    "",
]


# --- The rule ---------------------------------------------------------------------------------------------
@pytest.mark.parametrize("address", [*OLD, "tanaka@docomo.ne.jp", "a.b+c@example.com", "x@xn--wgv71a.jp"])
def test_carrier_addresses_and_ordinary_ones_are_accepted(address):
    EmailAddressValidator()(address)
    validate_email(address)


@pytest.mark.parametrize("address", RUBBISH)
def test_invalid_addresses_are_refused(address):
    with pytest.raises(ValidationError):
        EmailAddressValidator()(address)
    with pytest.raises(ValidationError):
        validate_email(address)


ATOMS = "abcxyz0189_-+/!#$%&'*=?^`{|}~."


@hypothesis_settings(deadline=None)
@given(
    st.text(ATOMS, min_size=1, max_size=60).filter(lambda text: text.strip(".")), st.sampled_from(CARRIERS)
)
def test_any_dots_are_accepted_at_a_carrier_and_quoted_if_necessary(local_part, carrier):
    address = f"{local_part}@{carrier}"
    EmailAddressValidator()(address)
    assert RCPT.fullmatch(f"RCPT TO:<{quoted(address)}>")


# --- Accepted everywhere ----------------------------------------------------------------------------------
@pytest.mark.parametrize("address", OLD)
@pytest.mark.django_db
def test_a_carrier_address_can_sign_up_log_in_and_reset_its_password(client, mailoutbox, address):
    form = {"name": "Carol", "email": address, "password1": PASSWORD, "password2": PASSWORD}
    client.post(reverse("account_signup"), form)
    code = re.search(r"^\d{6}$", mailoutbox[0].body, re.M)[0]
    client.post(reverse("account_email_verification_sent"), {"code": code})
    assert User.objects.get().email == address
    for login in (address, address.upper()):
        browser = Client()
        browser.post(reverse("account_login"), {"login": login, "password": PASSWORD})
        assert "_auth_user_id" in browser.session
    asked = {"email": address, "password": PASSWORD}
    assert Client().post(reverse("api:tokens"), asked, "application/json").status_code == 201
    Client().post(reverse("account_reset_password"), {"email": address})
    assert mailoutbox[-1].to == [address] and "/password/reset/key/" in mailoutbox[-1].body


@pytest.mark.django_db
def test_a_carrier_address_can_be_invited_added_corrected_and_made_superuser(
    client, adam, alice, sue, mailoutbox
):
    from django.core.management import call_command

    client.force_login(adam)
    client.post(reverse("web:invite"), {"email": OLD[0], "role": "admin"})
    assert people.accept_invitation(Invitation.objects.get(), name="Erik", password=PASSWORD).email == OLD[0]
    client.force_login(alice)
    client.post(reverse("account_email"), {"email": OLD[1], "action_add": ""})
    assert mailoutbox[-1].to == [OLD[1]]
    client.force_login(sue)
    form = {"email": OLD[2], "name": alice.name, "language": "en"}
    inlines = {
        "patient-TOTAL_FORMS": 0,
        "patient-INITIAL_FORMS": 0,
        "consents-TOTAL_FORMS": 0,
        "consents-INITIAL_FORMS": 0,
    }
    client.post(reverse("admin:accounts_user_change", args=[alice.pk]), form | inlines)
    alice.refresh_from_db()
    assert alice.email == OLD[2]
    token = AuthToken.objects.create(alice)[1]
    assert (
        client.get(reverse("api:me"), headers={"Authorization": f"Token {token}"}).json()["email"] == OLD[2]
    )
    call_command("createsuperuser", email=OLD[3], interactive=False)
    assert User.objects.filter(email=OLD[3], is_superuser=True).exists()


@pytest.mark.django_db
@pytest.mark.parametrize("address", RUBBISH)
def test_invalid_addresses_are_refused_everywhere(client, adam, address):
    form = {"name": "Carol", "email": address, "password1": PASSWORD, "password2": PASSWORD}
    assert "email" in Client().post(reverse("account_signup"), form).context["form"].errors
    client.force_login(adam)
    assert client.post(reverse("web:invite"), {"email": address, "role": "admin"}).status_code == 422
    asked = {"email": address, "password": PASSWORD}
    assert Client().post(reverse("api:tokens"), json.dumps(asked), "application/json").status_code == 400
    assert not Invitation.objects.exists()


# --- Mail is sent -----------------------------------------------------------------------------------------
_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LOCAL_PART = rf'(?:{_ATOM}(?:\.{_ATOM})*|"(?:[ !#-\[\]-~]|\\[ -~])*")'
# Mailbox of RFC 5321, section 4.1.2
RCPT = re.compile(rf"RCPT TO:<({_LOCAL_PART}@[A-Za-z0-9.-]+)>(?: .*)?", re.IGNORECASE)


class StrictServer(socketserver.ThreadingTCPServer):
    """A mail server that accepts only recipients that match the grammar of RFC 5321."""

    allow_reuse_address = daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), StrictConversation)
        self.recipients: list[str] = []
        self.mails: list[str] = []


class StrictConversation(socketserver.StreamRequestHandler):
    server: StrictServer

    def handle(self) -> None:
        self.say("220 strict")
        while line := self.rfile.readline().decode().rstrip("\r\n"):
            verb = line[:4].upper()
            if verb == "RCPT" and not (found := RCPT.fullmatch(line)):
                self.say("553 no mailbox by RFC 5321")
            elif verb == "RCPT":
                self.server.recipients.append(found[1])
                self.say("250 ok")
            elif verb == "DATA":
                self.say("354 go on")
                self.server.mails.append(b"".join(iter(self.rfile.readline, b".\r\n")).decode())
                self.say("250 taken")
            elif verb == "QUIT":
                return self.say("221 bye")
            else:
                self.say("250 ok")
        return None

    def say(self, line: str) -> None:
        self.wfile.write(line.encode() + b"\r\n")


@pytest.fixture
def server(settings) -> Iterator[StrictServer]:
    with StrictServer() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        settings.EMAIL_BACKEND = "teleder.accounts.mail_backends.SmtpBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = server.server_address
        settings.EMAIL_USE_TLS = settings.EMAIL_USE_SSL = False
        yield server
        server.shutdown()


def on_the_wire(address: str) -> str:
    local_part, _at, domain = address.rpartition("@")
    return f'"{local_part}"@{domain}'


@pytest.mark.parametrize("address", OLD)
def test_mail_is_sent_with_a_quoted_local_part(server, address):
    EmailMessage("news", "text", to=[address, "bob@example.com"], bcc=[address]).send()
    assert server.recipients == [on_the_wire(address), "bob@example.com", on_the_wire(address)]
    assert f"To: {on_the_wire(address)}, bob@example.com" in server.mails[0].replace("\r\n ", " ")


def test_ordinary_addresses_and_names_are_unchanged():
    for address in ("a.b@example.com", '"a..b"@docomo.ne.jp', "Bob <bob@example.com>", "postmaster"):
        assert quoted(address) == address


@pytest.mark.django_db
def test_codes_invitations_news_and_new_passwords_reach_a_mail_server(
    server, adam, person, submission_of, settings
):
    form = {"name": "Carol", "email": OLD[0], "password1": PASSWORD, "password2": PASSWORD}
    Client().post(reverse("account_signup"), form)
    people.invite(email=OLD[1], role=Role.ADMIN, by=adam)
    hana = person("hana")
    submission_of(hana)
    User.objects.filter(pk=hana.pk).update(email=OLD[2])
    hana.emailaddress_set.update(email=OLD[2])
    outbox.queue_messages()
    outbox.deliver()
    Client().post(reverse("account_reset_password"), {"email": OLD[2]})
    assert server.recipients == [on_the_wire(each) for each in (OLD[0], OLD[1], OLD[2], OLD[2])]


def test_mail_to_a_file_or_the_console_is_quoted_as_well(settings, tmp_path):
    settings.EMAIL_FILE_PATH = tmp_path
    message = EmailMessage("news", "text", to=[OLD[0]])
    reported = io.StringIO()
    with redirect_stdout(reported):
        for kind in ("File", "Console"):
            connection = mail.get_connection(f"teleder.accounts.mail_backends.{kind}Backend")
            assert connection.send_messages([message]) == 1
    written = next(tmp_path.iterdir()).read_text()
    assert f"To: {on_the_wire(OLD[0])}" in written and f"To: {on_the_wire(OLD[0])}" in reported.getvalue()
    assert message.to == [OLD[0]]
