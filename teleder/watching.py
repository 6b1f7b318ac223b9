"""What `manage.py watch` does: asks the web whether every process responds, and mails who is on call when one does not.

It needs neither database nor broker, so that it is there when they are not. At this level beside the probes that it asks.
"""

from __future__ import annotations

import logging
import time
import urllib.request
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from urllib.error import HTTPError

from django.conf import settings
from django.core.mail import send_mail
from django.utils import translation
from django.utils.translation import gettext_lazy as _

log = logging.getLogger(__name__)
ASK_SECONDS, ANSWER_SECONDS = 5, 5
SEEN_SECONDS, SEEN_TIMES = (
    30,
    2,
)  # one lost answer is no fault; half of them, as where one of two children hangs, is
OVER_SECONDS = 60  # not seen for so long
MAIL_AGAIN_SECONDS = 20  # after a mail that could not be sent
HEADER = "Teleder-Watch"
WEB = "web"
WORDS = {
    WEB: _("The web does not answer, or one of its processes hangs: pages load slowly or not at all."),
    "database": _("The database does not take a write: nothing can be sent or answered."),
    "connection": _("PostgreSQL accepts no new connections: soon no page works."),
    "storage": _("The storage of photos does not take a file: no photo can be sent."),
    "broker": _("The message broker does not answer: new photos can't be seen yet."),
    "sweeper": _("The sweeper does not respond: messages to patients are waiting."),
    "results": _("The results worker does not respond: new photos cannot be seen yet."),
    "prepare": _("The prepare worker does not respond: new photos cannot be seen."),
    "inference": _("The inference workers do not respond: AI results are delayed."),
    "beat": _("Beat does not respond: nightly checks do not start."),
}


def ask_web() -> set[str]:
    """Ask the web once; return the keys of WORDS that apply."""
    headers = {HEADER: "1", "Host": settings.WATCH_HOST}
    request = urllib.request.Request(f"{settings.WATCH_URL}/readyz", headers=headers)  # noqa: S310  (the operator's address)
    try:
        with urllib.request.urlopen(request, timeout=ANSWER_SECONDS) as answer:  # noqa: S310
            said = answer.read(4096).decode("ascii", "replace")
    except HTTPError as error:
        said = error.read(4096).decode("ascii", "replace") if error.code == 503 else WEB
    except OSError:
        said = WEB
    return {name for name in WORDS if name in said}


@dataclass
class Watch:
    """What was seen lately, and what was told of it."""

    seen: dict[str, deque[float]] = field(default_factory=dict)
    told: set[str] = field(default_factory=set)
    next_mail: float = 0.0

    def look(self, now: float, found: set[str]) -> None:
        for name in found:
            self.seen.setdefault(name, deque(maxlen=SEEN_TIMES)).append(now)
        standing = {
            name
            for name, at in self.seen.items()
            if (len(at) == SEEN_TIMES and at[0] > now - SEEN_SECONDS)
            or (name in self.told and at[-1] > now - OVER_SECONDS)
        }
        if standing != self.told and now >= self.next_mail:
            if mail(standing):
                self.told = standing
            else:
                self.next_mail = now + MAIL_AGAIN_SECONDS


def mail(standing: set[str]) -> bool:
    """Mail what is wrong now, in both languages, to who is on call; return whether that was done."""
    log.warning("does not respond: %s", ", ".join(sorted(standing)) or "nothing")
    parts = []
    for code, _name in settings.LANGUAGES:
        with translation.override(code):
            lines = [
                f"{words}\n{settings.PUBLIC_URL}/operations/runbook/#{name}"
                for name, words in WORDS.items()
                if name in standing
            ]
            what = _(
                "The operations page says more: %(url)s/operations/ Where no page loads, read docs/runbook.md."
            ) % {"url": settings.PUBLIC_URL}
            parts.append(
                "\n".join([*lines, "", str(what)] if lines else [str(_("Everything responds again."))])
            )
    with translation.override(settings.LANGUAGE_CODE):
        subject = str(
            _("teleder: something does not respond") if standing else _("teleder: all responds again")
        )
    if not settings.WATCH_MAIL:
        return True
    try:
        send_mail(subject, "\n\n".join(parts), None, settings.WATCH_MAIL)
    except OSError as error:
        log.error("nobody could be mailed (%s)", type(error).__name__)
        return False
    return True


def run(stopped) -> None:
    """Ask until told to stop (a threading.Event)."""
    watch = Watch()
    while not stopped.is_set():
        began = time.monotonic()
        watch.look(began, ask_web())
        if settings.WATCH_HEARTBEAT:
            Path(settings.WATCH_HEARTBEAT).touch()
        stopped.wait(max(0.5, began + ASK_SECONDS - time.monotonic()))
