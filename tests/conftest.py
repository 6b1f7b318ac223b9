"""The people of the tests: alice and bob are patients, dana is a dermatologist, adam an admin.

In another clinic nora is a dermatologist and noel an admin. sue is a superuser; sam was suspended.
"""

from __future__ import annotations

import itertools
import os
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psycopg
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from contract import messages
from contract.alarms import Alarm, Condition, Figure
from contract.storage import FileStorage, Storage, from_url
from drills import people
from drills.client import calm
from local import s3, valkey
from teleder.cases import intake
from teleder.pipeline import results
from tests.database_roles import session_of

FLUSHES = 3
PASSWORD = "correct-horse-battery"
# The beginning of a JPEG, which is all that the web checks.
JPEG_HEAD = b"\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00"
CALM = calm()
MEASURED = Figure(value=5.4, low=3.1, high=9.4, n=402)
NO_WORTH = Figure(value=1.2, low=0.6, high=2.3, n=402)
MODEL = messages.ModelRef(name="test", version="1", sha256="0" * 64)


def pytest_configure(config) -> None:
    """Parallel runs share one Valkey; each uses the database with its own number."""
    from django.conf import settings

    from teleder.celery import app

    number = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) + 1
    for name in ("REDIS_URL", *map(valkey.variable, valkey.ROLES)):
        if name in os.environ:
            os.environ[name] = f"{os.environ[name].rsplit('/', 1)[0]}/{number}"
    settings.REDIS_URL = app.conf.broker_url = os.environ["REDIS_URL"]
    settings.CACHES["default"]["LOCATION"] = settings.REDIS_URL


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup, django_db_blocker) -> None:
    """Allow the TRUNCATE of transactional tests, which the triggers of reviews and events normally refuse."""
    from django.db import connection

    with django_db_blocker.unblock(), connection.cursor() as cursor:
        for table in ("cases_event", "cases_review"):
            cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER cases_keep_from_truncate")


@pytest.fixture(scope="session", autouse=True)
def _flush_again_where_a_page_still_saves() -> Iterator[None]:
    """Flush once more after a deadlock with the last request of a page that was just closed, as of a draft that it saves.

    Otherwise the rows of one test would make the next one fail.
    """
    from django.core.management import CommandError
    from django.test import TransactionTestCase

    flush = TransactionTestCase._fixture_teardown

    def flush_again(self) -> None:
        for _ in range(FLUSHES - 1):
            try:
                return flush(self)
            except CommandError:
                time.sleep(0.5)
        return flush(self)

    TransactionTestCase._fixture_teardown = flush_again
    yield
    TransactionTestCase._fixture_teardown = flush


@pytest.fixture(autouse=True)
def _no_audit_entries_stay(request, django_db_blocker) -> Iterator[None]:
    """Remove what a test with a transaction of its own committed to the audit log, which `flush` leaves alone."""
    yield
    marker = request.node.get_closest_marker("django_db")
    if "transactional_db" not in request.fixturenames and not (marker and marker.kwargs.get("transaction")):
        return
    from django.db import connection, transaction

    with django_db_blocker.unblock(), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")  # the triggers would refuse it
        cursor.execute("TRUNCATE audit_entry")


@pytest.fixture(autouse=True)
def _media(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path / "media"  # for tests that look at the files themselves
    settings.PHOTO_STORAGE = FileStorage(settings.MEDIA_ROOT)
    settings.ERASED_LIST = tmp_path / "erased" / "list.jsonl"
    # The default hasher does 390,000 rounds per password: too slow for several people in each test.
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    settings.ANSWER_STEP_SECONDS = 0.001
    settings.HOLD_SECONDS = 0  # an answer is sent with its signature, unless a test is about the hold
    settings.STORAGES = {
        **settings.STORAGES,
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    }


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory) -> Iterator[s3.S3Server]:
    """A real S3 server; tests that use it run in one process (the mark of the parameter "s3")."""
    with s3.running(tmp_path_factory.mktemp("s3")) as server:
        yield server


