"""The webhook of those on call, signed as Standard Webhooks does. It says that something waits, never what.

The address comes from the operator. A redirect is refused: the signature is for this address only.
"""

from __future__ import annotations

import base64
import hmac
import json
import urllib.request
from typing import Any

from django.conf import settings
from django.utils import timezone

from teleder.notifications import texts
from teleder.notifications.models import Message

TIME_OUT_SECONDS = 10


class WebhookError(Exception):
    """The webhook did not accept the call."""


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        return None


def call(message: Message) -> None:
    """Post one message. Raises `WebhookError`, `OSError`; a repeat has the same `webhook-id`, by which it is detected."""
    body = json.dumps(
        {
            "type": texts.WEBHOOK_TYPES[message.event.kind],
            "timestamp": message.created_at.isoformat(),
            "data": {
                "person": str(message.person_id),
                "link": texts.staff_link(message.event, message.person),
            },
        }
    ).encode()
    sent_at = str(int(timezone.now().timestamp()))
    name = f"msg_{message.pk}"
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
    with urllib.request.build_opener(_NoRedirect).open(request, timeout=TIME_OUT_SECONDS) as answer:
        if not 200 <= answer.status < 300:
            raise WebhookError(str(answer.status))
