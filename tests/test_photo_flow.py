"""The flow of a photo, from upload to answer, runs through the files that docs/architecture.md lists, and no others."""

from __future__ import annotations

import ast
import re
import sys
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from contract import encryption, messages
from teleder.cases import intake, reviews
from teleder.cases.models import AIStatus
from teleder.celery import app as web_app
from tests.conftest import CALM

ROOT = Path(__file__).resolve().parents[1]
TRACED = ("teleder/cases/", "teleder/pipeline/", "decoding/", "inference_worker/")
MOST_FILES = 12
# What a kind of module beside the flow must not import: with it, it could do a part of the flow.
SENDING = ("celery", "kombu", "redis", "contract.messaging", "contract.storage", "contract.encryption")
FORBIDDEN = {
    # The tables describe each row once for all flows, and every file reads them.
    "Definitions": SENDING,
    # Photos and signed answers meet in the submission alone: an answer moves no job.
    "Answers": (*SENDING, "teleder.pipeline"),
    "Storage": ("celery", "kombu", "redis", "contract.messaging", "teleder.pipeline"),
    # A network is as long as twelve files: it takes an array and returns values, and `tasks.py` alone calls it.
    "Computation": (*SENDING, "inference_worker.app", "inference_worker.photo_files"),
}


def listed() -> tuple[list[str], dict[str, list[str]]]:
    """Return the files of the flow, in order, and by kind the modules beside it (files and folders)."""
    text = (ROOT / "docs/architecture.md").read_text()
    section = text.split("## The flow of a photo\n")[1].split("\n## ")[0]
    flow, *kinds = re.split(r"^([A-Z][a-z]+): .*$", section, flags=re.MULTILINE)
    steps = re.findall(r"^\d+\. `([^`]+)`", flow, flags=re.MULTILINE)
    named = zip(kinds[::2], kinds[1::2], strict=True)
    return steps, {kind: re.findall(r"^- `([^`]+)`", text, flags=re.MULTILINE) for kind, text in named}


@contextmanager
def modules_called() -> Iterator[set[str]]:
    """Collect the traced modules whose functions run, in every thread of this process."""
    seen: set[str] = set()
    root = f"{ROOT}/"

    def note(frame, event, _argument) -> None:
        code = frame.f_code
        if event == "call" and code.co_name != "<module>" and code.co_filename.startswith(root):
            path = code.co_filename.removeprefix(root)
            if path.startswith(TRACED):
                seen.add(path)

    threading.setprofile(note)
    sys.setprofile(note)
    try:
        yield seen
    finally:
        sys.setprofile(None)
        threading.setprofile(None)


@pytest.fixture
def messages_sent(monkeypatch, settings) -> deque:
    """The messages that web and worker send, collected instead of sent to Valkey."""
    worker = pytest.importorskip("inference_worker.tasks")
    web_app.loader.import_default_modules()
    sent: deque = deque()

    def send_task(name, kwargs=None, **_options) -> None:
        sent.append((name, kwargs))

    monkeypatch.setattr(web_app, "send_task", send_task)
    monkeypatch.setattr(worker.app, "send_task", send_task)
    monkeypatch.setattr(worker, "photo_keys", encryption.from_environment)
    monkeypatch.setattr(worker, "photo_storage", lambda: settings.PHOTO_STORAGE)
    return sent


def deliver(sent: deque) -> list[str]:
    """Run the task of each message, and of those they send, in this process; return their names."""
    from inference_worker.app import app as worker_app

    names = []
    while sent:
        name, kwargs = sent.popleft()
        app = worker_app if name in messages.TASKS.values() else web_app
        app.tasks[name](**kwargs)
        names.append(name)
    return names


def phantom_photo(seed: int, condition: str) -> SimpleUploadedFile:
    cv2 = pytest.importorskip("cv2")
    phantom = pytest.importorskip("training.phantom")
    _, data = cv2.imencode(".jpg", phantom.draw(seed, condition=condition).photo[..., ::-1])
    return SimpleUploadedFile("photo.jpg", data.tobytes())


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("seed", "condition", "alarms"), [(1, "AD", 0), (38, "HI", 1)])
def test_the_flow_of_a_photo_uses_only_the_listed_files(alice, dana, messages_sent, seed, condition, alarms):
    steps, kinds = listed()
    upload = phantom_photo(seed, condition)
    with modules_called() as seen:
        submission = intake.start(patient=alice, answers=CALM)
        intake.describe(submission, body_site="elbow_crease", history={})
        intake.add_photo(submission, view="close_up", upload=upload)
        delivered = deliver(messages_sent)  # prepared and checked
        intake.submit(submission, by=alice, send_anyway=True, missing_photo="other")
        delivered += deliver(messages_sent)
        submission.refresh_from_db()
        reviews.claim(submission, by=dana)
        reviews.sign(
            submission, by=dana, impression="AD", disposition="days_2", text="Come in.", reason="Seen."
        )
    assert submission.ai_status == AIStatus.DONE
    assert len(submission.photos.get().analysis.ringing) == alarms
    # A distance report is of an alarm, or asked for; so are a full copy and the reading of a drawn crop.
    asked_for = (messages.Stage.DISTANCE, messages.Stage.FULL, messages.Stage.REANALYSE)
    assert {task for stage, task in messages.TASKS.items() if stage not in asked_for} <= set(delivered)
    beside = tuple(place for places in kinds.values() for place in places)
    of_the_flow = {path for path in seen if not path.startswith(beside)}
    assert of_the_flow == set(steps)


def test_the_flow_has_at_most_twelve_files_and_what_it_calls_can_do_no_part_of_it():
    steps, kinds = listed()
    assert 0 < len(steps) <= MOST_FILES
    assert set(kinds) == set(FORBIDDEN)
    flow = {path.removesuffix(".py").replace("/", ".") for path in steps}
    for kind, places in kinds.items():
        for place in map(ROOT.joinpath, places):
            for file in place.rglob("*.py") if place.is_dir() else [place]:
                imported = set(imported_by(file))
                assert not flow & imported, file
                assert not [name for name in imported if name.startswith(FORBIDDEN[kind])], file


def imported_by(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
