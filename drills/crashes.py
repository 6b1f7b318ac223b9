"""Crashes at named steps. A file arms a step; the first process that reaches it removes the file and crashes.

The steps are wrapped around the product's functions from outside, in the drills' processes only: the
product itself has no code for crashing.
"""

from __future__ import annotations

import functools
import importlib
import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

# Step -> the function, and whether the crash comes before or after it.
OF_THE_WEB = {
    "upload.before_file": ("teleder.cases.originals:store", "before"),
    "upload.after_file": ("teleder.cases.originals:store", "after"),
    "upload.before_commit": ("teleder.pipeline.queue:enqueue", "after"),
    "upload.after_commit": ("teleder.cases.intake:record_photo", "after"),
    "open.before_commit": ("teleder.cases.triage:urgency_of", "after"),
    "open.after_commit": ("teleder.cases.intake:start", "after"),
    "describe.before_commit": ("teleder.cases.case_places:choose_places", "after"),
    "describe.after_commit": ("teleder.cases.intake:describe", "after"),
    "trail.before_commit": ("teleder.audit.entries:write_entry", "before"),
    "trail.after_commit": ("teleder.audit.entries:write_entry", "after"),
    "submit.before_commit": ("teleder.cases.intake:wait_for_ai", "after"),
    "submit.after_commit": ("teleder.cases.intake:submit", "after"),
    "dispatch.before_commit": ("teleder.pipeline.dispatch:mark_sent", "after"),
    "dispatch.before_send": ("teleder.pipeline.dispatch:send_batch", "before"),
    "dispatch.after_send": ("teleder.pipeline.dispatch:send_batch", "after"),
    "started.before_commit": ("teleder.pipeline.results:started", "before"),
    "started.after_commit": ("teleder.pipeline.results:started", "after"),
    "ended.before_commit": ("teleder.pipeline.results:ended", "before"),
    "ended.after_commit": ("teleder.pipeline.results:ended", "after"),
    "record.before_commit": ("teleder.pipeline.queue:advance", "after"),
    "record.after_commit": ("teleder.pipeline.results:record_all", "after"),
    "expire.before_commit": ("teleder.pipeline.recovery:end_attempt", "after"),
    "expire.after_commit": ("teleder.pipeline.recovery:expire_job", "after"),
    "claim.before_commit": ("teleder.cases.reviews:claim", "before"),
    "claim.after_commit": ("teleder.cases.reviews:claim", "after"),
    "sign.before_commit": ("teleder.cases.held:hold", "after"),
    "sign.after_commit": ("teleder.cases.reviews:sign", "after"),
    "send.before_commit": ("teleder.cases.signatures:write_review", "after"),
    "send.after_commit": ("teleder.cases.held:send", "after"),
    "tell.before_commit": ("teleder.notifications.outbox:channels_of", "after"),
    "tell.after_commit": ("teleder.notifications.outbox:queue_messages_of", "after"),
    "deliver.before_send": ("teleder.notifications.outbox:send_message", "before"),
    "deliver.after_send": ("teleder.notifications.outbox:send_message", "after"),
    "deliver.after_commit": ("teleder.notifications.outbox:deliver_message", "after"),
}
OF_THE_WORKER = {
    "worker.before_started": ("inference_worker.tasks:accept_requests", "before"),
    "worker.after_started": ("inference_worker.tasks:accept_requests", "after"),
    "worker.before_file": ("contract.storage:FileStorage.write", "before"),
    "worker.before_rename": ("os:replace", "before"),
    "worker.after_file": ("contract.storage:FileStorage.write", "after"),
    "worker.before_result": ("inference_worker.tasks:report_results", "before"),
    "worker.after_result": ("inference_worker.tasks:report_results", "after"),
    "worker.before_ended": ("inference_worker.tasks:report_ended", "before"),
    "worker.after_ended": ("inference_worker.tasks:report_ended", "after"),
}
STEPS = {**OF_THE_WEB, **OF_THE_WORKER}
HOLD = "worker.hold_results"


def install(steps: dict[str, tuple[str, str]]) -> None:
    """Wrap the function of each step, in this process."""
    folder = Path(os.environ["DRILLS_ARMED"])
    for step, (place, side) in steps.items():
        module, _, path = place.partition(":")
        *owners, name = path.split(".")
        owner = functools.reduce(getattr, owners, importlib.import_module(module))
        setattr(owner, name, _crashing(getattr(owner, name), folder / step, side))


def _crashing(function: Callable, armed: Path, side: str) -> Callable:
    @functools.wraps(function)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        if side == "before":
            _crash_if_armed(armed)
        result = function(*args, **kwargs)
        if side == "after":
            _crash_if_armed(armed)
        return result

    return wrapped


def hold_results() -> None:
    """While `HOLD` is armed, write the results of each task to a file instead of sending them, once for each job."""
    from contract import messages
    from inference_worker import tasks

    send, folder = tasks.send_to_web, Path(os.environ["DRILLS_ARMED"])

    def send_or_hold(name: str, kwargs: dict[str, Any], **options: Any) -> None:
        if name == messages.ENDED and (folder / HOLD).exists():
            return  # a stalled worker sends nothing
        jobs = [row["job"] for row in kwargs.get("results", ())]
        files = [folder / f"held-{job}" for job in jobs]
        if name == messages.RESULTS and (folder / HOLD).exists() and not any(map(Path.exists, files)):
            for file, row in zip(files, kwargs["results"], strict=True):
                file.write_text(json.dumps(kwargs | {"results": [row]}))
        else:
            send(name, kwargs, **options)

    tasks.send_to_web = send_or_hold


def _crash_if_armed(file: Path) -> None:
    try:
        file.unlink()
    except FileNotFoundError:
        return
    os.kill(os.getpid(), signal.SIGKILL)