@pytest.fixture(params=["file", pytest.param("s3", marks=pytest.mark.xdist_group("s3"))])
def storage(request, settings, monkeypatch) -> Storage:
    """Replace the product's storage by each kind of storage in turn, empty."""
    if request.param == "s3":
        server = request.getfixturevalue("s3_server")
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        settings.PHOTO_STORAGE = from_url(f"s3://{s3.BUCKET}/{uuid.uuid4()}")
    return settings.PHOTO_STORAGE


@pytest.fixture(autouse=True)
def _reset_caches() -> None:
    """Reset the API's limits, which are counted in Valkey, and what the process keeps; log-in's are in the transaction."""
    from django.core.cache import caches

    from teleder.cases import storage_mark

    for each in caches:
        caches[each].clear()
    caches["process"].set(storage_mark.KNOWN, True, None)  # a test about the mark deletes it


@pytest.fixture(autouse=True)
def limits_clock(monkeypatch) -> list[float]:
    """Stop the limits' clock: their windows are fixed, and a new minute during a test would restart the count."""
    from teleder.security import rate_limits

    held = [time.time()]
    monkeypatch.setattr(rate_limits, "now", lambda: held[0])
    return held


@pytest.fixture
def valkey_is_gone(settings) -> None:
    gone = settings.CACHES["default"] | {"LOCATION": "redis://127.0.0.1:9/0"}
    settings.CACHES = settings.CACHES | {"default": gone}


@pytest.fixture(autouse=True)
def _start_in_english() -> Iterator[None]:
    """Start each test in English, independent of the language of the last request of another test."""
    from django.utils.translation import override

    with override("en"):
        yield


@pytest.fixture(autouse=True)
def _forced_logins_have_a_second_factor() -> Iterator[None]:
    """Let `force_login`, whose request has no path, count as a recent log-in with a second factor."""
    from allauth.account.internal.flows.login import record_authentication
    from django.contrib.auth.signals import user_logged_in

    def show(request, user, **_) -> None:
        if not request.path:
            record_authentication(request, user, "mfa", reauthenticated=True)

    user_logged_in.connect(show)
    yield
    user_logged_in.disconnect(show)


@pytest.fixture(autouse=True)
def spot_check_draw(monkeypatch) -> dict[str, bool]:
    """Whether a routine case is a spot check: none is, unless a test says so."""
    from teleder.cases import triage

    held = {"is_drawn": False}

    def draw(_submission, one_in: int) -> bool:
        return bool(one_in) and held["is_drawn"]

    monkeypatch.setattr(triage, "is_drawn_for_spot_check", draw)
    return held


def alarm(condition: str, score: float, *, threshold: float = 0.2, worth=MEASURED) -> Alarm:
    """An alarm that has earned to raise urgency; one of no `worth` has not."""
    found = Figure(value=0.7, low=0.59, high=0.79, n=91)
    return Alarm(
        condition=Condition(condition),
        score=score,
        threshold=threshold,
        sensitivity=found,
        likelihood_ratio=worth,
        likelihood_ratio_ad=worth,
    )


@pytest.fixture
def ai_is_open(settings) -> None:
    """The AI's opinion is open to every reader from the start: for tests of what it says."""
    settings.AI_OPINION = "always"


@pytest.fixture
def person(db) -> Callable:
    def make(name: str, role: str = "patient", **fields):
        return people.create(f"{name}@example.com", role, PASSWORD, **{"name": name.title(), **fields})

    return make


@pytest.fixture
def alice(person):
    return person("alice")


