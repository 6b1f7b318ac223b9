"""A mail server that keeps its mail and can be set to misbehave.

`behaviour`: "" accepts mail; "fail" refuses it; "mute" accepts it without a reply; "drop" closes the connection.
"""

from __future__ import annotations

import email
import re
import socketserver
import threading
import time
from collections import Counter
from contextlib import suppress
from email import policy

ON_CALL = "on-call@example.com"  # mailed by the watch, or of it: no message of a case
ALERT = b"Message-ID: <teleder.alert."  # a board's problem that was mailed to admins
MUTE_SECONDS = 12  # longer than the sender waits
MESSAGE_ID = re.compile(rb"^Message-ID:\s*<([^>]+)>", re.MULTILINE | re.IGNORECASE)


class Mailbox(socketserver.ThreadingTCPServer):
    """Listens on loopback; `taken` counts mails by their Message-ID."""

    allow_reuse_address = daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Conversation)
        self.taken: Counter[str] = Counter()
        self.texts: dict[str, str] = {}
        self.calls: list[tuple[float, str]] = []  # when ON_CALL was mailed (time.monotonic), and what
        self.behaviour = ""
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"smtp://127.0.0.1:{self.server_address[1]}"

    def keep(self, mail: bytes) -> None:
        if ALERT in mail:  # of no case, and to admins, whose boards other drills look at
            return
        if f"To: {ON_CALL}".encode() in mail:
            text = email.message_from_bytes(mail, policy=policy.default).get_content()
            self.calls.append((time.monotonic(), text))
            return
        found = MESSAGE_ID.search(mail)
        name = found.group(1).decode() if found else "none"
        self.taken[name] += 1
        self.texts[name] = mail.decode(errors="replace")

    def mails_to(self, address: str) -> dict[str, str]:
        """Return the mails to an address by their Message-ID."""
        return {name: text for name, text in self.texts.items() if f"To: {address}" in text}

    def forget(self, address: str) -> None:
        """Remove the mails to this address, because their rows were erased."""
        for name in self.mails_to(address):
            del self.texts[name], self.taken[name]

    def __exit__(self, *_error: object) -> None:
        self.shutdown()
        super().__exit__()


class _Conversation(socketserver.StreamRequestHandler):
    """The part of SMTP that Django uses (RFC 5321)."""

    server: Mailbox

    def handle(self) -> None:
        with suppress(OSError):
            self._say(b"220 drill")
            while line := self.rfile.readline():
                verb = line[:4].upper()
                if verb == b"QUIT":
                    return self._say(b"221 bye")
                if verb == b"DATA":
                    self._say(b"354 go on")
                    if not self._take(b"".join(iter(self.rfile.readline, b".\r\n"))):
                        return None
                else:
                    self._say(b"250 ok")
        return None

    def _take(self, mail: bytes) -> bool:
        behaviour = self.server.behaviour
        if behaviour == "drop":
            return False
        if behaviour == "fail":
            self._say(b"451 try later")
            return True
        self.server.keep(mail)
        if behaviour == "mute":
            time.sleep(MUTE_SECONDS)
            return False
        self._say(b"250 taken")
        return True

    def _say(self, line: bytes) -> None:
        self.wfile.write(line + b"\r\n")
