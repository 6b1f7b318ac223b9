"""A worker whose acknowledgement fails reconnects.

kombu logs such an error and goes on (it raises only a broken pipe). The message then counts as held for ever, so that a
worker that takes one at a time takes no other: it lives, answers a ping and does nothing.
Raised, the error ends the connection. What was held is given out again and done once more; the web refuses the second
result.
celery#8030, #10205, #10302; not fixed as of kombu 5.7.
"""

from __future__ import annotations

from logging import Logger
from typing import Any

from kombu.message import Message


def install(_app: Any) -> None:
    Message.ack_log_error, Message.reject_log_error = _acknowledge, _reject


def _acknowledge(message: Message, logger: Logger, errors: Any, multiple: bool = False) -> None:
    message.ack(multiple=multiple)


def _reject(message: Message, logger: Logger, errors: Any, requeue: bool = False) -> None:
    message.reject(requeue=requeue)
