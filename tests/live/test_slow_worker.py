"""A prepare worker that gets a twelfth of the time: the oldest photo is always next, and none is sent over and over."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from contract.messages import Stage
from drills.client import photo
from teleder.cases import intake
from teleder.cases.models import Job, JobState
from tests.conftest import CALM
from tests.live.conftest import wait_until

pytestmark = [pytest.mark.live, pytest.mark.django_db(transaction=True)]
PHOTOS, WAIT_SECONDS, SLOTS = 24, 3, 4
AT_WORK_SECONDS, STOPPED_SECONDS = 0.08, 0.92


@pytest.fixture
def slow() -> Iterator[Callable]:
    """Let a process and its children work for 8 % of the time."""
    over, threads = threading.Event(), []

    def make(group: int) -> None:
        def stop_and_go() -> None:
            while not over.is_set():
                os.killpg(group, signal.SIGSTOP)
                time.sleep(STOPPED_SECONDS)
                os.killpg(group, signal.SIGCONT)
                time.sleep(AT_WORK_SECONDS)

        threads.append(threading.Thread(target=stop_and_go, daemon=True))
        threads[-1].start()

    yield make
    over.set()
    for each in threads:
        each.join()


def test_a_slow_worker_takes_the_oldest_photo_next(process, environment, settings, alice, slow):
    pytest.importorskip("training.phantom")
    settings.JOB_WAIT_SECONDS, settings.JOB_WINDOW = WAIT_SECONDS, 2 * SLOTS
    environment |= {"TELEDER_JOB_WAIT_SECONDS": str(WAIT_SECONDS), "TELEDER_INFERENCE_SLOTS": str(SLOTS)}
    unfinished = Job.objects.filter(stage=Stage.PREPARE).exclude(state=JobState.DONE)

    def add(number: int) -> str:
        submission = intake.start(patient=alice, answers=CALM)
        upload = SimpleUploadedFile("photo.jpg", photo(seed=number))
        added = intake.add_photo(submission, view="close_up", upload=upload)
        return str(Job.objects.get(photo=added, stage=Stage.PREPARE).pk)

    process("results")
    worker = process("prepare")
    process("sweeper")
    add(0)
    wait_until(lambda: not unfinished.exists())
    slow(worker.pid)
    sent = [add(number) for number in range(1, PHOTOS + 1)]
    wait_until(lambda: not unfinished.exists(), 400)
    rows = Job.objects.filter(pk__in=sent).order_by("finished_at")
    assert [str(job.pk) for job in rows] == sent, "in the order in which they came"
    attempts = list(rows.values_list("attempt", flat=True))
    assert max(attempts) == 2, (
        f"some waited for longer than {WAIT_SECONDS} s, and none was sent a third time: {attempts}"
    )
    assert set(rows.values_list("deaths", flat=True)) == {0}
