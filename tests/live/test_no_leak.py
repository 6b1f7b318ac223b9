"""One complete run with real processes and planted words; afterwards all their output is searched for these words.

Every way a word can leak is tried: forms, addresses, headers, files, broken requests, a row that PostgreSQL refuses (it
quotes the row), messages that no task accepts (Celery quotes the message).
"""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
import requests
from django.conf import settings as django_settings
from django.db import connection

from contract import messages
from drills.mail import Mailbox
from local.servers import free_port
from teleder.accounts.models import Invitation, PatientProfile, Role
from teleder.cases.models import NOT_AWAITED, AIStatus, Job, Photo, Submission
from teleder.pipeline.transitions import UNFINISHED
from tests.conftest import CALM
from tests.live.conftest import ROOT, wait_until

Image = pytest.importorskip("PIL.Image")
heif = pytest.importorskip("pillow_heif")
phantom = pytest.importorskip("training.phantom")

pytestmark = [pytest.mark.live, pytest.mark.django_db(transaction=True)]

CANARY = "TELEDER-PII-CANARY-7f3a"
NAME, EMAIL = "Hanako Kanariya-7f3a", "hanako.kanariya-7f3a@example.com"
PASSWORD, WRONG = "right-sesame-7f3a", "wrong-sesame-7f3a"
BIRTH, TEXT, ANSWER = 1931, "mein Kanarienvogel 7f3a", "Bitte Kanarienvogelsalbe 7f3a"
FILE = "Kanariya-Hanako-7f3a"
# These may only be in the database's own columns and in the encrypted original. The year is searched as part of a birth
# date: as a number alone it would be found in times and process ids.
PLANTED = [
    CANARY,
    NAME,
    "Kanariya",
    "kanariya",
    "sesame-7f3a",
    "Kanarienvogel",
    r"(?i)birth\W*(year)?\W*1931",
]
MAGIC = (b"\xff\xd8\xff", b"\x89PNG", b"RIFF", b"ftyp")
NEW_TEXT = f"{TEXT} refused"


# --- Photos with metadata ---------------------------------------------------------------------------------
def photo_of_a_phone(kind: str, seed: int) -> bytes:
    """A drawn photo with the canary in EXIF, maker note, GPS, thumbnail and XMP, and behind its end."""
    photo = Image.fromarray(phantom.draw(seed, condition="AD").photo)
    thumbnail = io.BytesIO()
    photo.resize((16, 16)).save(thumbnail, "JPEG", comment=CANARY.encode())
    exif = Image.Exif()
    exif[0x010F], exif[0x9C9D] = CANARY, CANARY.encode("utf-16-le")
    exif.get_ifd(0x8769)[0x927C] = CANARY.encode()  # maker note
    exif.get_ifd(0x8825)[29] = CANARY
    exif.get_ifd(0x8769)[0x9286] = thumbnail.getvalue()
    options = {"exif": exif.tobytes(), "quality": 92}
    if kind != "PNG":
        options["xmp"] = f"<x:xmpmeta>{CANARY}</x:xmpmeta>".encode()
    file = io.BytesIO()
    if kind == "HEIF":
        heif.register_heif_opener()
    photo.save(file, kind, **options)
    assert CANARY.encode() in file.getvalue()
    return file.getvalue() + (CANARY.encode() if kind == "JPEG" else b"")


KINDS = {"JPEG": "jpg", "PNG": "png", "WEBP": "webp", "HEIF": "heic"}


# --- All output -------------------------------------------------------------------------------------------
class Monitor(threading.Thread):
    """Records every command that Valkey receives."""

    def __init__(self, client: redis.Redis) -> None:
        super().__init__(daemon=True)
        self.client, self.heard, self.over = client, [], False
        self.ready = threading.Event()

    def run(self) -> None:
        with self.client.monitor() as monitor:
            self.ready.set()
            while not self.over:
                self.heard.append(monitor.next_command()["command"])

    def stop(self) -> str:
        self.over = True
        self.client.ping()
        self.join(5)
        return "\n".join(self.heard)


def content_of(client: redis.Redis) -> str:
    """Return all keys of Valkey with their values."""
    read = {b"string": "get", b"hash": "hgetall", b"set": "smembers"}
    values = []
    for key in client.scan_iter():
        kind = client.type(key)
        if kind == b"list":
            values.append((key, client.lrange(key, 0, -1)))
        elif kind == b"zset":
            values.append((key, client.zrange(key, 0, -1)))
        else:
            values.append((key, getattr(client, read[kind])(key)))
    return repr(values)


def dump() -> Iterator[tuple[str, str]]:
    """Yield each table's name and rows as text."""
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f'SELECT row_to_json(t)::text FROM "{table}" t')
            yield table, "\n".join(row for (row,) in cursor.fetchall())


