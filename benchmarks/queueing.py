"""The queue: batches under load, a lone photo, an urgent one behind 10,000, and the way through the broker.

The product's processes, with the real networks, on drawn photos: a system of its own (`drills.system`). Rows that only wait
are copied in the database, and their files are hard links.
"""

from __future__ import annotations

import argparse
import copy
import itertools
import logging
import os
import re
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from benchmarks.frame import Goal, Section, Table, in_turns, median, milliseconds, percentile
from benchmarks.own_system import own_system
from benchmarks.steps import Steps
from contract.environment import PROCESSES, inference_processes
from drills.client import App, Clients, calm, photo, wait_until
from drills.system import System

SETTLE_SECONDS = 600
PHOTO_SIDE = 1600  # px
COPIED = 8  # photos
LINE = re.compile(r"^(\S+ \S+) \w+ \S+ (sent|begun|done): (\w+).*? job=(\S+)", re.MULTILINE)

HOPS = (
    "A lone photo passes the broker four times and the results worker twice; each time it waits for some twenty SQL statements: a "
    "fixed time, which weighs more the faster the networks are."
)


def add_arguments(parser: argparse._ArgumentGroup) -> None:
    parser.add_argument(
        "--processes", type=int, default=min(2, inference_processes()), help="that run the networks"
    )
    parser.add_argument("--lone", type=int, default=20, help="photos sent one at a time")
    parser.add_argument("--urgent", type=int, default=7, help="urgent photos behind the routine ones")
    parser.add_argument("--routine", type=int, default=10_000, help="photos that an urgent one stands behind")
    parser.add_argument("--waiting", type=int, default=200, help="photos that wait when batches are counted")


def run(options: argparse.Namespace) -> Section:
    with own_system(
        **dict.fromkeys((PROCESSES, "TELEDER_INFERENCE_SLOTS"), str(options.processes))
    ) as system:
        return _measure(system, options)


def _measure(system: System, options: argparse.Namespace) -> Section:
    from drills.people import patients
    from teleder.cases.models import Job, JobState

    logging.disable(logging.INFO)  # of the steps in this process
    clients = Clients(system.url, patients(4))
    data = photo("AD", 1, PHOTO_SIDE)
    bare = Steps(system.folder / "bare")
    bare.storage.write("photos/original", data)
    for _ in range(3):  # warm up
        bare.once("photos/original")
        lone_photo(clients, data)
    sides = in_turns(
        {
            "bare": lambda: milliseconds(lambda: bare.once("photos/original")),
            "product": lambda: lone_photo(clients, data),
        },
        options.lone,
    )
    alone, without_product = median(sides["product"]), median(sides["bare"])
    waits = list(delays(system.folder / "logs"))
    copy_waiting(system, options.waiting)
    began = time.monotonic()
    sizes = messages_until_done(options.waiting)
    seconds = time.monotonic() - began
    copy_waiting(system, options.routine)
    urgent = [_urgent_photo(clients, data) for _ in range(options.urgent)]
    batch = percentile(_batch_seconds(system), 95)
    left = Job.objects.filter(stage="analyse", state=JobState.QUEUED).count()
    goals = [
        Goal(f"photos in a message at {options.waiting} waiting, mean", sum(sizes) / len(sizes), "photos", 4, at_least=True),
        Goal("a lone photo against the same steps alone, p50", alone / without_product, "times", 1.3, why=HOPS),
        Goal(f"an urgent photo behind {options.routine:,}, slowest of {options.urgent}", max(urgent), "s", 2 + batch),
        Goal("from sent to begun while idle, p99", percentile(waits, 99), "ms", 10),
    ]  # fmt: skip
    rows = [
        ("a lone photo, from its upload to its finding, p50", alone, "ms"),
        ("the same steps alone, p50", without_product, "ms"),
        ("from sent to begun, p50", median(waits), "ms"),
        (f"photos a second at {options.waiting} waiting", options.waiting / seconds, "photos/s"),
        (f"messages at {options.waiting} waiting", len(sizes), ""),
        ("a batch, p95", batch, "s"),
        ("an urgent photo, p50", median(urgent), "s"),
        ("routine photos still waiting after the last urgent one", left, ""),
    ]
    return Section(
        name="queue",
        title=f"The queue with {options.processes} processes of the networks",
        text=(
            "Real processes and networks, drawn photos of 1,600 px, in turns where two are compared. The time of an urgent "
            "photo runs from its row to its finding's, preparation included; its goal is two seconds and one batch. "
            "From sent to begun: by the log lines of sender and worker, in whole milliseconds."
        ),
        goals=goals,
        tables=[Table("Figures of the queue", ("figure", "measured", "unit"), rows)],
    )


