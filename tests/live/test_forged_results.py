"""Forged messages through a real Valkey to the real results worker: nothing is stored, and the worker continues."""

from __future__ import annotations

import base64
import json
import subprocess
import time
from collections.abc import Callable, Iterable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import redis
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from rest_framework.test import APIClient

from contract import messages
from contract.messages import Stage
from teleder.cases.models import Analysis, Event, Finding, Job, JobState, Photo, RefusedMessage, Submission
from teleder.celery import app
from teleder.pipeline import results
from teleder.privacy import export
from tests import forged
from tests.conftest import send_for_test
from tests.drawn import draw
from tests.live.conftest import wait_until

pytestmark = [pytest.mark.live, pytest.mark.django_db(transaction=True)]

BATCHES, BATCH = 10, 20  # of hypothesis' several wrong fields at once
API = "/api/v1"


class Worker:
    """The results worker, seen by somebody who can write to its queue; `refused` counts the expected refusals."""

    def __init__(self, broker: redis.Redis, log: Path, running: subprocess.Popen) -> None:
        self.broker, self.log, self.running, self.refused = broker, log, running, 0

    def receives(self, sent: Iterable[tuple[str, dict[str, Any]]], *, refuses: bool = True) -> None:
        """Send all messages and wait until they are refused, the queue is empty and none is unacknowledged."""
        for name, message in sent:
            app.send_task(name, kwargs=message, queue=messages.RESULTS_QUEUE, retry=False)
            self.refused += refuses
        self.wait()

    def wait(self) -> None:
        wait_until(lambda: counted() >= self.refused and not self.is_busy(), 120)

    def is_busy(self) -> bool:
        left = self.broker.llen(messages.RESULTS_QUEUE)
        return bool(left or any(self.broker.hlen(key) for key in self.broker.keys("*unacked")))

    @property
    def written(self) -> str:
        return self.log.read_text(errors="replace")


@pytest.fixture
def worker(process, settings, tmp_path) -> Worker:
    running = process("results")
    return Worker(redis.Redis.from_url(settings.REDIS_URL), tmp_path / "results-0.log", running)


@pytest.fixture
def attempts(alice, submission_of) -> dict[Stage, tuple[Photo, str, int]]:
    """Photos of one submission, each with another stage under way for an hour."""
    submission, found = submission_of(alice, photos=len(Stage)), {}
    for photo, stage in zip(submission.photos.all(), Stage, strict=True):
        _prepare_until(photo, stage)
        if stage == Stage.REANALYSE:
            draw(photo, alice)
        if stage in (Stage.CHECK, Stage.FULL):
            Job.objects.create(photo=photo, stage=stage, priority=0)
        found[stage] = (photo, *send_for_test(photo, stage))
    Job.objects.filter(state=JobState.SENT).update(deadline=timezone.now() + timedelta(hours=1))
    return found


def _prepare_until(photo: Photo, stage: Stage) -> None:
    for earlier in forged.EARLIER[stage]:
        job, attempt = send_for_test(photo, earlier)
        row = forged.outcome(earlier, f"photos/{photo.pk}/{earlier}/{attempt}")
        kind = forged.KINDS[earlier]
        outcome = messages.unpack_outcome(contract=messages.VERSION, kind=kind, outcome=row)
        assert results.record(job=job, attempt=attempt, worker="w", outcome=outcome)


def record() -> list:
    kinds = (Job, Photo, Analysis, Finding, Submission, Event)
    return [list(kind.objects.order_by("pk").values()) for kind in kinds]


def counted() -> int:
    return sum(RefusedMessage.objects.values_list("count", flat=True))