def logs_of_servers(client: redis.Redis) -> Iterator[tuple[str, str]]:
    with connection.cursor() as cursor:
        cursor.execute("SHOW data_directory")
        folders = {"postgres": cursor.fetchone()[0], "valkey": client.config_get("dir")["dir"]}
    for name, folder in folders.items():
        log = Path(folder).parent / f"{name}.log"
        if log.exists():  # embedded servers; another server's log is its owner's
            yield f"{name}.log", log.read_text(errors="replace")


def leaks(written: dict[str, str], planted: list[str]) -> list[str]:
    found = []
    for place, text in written.items():
        for word in planted:
            if hit := re.search(word, text):
                line = text[max(0, hit.start() - 200) : hit.end() + 100]
                found.append(f"{word!r} in {place}: …{line}…")
    return found


# --- People -----------------------------------------------------------------------------------------------
class Browser(requests.Session):
    """A browser session or an app; it keeps every answer."""

    def __init__(self, url: str, token: str = "") -> None:
        super().__init__()
        self.url, self.answers = url, []
        self.headers["Accept-Language"] = "en"
        if token:
            self.headers["Authorization"] = f"Token {token}"

    def request(self, method: str, path: str, **more) -> requests.Response:
        more |= {"allow_redirects": False, "timeout": 60}
        answer = super().request(method, self.url + path, **more)
        self.answers.append(f"{method} {answer.status_code} {answer.headers} {answer.text}")
        return answer

    def form(self, path: str, fields: dict, **more) -> requests.Response:
        self.get(path)
        token = re.findall(r'name="csrfmiddlewaretoken" value="(\w+)"', self.answers[-1])[-1]
        return self.post(path, data=fields | {"csrfmiddlewaretoken": token}, **more)


@pytest.fixture
def url(environment, process, tmp_path) -> str:
    """Start the complete system and return the URL of its web."""
    environment |= {"TELEDER_STATIC_ROOT": str(tmp_path / "static"), "TELEDER_LOG_FORMAT": "json"}
    environment |= {"TELEDER_STAFF_SECOND_FACTOR": "0", "DJANGO_SETTINGS_MODULE": "teleder.settings"}
    collect = [sys.executable, "manage.py", "collectstatic", "--no-input", "--verbosity", "0"]
    subprocess.run(collect, cwd=ROOT, env=environment, check=True)
    port = free_port()
    for name in ("results", "prepare", "inference", "sweeper"):
        process(name)
    process("web", "--host", "127.0.0.1", "--port", str(port))
    here = f"http://127.0.0.1:{port}"
    wait_until(lambda: _answers(f"{here}/readyz"), seconds=240)
    return here


def _answers(url: str) -> bool:
    try:
        return requests.get(url, timeout=5).ok
    except requests.RequestException:
        return False


@pytest.fixture
def hanako(person, settings):
    # The web uses its usual hasher, and must read what the test wrote.
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.PBKDF2PasswordHasher"]
    hanako = person(EMAIL.partition("@")[0])
    hanako.name = NAME
    hanako.set_password(PASSWORD)
    hanako.save()
    PatientProfile.objects.filter(user=hanako).update(birth_year=BIRTH)
    return hanako


@pytest.fixture
def daisy(person, settings):
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.PBKDF2PasswordHasher"]
    daisy = person("daisy", "dermatologist")
    daisy.set_password(PASSWORD)
    daisy.save()
    return daisy


def token_of(url: str, email: str) -> str:
    answer = Browser(url).post("/api/v1/tokens", json={"email": email, "password": PASSWORD})
    assert answer.status_code == 201, answer.text
    return answer.json()["token"]


def send_and_answer(app: Browser, doctor: Browser) -> list[str]:
    """Send four photos and have them answered; return the ids of the requests that brought them."""
    pk = app.post("/api/v1/submissions", json={"answers": CALM}).json()["id"]
    history = {"treatment": TEXT, "contacts": TEXT, "allergies": TEXT, "itch": 5}
    described = app.patch(f"/api/v1/submissions/{pk}", json={"body_site": "elbow_crease", "history": history})
    assert described.status_code == 200, described.text
    traces = []
    for number, (kind, ending) in enumerate(KINDS.items()):
        file = (f"{FILE}.{ending}", photo_of_a_phone(kind, number))
        sent = app.post(f"/api/v1/submissions/{pk}/photos", data={"view": "close_up"}, files={"file": file})
        assert sent.status_code == 201, sent.text
        traces.append(sent.headers["X-Request-ID"])
    wait_until(lambda: not Photo.objects.filter(state="stored").exists(), seconds=300)
    wait_until(lambda: not Job.objects.filter(state__in=UNFINISHED).exists(), seconds=300)
    for photo in Photo.objects.filter(state="poor"):
        app.post(f"/api/v1/photos/{photo.pk}/send-anyway")
    sent = app.post(f"/api/v1/submissions/{pk}/submit", json={"missing_photo": "other"})
    assert sent.status_code == 202, sent.text
    wait_until(lambda: Submission.objects.get().ai_status == AIStatus.DONE, seconds=420)
    assert doctor.post(f"/api/v1/submissions/{pk}/claim").status_code == 200
    answer = {"impression": "AD", "disposition": "days_2", "text": ANSWER, "reason": TEXT}
    assert doctor.post(f"/api/v1/submissions/{pk}/reviews", json=answer).status_code == 201
    for path in ("", "/photos", "/status", "/reviews"):
        app.get(f"/api/v1/submissions/{pk}{path}")
    for photo in Photo.objects.all():
        for kind in ("display", "thumbnail", "mask", "attribution"):
            doctor.get(f"/api/v1/photos/{photo.pk}/{kind}")
    doctor.get(f"/api/v1/submissions/{pk}/findings")
    return traces


