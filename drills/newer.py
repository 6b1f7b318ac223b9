"""Makes a process one of the next version: a higher contract number, and a field more in what it says (drill R17)."""

from __future__ import annotations

import os
from typing import Any

from contract import messages

NEWER = "DRILLS_NEWER"
FIELD = "not_known_yet"


def become_newer_if_told() -> None:
    if NEWER not in os.environ:
        return
    pack_requests, pack_outcome, build = messages.pack_requests, messages.pack_outcome, messages._build

    def requests(*args: Any) -> dict[str, Any]:
        message = pack_requests(*args)
        return message | {"requests": [row | {FIELD: True} for row in message["requests"]]}

    def outcome(*args: Any, **more: Any) -> dict[str, Any]:
        message = pack_outcome(*args, **more)
        return message | {"outcome": message["outcome"] | {FIELD: True}}

    messages.VERSION += 1
    messages.pack_requests, messages.pack_outcome = requests, outcome
    messages._build = lambda cls, row: build(
        cls, {name: value for name, value in row.items() if name != FIELD}
    )
