"""Django's mail backends, with unusual recipients quoted for mail servers (`email_addresses.quoted`)."""

from __future__ import annotations

import copy
import smtplib
from collections.abc import Sequence
from typing import Any

from django.core.mail import EmailMessage
from django.core.mail.backends import console, filebased, smtp

from teleder.accounts.email_addresses import quoted


class QuotedHeaders:
    def send_messages(self, email_messages: Sequence[EmailMessage]) -> Any:
        copies = [copy.copy(message) for message in email_messages]
        for message in copies:
            for name in ("to", "cc", "bcc", "reply_to"):
                setattr(message, name, [quoted(address) for address in getattr(message, name)])
        return super().send_messages(copies)


class QuotedRecipients:
    """Quotes recipients in the envelope again, where Django strips the quotes."""

    def rcpt(self, recip: str, options: Sequence[str] = ()) -> tuple[int, bytes]:
        return super().rcpt(quoted(recip), options)


class Smtp(QuotedRecipients, smtplib.SMTP):
    pass


class SmtpOverTls(QuotedRecipients, smtplib.SMTP_SSL):
    pass


class SmtpBackend(QuotedHeaders, smtp.EmailBackend):
    @property
    def connection_class(self) -> type[smtplib.SMTP]:
        return SmtpOverTls if self.use_ssl else Smtp


class FileBackend(QuotedHeaders, filebased.EmailBackend):
    pass


class ConsoleBackend(QuotedHeaders, console.EmailBackend):
    pass