def break_things(url: str, app: Browser, page: Browser, invitation: str) -> list[requests.Response]:
    """Cause every kind of failure with words that must not leak; return the answers."""
    with (
        connection.cursor() as cursor
    ):  # a rule that refuses the row with a text: PostgreSQL quotes all of it
        cursor.execute(
            "ALTER TABLE cases_submission ADD CONSTRAINT planted CHECK (history::text NOT LIKE '%refused%')"
        )
    pk = app.post("/api/v1/submissions", json={"answers": CALM}).json()["id"]
    failures = [
        app.patch(f"/api/v1/submissions/{pk}", json={"history": {"treatment": NEW_TEXT}}),
        page.get(f"/{CANARY}?q={CANARY}"),
        page.get(f"/api/{CANARY}?q={CANARY}"),
        page.get(f"/invitation/{invitation}x/"),
        page.get("/healthz", headers={"Host": f"{CANARY}.example"}),
        page.post("/accounts/login/", data={"login": EMAIL, "password": WRONG}),
        app.post("/api/v1/submissions", data=f"{{{CANARY}", headers={"Content-Type": "application/json"}),
        app.post("/api/v1/submissions", data="x", headers={"Content-Type": f"text/{CANARY}"}),
        app.put("/api/v1/submissions", json={TEXT: CANARY}),
        app.get("/api/v1/me", headers={"Authorization": f"Token {CANARY}"}),
        app.get("/api/v1/me", headers={"X-Request-ID": CANARY, "Cookie": f"sessionid={CANARY}"}),
        page.get(f"/accounts/password/reset/key/1-{CANARY}/"),
    ]
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE cases_submission DROP CONSTRAINT planted")
    statuses = [answer.status_code for answer in failures]
    assert statuses == [500, 404, 404, 410, 400, 403, 400, 415, 405, 401, 200, 200], statuses
    return failures


def send_nonsense(settings) -> None:
    """Send messages with planted words that no task accepts or can read."""
    from teleder.celery import app

    words = {"text": TEXT, "name": NAME, "canary": CANARY}
    for queue in (messages.RESULTS_QUEUE, messages.WEB_QUEUE, *messages.QUEUES.values()):
        app.send_task("nobody.knows", kwargs=words, queue=queue)
        app.send_task(messages.RESULTS, args=[CANARY], kwargs=words, queue=queue)
    app.send_task(
        messages.TASKS["prepare"], kwargs={"requests": [words]}, queue=messages.QUEUES["prepare"], expires=30
    )
    app.send_task(
        messages.OLDER_STARTED,
        kwargs={"job": CANARY, "attempt": TEXT, "worker": NAME},
        queue=messages.WEB_QUEUE,
    )


def ended(running: Path) -> dict[str, str]:
    return {path.name: path.read_text(errors="replace") for path in sorted(running.glob("*.log"))}