# --- A lone photo -----------------------------------------------------------------------------------------
def lone_photo(clients: Clients, data: bytes, **answers: str) -> float:
    """Send a photo and return the milliseconds from its row to its finding's, by the database's clock."""
    from teleder.cases.models import Job, JobState

    app = App(clients, clients.people[0])
    headers = {"Idempotency-Key": app.key}
    opened = app.insist("POST", "submissions", json={"answers": calm() | answers}, headers=headers).json()[
        "id"
    ]
    app.insist("PATCH", f"submissions/{opened}", json={"body_site": "elbow_crease"})
    app.add_photo(opened, data)
    app.submit(opened)
    done = Job.objects.filter(photo__submission=opened, stage="analyse", state=JobState.DONE)
    if not wait_until(done.exists, SETTLE_SECONDS):
        raise RuntimeError("a photo was not read")
    job = done.select_related("photo").get()
    return 1000 * (job.finished_at - job.photo.created_at).total_seconds()


def _urgent_photo(clients: Clients, data: bytes) -> float:
    return lone_photo(clients, data, fever="yes", baby_or_pregnant="yes") / 1000


# --- Log lines --------------------------------------------------------------------------------------------
def _log_times(logs: Path) -> dict[tuple[str, str], list[datetime]]:
    """Return the times of each step ("sent", "begun", "done") of each job, over all its attempts."""
    found: dict[tuple[str, str], list[datetime]] = {}
    for log in logs.glob("*.log"):
        for at, step, _stage, job in LINE.findall(log.read_text()):
            found.setdefault((job, step), []).append(datetime.fromisoformat(at))
    return found


def delays(logs: Path) -> Iterator[float]:
    """Yield the milliseconds from sent to begun of each job that was sent once."""
    times = _log_times(logs)
    for (job, step), at in times.items():
        begun = times.get((job, "begun"), [])
        if step == "sent" and len(at) == len(begun) == 1:
            yield max(0.0, 1000 * (begun[0] - at[0]).total_seconds())


def _batch_seconds(system: System) -> list[float]:
    """Return the seconds of each full message that was analysed."""
    from django.conf import settings

    from teleder.cases.models import Job, JobState

    times, found = _log_times(system.folder / "logs"), []
    done = Job.objects.filter(stage="analyse", state=JobState.DONE, batch=settings.JOB_BATCH)
    for job in map(str, done.values_list("pk", flat=True)):
        begun, ended = times.get((job, "begun")), times.get((job, "done"))
        if begun and ended:
            found.append((ended[-1] - begun[-1]).total_seconds())
    return found


# --- Many that wait ---------------------------------------------------------------------------------------
def copy_waiting(system: System, count: int) -> None:
    """Make so many submissions whose photo was prepared and waits to be analysed: copies of the first ones, with own files."""
    import uuid_utils.compat as uuid

    from teleder.cases.models import AIStatus, Case, Job, Photo, Status, Submission
    from teleder.cases.models.case import case_number

    prepared = Photo.objects.exclude(analysis_key="").select_related("submission__case")
    firsts = itertools.cycle(prepared.order_by("created_at")[:COPIED])
    rows = {model: [] for model in (Case, Submission, Photo, Job)}
    for first in itertools.islice(firsts, count):
        case, submission, one = (copy.copy(each) for each in (first.submission.case, first.submission, first))
        case.pk, case.number = uuid.uuid7(), case_number()
        submission.pk, submission.case, submission.idempotency_key = uuid.uuid7(), case, ""
        submission.status, submission.ai_status = Status.SUBMITTED, AIStatus.WAITING
        one.pk, one.submission = uuid.uuid7(), submission
        for name in ("original_key", "display_key", "analysis_key", "thumbnail_key"):
            setattr(one, name, getattr(first, name).replace(str(first.pk), str(one.pk)))
        file = system.media / one.analysis_key
        file.parent.mkdir(parents=True)
        os.link(system.media / first.analysis_key, file)
        job = Job(photo=one, stage="analyse", priority=submission.urgency)
        for model, row in zip(rows, (case, submission, one, job), strict=True):
            rows[model].append(row)
    for model, made in rows.items():
        model.objects.bulk_create(made, batch_size=1000)


def messages_until_done(count: int) -> list[int]:
    """Wait until the photos that wait are read; return the number of photos of each message."""
    from teleder.cases.models import Job, JobState
    from teleder.pipeline.transitions import UNFINISHED

    unfinished = Job.objects.filter(stage="analyse", state__in=UNFINISHED)
    if not wait_until(lambda: not unfinished.exists(), SETTLE_SECONDS):
        raise RuntimeError("photos were not read")
    done = Job.objects.filter(stage="analyse", state=JobState.DONE).order_by("-created_at")[:count]
    return [batch for _sent, batch in {(job.sent_at, job.batch) for job in done}]
