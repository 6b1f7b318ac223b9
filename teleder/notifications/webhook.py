"""The webhook of those on call, signed as Standard Webhooks does: it says that something waits, never what. And the sign
of life for a service outside.

Both addresses come from the operator's environment. A redirect is refused: the signature is for this address only.
"""

from __future__ import annotations

import base64
import hmac
import json
import logging
import urllib.request
from datetime import datetime
from http.client import HTTPException
from time import monotonic
from typing import Any

from django.conf import settings
from django.utils import timezone

from teleder.notifications import texts
from teleder.notifications.models import Message

log = logging.getLogger(__name__)
TIME_OUT_SECONDS = 10
PING_SECONDS, PING_TIME_OUT_SECONDS = 60, 5


class WebhookError(Exception):
    """The webhook did not accept the call."""


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        return None


def call(message: Message) -> None:
    """Post one message. Raises `WebhookError`, `OSError`; a repeat has the same `webhook-id`, by which it is detected."""
    post(
        f"msg_{message.pk}",
        texts.WEBHOOK_TYPES[message.event.kind],
        message.created_at,
        {"person": str(message.person_id), "link": texts.staff_link(message.event, message.person)},
    )


def post(name: str, kind: str, at: datetime, data: dict[str, Any]) -> None:
    """Post what happened `at` a time, signed; `name` is its `webhook-id`. Raises as `call`."""
    body = json.dumps({"type": kind, "timestamp": at.isoformat(), "data": data}).encode()
    sent_at = str(int(timezone.now().timestamp()))
    key = base64.b64decode(settings.ON_CALL_WEBHOOK_SECRET.removeprefix("whsec_"))
    signature = hmac.digest(key, b".".join((name.encode(), sent_at.encode(), body)), "sha256")
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "teleder",
        "webhook-id": name,
        "webhook-timestamp": sent_at,
        "webhook-signature": f"v1,{base64.b64encode(signature).decode()}",
    }
    request = urllib.request.Request(settings.ON_CALL_WEBHOOK, body, headers, method="POST")  # noqa: S310  (https, by `settings.environment.webhook`)
    _open(request, TIME_OUT_SECONDS)


def ping() -> bool:
    """Tell the service outside that the sweeper's rounds succeed, each minute; it calls people when that stops."""
    global _pinged_at
    if not settings.DEAD_MAN_URL or monotonic() < _pinged_at + PING_SECONDS:
        return False
    _pinged_at = monotonic()
    request = urllib.request.Request(settings.DEAD_MAN_URL, headers={"User-Agent": "teleder"})  # noqa: S310  (https, by `settings.environment.outgoing`)
    try:
        _open(request, PING_TIME_OUT_SECONDS)
    except (OSError, WebhookError) as error:  # its address may be a secret
        log.warning("the service that waits for our sign of life was not reached (%s)", type(error).__name__)
        return False
    return True


_pinged_at = float("-inf")


def _open(request: urllib.request.Request, seconds: float) -> None:
    try:
        with urllib.request.build_opener(_NoRedirect).open(request, timeout=seconds) as answer:
            if not 200 <= answer.status < 300:
                raise WebhookError(str(answer.status))
    except HTTPException as error:
        raise WebhookError(type(error).__name__) from error