@pytest.fixture
def child_of(db) -> Callable:
    """A child of a guardian, who consents to care and to AI for the child. It is `years` old, to the day known."""
    from datetime import date

    from django.utils import timezone

    from teleder.accounts.children import add_child
    from teleder.accounts.models import Purpose

    def make(guardian, name: str = "Sora", years: int = 5):
        born = date(timezone.localdate().year - years, 1, 1)
        return add_child(
            guardian=guardian,
            name=name,
            reading="",
            birth_date=born,
            relation="parent",
            purposes=[Purpose.CARE, Purpose.AI],
        )

    return make


@pytest.fixture
def sora(alice, child_of):
    """Alice's child."""
    return child_of(alice)


@pytest.fixture
def bob(person):
    return person("bob")


@pytest.fixture
def dana(person):
    return person("dana", "dermatologist")


@pytest.fixture
def adam(person):
    return person("adam", "admin")


@pytest.fixture
def north(db):
    """Another clinic."""
    from teleder.accounts.models import Clinic

    return Clinic.objects.create(name="North")


@pytest.fixture
def nora(person, north):
    return person("nora", "dermatologist", clinic=north)


@pytest.fixture
def noel(person, north):
    return person("noel", "admin", clinic=north)


@pytest.fixture
def sue(person, north):
    return person("sue", "admin", clinic=north, is_superuser=True)


@pytest.fixture
def sam(person):
    return person("sam", "dermatologist")


@pytest.fixture
def photo_file() -> Callable:
    numbers = itertools.count()

    def make(name: str = "skin.jpg", content: bytes | None = None) -> SimpleUploadedFile:
        return SimpleUploadedFile(
            name, JPEG_HEAD + bytes([next(numbers)]) * 100 if content is None else content
        )

    return make


@pytest.fixture
def web_role(transactional_db, monkeypatch) -> Iterator[tuple[str, str]]:
    """Name and password of a real role with the rights of web and workers."""
    from django.core.management import call_command
    from django.db import connection

    role, password = f"web_of_{connection.settings_dict['NAME']}", "web-role-password"
    monkeypatch.setenv("TELEDER_ROLE_PASSWORD", password)
    call_command("audit", "protect", role)
    yield role, password
    with connection.cursor() as cursor:
        cursor.execute(f'DROP OWNED BY "{role}"')
        cursor.execute(f'DROP ROLE "{role}"')


@pytest.fixture
def as_web(web_role) -> Iterator[psycopg.Connection]:
    """A separate connection, logged in as that role."""
    with session_of(*web_role) as found:
        yield found


@pytest.fixture
def acting_as_web(web_role) -> Callable:
    """Let the product's own code run with the rights of that role for a while."""
    from django.db import connection

    @contextmanager
    def act() -> Iterator[None]:
        with connection.cursor() as cursor:
            cursor.execute(f'SET ROLE "{web_role[0]}"')
            try:
                yield
                cursor.execute("SELECT current_user")
                assert cursor.fetchone() == (web_role[0],), "the code has connected again, as the owner"
            finally:
                cursor.execute("RESET ROLE")

    return act


@pytest.fixture
def draft_of(photo_file) -> Callable:
    """A patient's draft with site, history and photos; `answers` replaces some of the answers without red flags."""

    def make(patient, photos: int = 1, **answers: str):
        submission = intake.start(patient=patient, answers=CALM | answers)
        intake.describe(submission, body_site="elbow_crease", history={"itch": 5})
        for _ in range(photos):
            intake.add_photo(submission, view="close_up", upload=photo_file())
            intake.explain_missing_photo(submission, "other")
        submission.refresh_from_db()
        return submission

    return make


@pytest.fixture
def submission_of(draft_of) -> Callable:

    def make(patient, photos: int = 1, **answers: str):
        return intake.submit(draft_of(patient, photos, **answers), by=patient)

    return make


@pytest.fixture
def alices_draft(alice, draft_of):
    return draft_of(alice)


@pytest.fixture
def alices_submission(alice, submission_of):
    return submission_of(alice)