@pytest.fixture
def pages(alice, dana, adam, attempts) -> Callable:
    submission = next(iter(attempts.values()))[0].submission
    kinds = ("display", "thumbnail", "mask", "attribution")

    def ask() -> None:
        """Check that no page of this submission answers 500 to anybody."""
        paths = {
            alice: [reverse("web:submission", args=[submission.pk])],
            dana: [reverse("web:worklist")],
            adam: [reverse("web:operations"), reverse("web:case_admin", args=[submission.pk])],
        }
        for photo in submission.photos.all():
            paths[dana].append(f"{reverse('web:review', args=[submission.pk])}?photo={photo.pk}")
        ends = ("", "/photos", "/findings", "/reviews", "/status")
        api = [f"{API}/submissions/{submission.pk}{end}" for end in ends]
        for photo, *_ in attempts.values():
            api += [f"{API}/photos/{photo.pk}"] + [f"{API}/photos/{photo.pk}/{kind}" for kind in kinds]
        for person, own in paths.items():
            browser, caller = Client(headers={"Sec-Fetch-Site": "none"}), APIClient()
            for client, asked in ((browser, own), (caller, api)):
                client.force_login(person)
                client.raise_request_exception = False
                statuses = {path: client.get(path).status_code for path in asked}
                assert not {path: status for path, status in statuses.items() if status >= 500}
            for photo, *_ in attempts.values():
                for kind in kinds:
                    assert browser.get(reverse("web:photo", args=[photo.pk, kind])).status_code < 500
        assert b"".join(export.answer(alice).streaming_content).startswith(b"PK")

    return ask


def test_no_forged_message_changes_a_row_deadline_or_page(worker, attempts, pages, bob, submission_of):
    other = f"photos/{submission_of(bob).photos.get().pk}/prepare/1/display.jpg"
    folders = {
        stage: f"photos/{photo.pk}/{stage}/{attempt}" for stage, (photo, _job, attempt) in attempts.items()
    }
    begun = {job: attempt for _photo, job, attempt in attempts.values()}
    worker.receives([(messages.STARTED, {"worker": "w", "work": begun})], refuses=False)
    under_way = Job.objects.filter(pk__in=begun)
    wait_until(lambda: set(under_way.values_list("state", flat=True)) == {JobState.STARTED})
    before, began = record(), time.monotonic()

    def result(stage: Stage, row: object, changed: dict[str, Any] | None = None) -> tuple[str, dict]:
        _photo, job, attempt = attempts[stage]
        return messages.RESULTS, forged.message(job, attempt, forged.KINDS[stage], row, **(changed or {}))

    def nothing_happened() -> None:
        assert counted() == worker.refused
        assert worker.written.count("refused: ") == worker.refused
        assert record() == before

    # One field at a time, with each invalid value.
    for stage in Stage:
        worker.receives(result(stage, row) for row in forged.one_by_one(stage, folders[stage], other))
        nothing_happened()

    # Outcomes of other stages, and invalid envelopes.
    worker.receives(
        result(stage, forged.outcome(kind, folders[stage]), {"kind": forged.KINDS[kind]})
        for stage in Stage
        for kind in Stage
        if kind != stage and (stage, kind) != (Stage.ANALYSE, Stage.REANALYSE)  # these are alike
    )
    right = forged.outcome(Stage.PREPARE, folders[Stage.PREPARE])
    around = [{name: value} for name, values in forged.WRONG_WHOSE.items() for value in values]
    around += [{"contract": value} for value in forged.WRONG_CONTRACTS]
    around += [{"kind": value} for value in forged.WRONG_KINDS]
    worker.receives(result(Stage.PREPARE, right, changed) for changed in around)
    nothing_happened()

    # "Started" and "ended".
    whose = {"job": attempts[Stage.PREPARE][1], "attempt": 1, "worker": "prepare"}
    worker.receives(
        (messages.OLDER_STARTED, whose | {name: value})
        for name in forged.WRONG_WHOSE
        for value in forged.WRONG_WHOSE[name]
    )
    for name in (messages.STARTED, messages.ENDED):
        worker.receives((name, {"worker": "prepare", "work": work}) for work in forged.WRONG_WORK)
    reports = (messages.STARTED, messages.ENDED, messages.RESULTS)
    worker.receives((name, {}) for name in (*reports, messages.OLDER_STARTED, messages.OLDER_RECORD))
    nothing_happened()

    # Several invalid fields at once.
    @hypothesis_settings(
        max_examples=BATCHES,
        deadline=None,
        database=None,
        phases=[Phase.generate],  # no shrinking: each attempt takes a while
        suppress_health_check=list(HealthCheck),
    )
    @given(st.lists(forged.several_at_once(list(Stage), folders, other), min_size=BATCH, max_size=BATCH))
    def forge(drawn: list) -> None:
        worker.receives(result(stage, row) for stage, row in drawn)
        nothing_happened()

    forge()
    pages()
    assert forged.CANARY not in worker.written
    print(f"{worker.refused} forged messages in {time.monotonic() - began:.0f} s")

    # The next valid result of each stage is accepted.
    worker.receives((result(stage, forged.outcome(stage, folders[stage])) for stage in Stage), refuses=False)
    wait_until(lambda: set(under_way.values_list("state", flat=True)) == {JobState.DONE})
    pages()


