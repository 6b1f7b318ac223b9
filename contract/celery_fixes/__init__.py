"""Faults of Celery, kombu and billiard that are worked around here: one module each, with its upstream issue.

| module | fault | upstream | fixed |
|---|---|---|---|
| crashed_children | a child's crash is noticed after 10 s, a deploy waits 30 s for a child | fixed waits in billiard/pool.py, no issue | not as of billiard 4.3 |
| failed_acknowledgements | a worker whose acknowledgement failed takes no more messages | celery#8030, #10205, #10302 | not as of kombu 5.7 |
| restore_lock | restoring messages needs a Lua script, and with it a right to stop the server | kombu/transport/redis.py, `Mutex`, no issue | not as of kombu 5.7 |
| unreadable_messages | one message that cannot be parsed ends the worker, again and again | celery#4308, #7975, kombu#2421 | not as of Celery 5.7 |

Two more are avoided by settings in contract/messaging.py: `task_reject_on_worker_lost` repeats for ever a task that kills
its process (celery#9082), and a child that starts slowly is ended (`worker_proc_alive_timeout`).

Each module replaces names inside of these libraries. Another version may have fixed the fault or moved the name:
`REVIEWED` names the versions for which this was read, and a test fails with any other.
"""

from __future__ import annotations

from celery import Celery

from contract.celery_fixes import (
    crashed_children,
    failed_acknowledgements,
    restore_lock,
    unreadable_messages,
)

REVIEWED = {"celery": "5.7.0", "kombu": "5.7.0", "billiard": "4.3.2"}


def install(app: Celery) -> None:
    """Work around all of them in this process and in the workers of this app."""
    for fix in (crashed_children, failed_acknowledgements, restore_lock, unreadable_messages):
        fix.install(app)