# --- The run ----------------------------------------------------------------------------------------------
def test_no_planted_word_of_hanako_appears_in_any_output(
    url, settings, hanako, daisy, adam, environment, process, tmp_path, mailbox
):
    client = redis.Redis.from_url(settings.REDIS_URL)
    monitor = Monitor(redis.Redis.from_url(settings.REDIS_URL, socket_timeout=None))
    monitor.start()
    assert monitor.ready.wait(10)
    page = Browser(url)
    assert page.form("/accounts/login/", {"login": EMAIL, "password": WRONG}).status_code == 200
    assert page.form("/accounts/login/", {"login": EMAIL, "password": PASSWORD}).status_code == 302
    tokens = [token_of(url, hanako.email), token_of(url, daisy.email)]
    app, doctor = (Browser(url, token) for token in tokens)
    traces = send_and_answer(app, doctor)
    Browser(url).form("/accounts/password/reset/", {"email": EMAIL})
    _invitation, link = Invitation.issue(email="erik@example.com", role=Role.ADMIN, by=adam)
    answers = [*app.answers, *doctor.answers, *page.answers]
    failures = break_things(url, app, page, link)
    wait_until(lambda: mailbox.taken.total() >= 3)
    valkey = {"commands of Valkey": monitor.stop(), "Valkey": content_of(client)}
    assert messages.RESULTS in valkey["commands of Valkey"]
    send_nonsense(settings)
    wait_until(
        lambda: all(
            "nobody.knows" in ended(tmp_path)[name] or "unregistered" in ended(tmp_path)[name]
            for name in ("results-0.log", "prepare-1.log", "inference-2.log")
        ),
        seconds=60,
    )
    time.sleep(3)

    written = ended(tmp_path) | dict(logs_of_servers(client))
    assert {"web-4.log", "results-0.log", "prepare-1.log", "inference-2.log", "sweeper-3.log"} <= set(written)
    assert "postgres.log" in written
    session = page.cookies[django_settings.SESSION_COOKIE_NAME]
    searched = [*PLANTED, *tokens, session, link, re.escape(hanako.password.rpartition("$")[2])]
    assert leaks(written | valkey, searched) == []
    assert_one_search_follows_a_photo(written, traces)
    assert_error_answers_name_the_log(failures, written["web-4.log"])
    refusals = {f"answer {n}": answer.text for n, answer in enumerate(failures) if is_an_error(answer)}
    assert len(refusals) == 9 and leaks(refusals, [CANARY, NAME, EMAIL, TEXT]) == []
    assert_mails_contain_no_health_data(mailbox)
    assert_metadata_is_only_in_the_encrypted_original(Path(settings.MEDIA_ROOT), answers)


def assert_one_search_follows_a_photo(written: dict[str, str], traces: list[str]) -> None:
    """A search for the id of the upload request shows every step of the photo in every process."""
    for trace in traces:
        lines = [line for text in written.values() for line in text.splitlines() if trace in line]
        text = "\n".join(lines)
        stages = Job.objects.filter(photo__trace=trace).values_list("stage", flat=True)
        # A poor photo is not checked, and one without an alarm has no distance report.
        assert {*stages, *NOT_AWAITED} == set(messages.Stage)
        for stage in stages:
            for step in (f"sent: {stage}", f"begun: {stage}", f"done: {stage}"):
                assert step in text, f"{step} is not in\n{text}"
        assert text.count('"message": "result: attempt') == len(stages)
        assert f"queued: {messages.Stage.PREPARE}" in text
        assert {json.loads(line)["trace"] for line in lines} == {trace}
        places = {name.partition("-")[0] for name, text in written.items() if trace in text}
        assert {"web", "prepare", "results"} <= places


def is_an_error(answer: requests.Response) -> bool:
    """Exclude the pages that say that an invitation or a link has expired."""
    return answer.status_code >= 400 and answer.status_code != 410


def assert_error_answers_name_the_log(failures: list[requests.Response], log: str) -> None:
    for answer in failures:
        trace = answer.headers["X-Request-ID"]
        assert trace in log, answer.url
        if is_an_error(answer):
            assert trace in answer.text, answer.url
    rows = [json.loads(line) for line in log.splitlines() if '"error"' in line]
    [failed] = [row for row in rows if row["trace"] == failures[0].headers["X-Request-ID"]]
    assert "CheckViolation 23514 planted" in failed["error"]


def assert_mails_contain_no_health_data(mailbox: Mailbox) -> None:
    recipient = rf"(?m)^To: .*$|{re.escape(EMAIL)}"
    bodies = {name: re.sub(recipient, "", text) for name, text in mailbox.texts.items()}
    assert leaks(bodies, [*PLANTED, "elbow", r"\bAD\b"]) == []


def assert_metadata_is_only_in_the_encrypted_original(media: Path, answers: list[str]) -> None:
    files = [path for path in media.rglob("*") if path.is_file()]
    originals = [path for path in files if "original" in path.parts]
    assert len(originals) == len(KINDS) and len(files) > 3 * len(KINDS)
    for path in files:
        content = path.read_bytes()
        assert CANARY.encode() not in content and FILE.encode() not in content, path
        assert FILE not in str(path)
        if path in originals:
            assert not content.startswith(MAGIC[:3]) and content[4:8] != MAGIC[3]
    assert {photo.original_key for photo in Photo.objects.all()} == {
        str(path.relative_to(media)) for path in originals
    }
    hidden = [CANARY, FILE]
    assert leaks(dict(dump()), hidden) == []
    assert leaks({f"answer {n}": text for n, text in enumerate(answers)}, hidden) == []
