"""Makes a process act as the next version: a higher contract number and one more field in each message (drill R17)."""

from __future__ import annotations

import os
from typing import Any

from contract import messages

NEWER = "DRILLS_NEWER"
FIELD = "not_known_yet"


def become_newer_if_asked() -> None:
    """Write the new field into requests and outcomes, and read messages that have it."""
    if NEWER not in os.environ:
        return
    pack_requests, unpack_requests = messages.pack_requests, messages.unpack_requests
    pack_outcome, unpack_outcome = messages.pack_outcome, messages.unpack_outcome

    def new_requests(*args: Any) -> dict[str, Any]:
        message = pack_requests(*args)
        return message | {"requests": [row | {FIELD: True} for row in message["requests"]]}

    def new_outcome(*args: Any, **more: Any) -> dict[str, Any]:
        message = pack_outcome(*args, **more)
        return message | {"outcome": message["outcome"] | {FIELD: True}}

    def known(row: dict[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in row.items() if name != FIELD}

    messages.VERSION += 1
    messages.pack_requests, messages.pack_outcome = new_requests, new_outcome
    messages.unpack_requests = lambda *, requests, **rest: unpack_requests(
        requests=[known(row) for row in requests], **rest
    )
    messages.unpack_outcome = lambda *, outcome, **rest: unpack_outcome(outcome=known(outcome), **rest)