# --- Below the fields: what Celery and kombu parse --------------------------------------------------------------
def _template(broker: redis.Redis) -> dict[str, Any]:
    """Return a valid message as it is in the queue."""
    app.send_task(messages.STARTED, kwargs={}, queue="forged-template", retry=False)
    return json.loads(broker.rpop("forged-template"))


def _body(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


DEEP = "[" * 100_000 + "]" * 100_000
BODIES = [
    f'[[], {{"job": {DEEP}}}, {{}}]',
    f'[[], {{"outcome": {DEEP}}}, {{}}]',
    DEEP,
    "{gossip",
    *("", "1", "null", "true", '"x"', "{}", "[]", "[1, 2, 3]", "[null, null, null]", "[[], {}, 1]"),
    '[["a", 1, "w"], {}, {}]',
    f'[[], {{"job": {"9" * 5000}}}, {{}}]',
    "\x00\xff",
]
HEADERS = [
    *({"task": name} for name in ("gossip", "", None, 1, [], {}, [messages.STARTED])),
    *(
        {name: value}
        for name in ("timelimit", "expires", "eta", "id", "retries")
        for value in ("x", [], [1], {}, True)
    ),
    *({name: value} for name in ("argsrepr", "origin", "root_id", "group", "trace") for value in (1, [], {})),
    *({"lang": value} for value in ("c", 1, [])),
]
PROPERTIES = [
    {"body_encoding": "gossip"},
    {"body_encoding": []},
    {"priority": "x"},
    {"delivery_info": 1},
    {"reply_to": []},
    {"correlation_id": {}},
]
WHOLE = [
    *(
        b"",
        b"garbage",
        b"\xff\xfe\x00",
        b"1",
        b"null",
        b"true",
        b'"x"',
        b"[]",
        b"{}",
        b"{" * 9,
        DEEP.encode(),
    ),
    b'{"body": 1}',
    b'{"properties": 1, "headers": 1, "body": 1}',
    b'{"properties": {}, "headers": {}, "body": ""}',
]


def unreadable(template: dict[str, Any]) -> Iterable[bytes]:
    yield from WHOLE
    rows = [template | {"body": _body(text)} for text in BODIES]
    rows += [template | {"headers": template["headers"] | changed} for changed in HEADERS]
    rows += [template | {"properties": template["properties"] | changed} for changed in PROPERTIES]
    rows += [template | {name: value} for name in template for value in (None, 1, [], {}, "%%%")]
    rows += [{name: value for name, value in template.items() if name != left_out} for left_out in template]
    yield from (json.dumps(row).encode() for row in rows)


def test_a_message_that_celery_cannot_parse_does_not_stop_the_worker(worker, attempts):
    """One such message used to end the process and every process that replaced it."""
    template, before = _template(worker.broker), record()
    for raw in unreadable(template):
        worker.broker.lpush(messages.RESULTS_QUEUE, raw)
    photo, job, attempt = attempts[Stage.PREPARE]
    row = forged.outcome(Stage.PREPARE, f"photos/{photo.pk}/prepare/{attempt}")
    wait_until(lambda: not worker.is_busy() or worker.running.poll() is not None)
    assert worker.running.poll() is None
    assert record() == before
    worker.receives([(messages.RESULTS, forged.message(job, attempt, "prepared", row))], refuses=False)
    wait_until(lambda: Job.objects.get(pk=job).state == JobState.DONE)
    assert worker.running.poll() is None