def rewrite(rows, **values: object) -> None:
    """Change reviews or events with their triggers disabled, as only a superuser of the database can."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        rows.update(**values)
        cursor.execute("SET session_replication_role = DEFAULT")


def send_for_test(photo, stage: str) -> tuple[str, int]:
    """Put the job of a stage under way as dispatch would; return (job, attempt)."""
    from datetime import timedelta

    from django.utils import timezone

    job = photo.jobs.get(stage=stage)
    job.state, job.attempt, job.sent_at = "sent", job.attempt + 1, timezone.now()
    job.deadline = timezone.now() + timedelta(minutes=1)
    job.save()
    return str(job.pk), job.attempt


@pytest.fixture
def analyse() -> Callable:
    """Simulate the worker for one photo: prepare and analyse, recorded by the real functions."""

    def folder(photo, stage: str) -> str:
        """Return the folder of the next attempt."""
        return f"photos/{photo.pk}/{stage}/{photo.jobs.get(stage=stage).attempt + 1}"

    def play(
        photo, *, probabilities=None, reason=None, fault=None, signs=(), segmented_by=None, **classified
    ):
        prepared = messages.Prepared(
            display_key=f"{folder(photo, 'prepare')}/display.jpg",
            analysis_key=f"{folder(photo, 'prepare')}/analysis.jpg",
            thumbnail_key=f"{folder(photo, 'prepare')}/thumbnail.jpg",
            width=800,
            height=600,
            analysis_width=800,
            analysis_height=600,
            quality={"sharpness": 100.0},
            reason=reason,
            fault=fault,
        )
        record(photo, "prepare", prepared)
        if not photo.jobs.filter(stage="analyse").exists():
            return
        box = messages.Box(x=10, y=10, width=200, height=200, skin=0.95, lesion=0.4)
        mask = f"{folder(photo, 'analyse')}/mask.png"
        segmented = messages.Segmented(
            mask_key=mask, skin=0.8, lesion=0.2, boxes=(box,), signs=signs, model=MODEL
        )
        if segmented_by:
            segmented = segmented_by(mask)
        found = probabilities or {"AD": 0.9, "HI": 0.02, "IM": 0.03, "MF": 0.01, "OTHER": 0.04}
        attribution = messages.Attribution(
            key=f"{folder(photo, 'analyse')}/attribution.png", condition=max(found, key=found.get), box=0
        )
        views = (messages.View(box=None, probabilities=found), messages.View(box=0, probabilities=found))
        alarms = (
            alarm("HI", found.get("HI", 0.0)),
            alarm("IM", found.get("IM", 0.0), threshold=0.5, worth=NO_WORTH),
            alarm("MF", found.get("MF", 0.0), threshold=0.5, worth=NO_WORTH),
        )
        result = messages.Classified(
            probabilities=found,
            thresholds={"AD": 0.6, "HI": 0.2, "IM": 0.5, "MF": 0.5},
            top=None if classified.get("abstention") else max(found, key=found.get),
            model=MODEL,
            **(
                {"attribution": attribution, "alarms": alarms, "demonstration": True, "views": views}
                | classified
            ),
        )
        record(photo, "analyse", messages.Analysed(segmented=segmented, classified=result))

    def record(photo, stage, outcome):
        job, attempt = send_for_test(photo, stage)
        assert results.record(job=job, attempt=attempt, worker="test", outcome=outcome)

    return play


@pytest.fixture
def stored() -> Callable:
    """Write the files that a worker would have made for a photo."""
    from pathlib import Path

    from django.conf import settings

    def write(photo) -> None:
        photo.refresh_from_db()
        made = {photo.display_key: b"display", photo.thumbnail_key: b"thumbnail"}
        if photo.analysis:
            made[photo.analysis.mask_key] = b"mask"
            made[photo.analysis.attribution_key] = b"attribution"
        for key, content in made.items():
            path = Path(settings.MEDIA_ROOT) / key
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)

    return write
