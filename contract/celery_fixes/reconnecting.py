"""A worker whose acknowledgement fails connects anew.

kombu logs such an error and goes on (only a broken pipe it raises). The message then counts as held for ever, so that a
worker that takes one at a time takes no other: it lives, answers a ping and does nothing (celery#8030, #10205, #10302).
Raised, the error ends the connection, what was held is given back, and is done once more: the record refuses the second.
"""

from __future__ import annotations

from logging import Logger
from typing import Any

from kombu.message import Message


def when_acknowledging_fails() -> None:
    Message.ack_log_error, Message.reject_log_error = _acknowledge, _reject


def _acknowledge(message: Message, logger: Logger, errors: Any, multiple: bool = False) -> None:
    message.ack(multiple=multiple)


def _reject(message: Message, logger: Logger, errors: Any, requeue: bool = False) -> None:
    message.reject(requeue=requeue)
