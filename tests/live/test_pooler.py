"""Behind a real pgbouncer in transaction mode, which resets the session after each transaction, everything works."""

from __future__ import annotations

import io
import os
import shutil
import socket
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from django.core.management import call_command
from django.db import connection, transaction
from django.urls import reverse
from knox.models import AuthToken
from rest_framework.test import APIClient

from local.servers import NAMESPACE, free_port
from teleder.audit.rights import TIME_OUTS
from teleder.cases import reviews
from teleder.cases.models import AIStatus, Job, JobState, Photo, Status
from teleder.privacy import erasure
from teleder.privacy.models import Tombstone, Why
from tests.conftest import PASSWORD
from tests.live.conftest import ROOT, kill, wait_until

pytestmark = [pytest.mark.live, pytest.mark.django_db(transaction=True)]

# Roles belong to the whole server: each process of the test run has its own.
ROLE = f"teleder_pooler_{os.environ.get('PYTEST_XDIST_WORKER', 'test')}"
SECRET = "not-to-be-printed-4c"
# The session is reset after each transaction, so that code which relies on it always fails, not only by chance.
SETTINGS = """[databases]
pooled = host={host} port={port} dbname={database}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {listen_port}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = {folder}/users
pool_mode = transaction
default_pool_size = 4
server_reset_query = DISCARD ALL
server_reset_query_always = 1
client_tls_sslmode = allow
client_tls_key_file = {folder}/key.pem
client_tls_cert_file = {folder}/certificate.pem
"""


def program() -> str:
    """Return the path of pgbouncer. Where `./run test` may install it, its absence is a failure."""
    found = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin")
    if not found and os.geteuid() == 0 and shutil.which("apt-get"):
        pytest.fail("pgbouncer is missing, although ./run test may install it")
    if not found:
        pytest.skip("needs pgbouncer: apt install pgbouncer")
    return found


@dataclass
class Pooler:
    """Where pgbouncer listens, and the URLs that lead to it."""

    port: int
    folder: Path

    def url(self, options: str = "", user: str = ROLE, password: str = SECRET) -> str:
        return f"postgresql://{user}:{password}@127.0.0.1:{self.port}/pooled{options}"


@pytest.fixture
def role(transactional_db, monkeypatch) -> str:
    monkeypatch.setenv("TELEDER_ROLE_PASSWORD", SECRET)
    call_command("audit", "protect", ROLE, stdout=io.StringIO())
    return ROLE


@pytest.fixture
def pooler(role, tmp_path) -> Iterator[Pooler]:
    folder, port, database = tmp_path / "pgbouncer", free_port(), connection.settings_dict
    folder.mkdir()
    users = {ROLE: SECRET, database["USER"]: database["PASSWORD"]}
    (folder / "users").write_text("".join(f'"{name}" "{word}"\n' for name, word in users.items()))
    host, at = database["HOST"] or "localhost", database["PORT"] or 5432
    configuration = SETTINGS.format(
        host=host, port=at, database=database["NAME"], listen_port=port, folder=folder
    )
    (folder / "pgbouncer.ini").write_text(configuration)
    write_certificate(folder)
    prefix = NAMESPACE if os.geteuid() == 0 else []  # it refuses to run as root
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [*prefix, program(), str(folder / "pgbouncer.ini")],
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        wait_until(lambda: listens(port) or process.poll() is not None)
        assert process.poll() is None, (folder / "log").read_text()
        yield Pooler(port, folder)
    finally:
        kill(process)


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def write_certificate(folder: Path, name: str = "certificate") -> None:
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    who = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    made = (
        x509.CertificateBuilder()
        .subject_name(who)
        .issuer_name(who)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    (folder / f"{name}.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    if name == "certificate":
        kind = serialization.PrivateFormat.PKCS8
        plain = key.private_bytes(serialization.Encoding.PEM, kind, serialization.NoEncryption())
        (folder / "key.pem").write_bytes(plain)


@pytest.fixture
def through_pooler(pooler) -> Iterator[Callable[[bool], None]]:
    """Connect Django through pgbouncer as the web's role."""
    usual = dict(connection.settings_dict)

    def switch(cursors_off: bool = True) -> None:
        connection.close()
        connection.settings_dict |= {
            "HOST": "127.0.0.1",
            "PORT": pooler.port,
            "NAME": "pooled",
            "USER": ROLE,
            "PASSWORD": SECRET,
            "DISABLE_SERVER_SIDE_CURSORS": cursors_off,
        }

    yield switch
    connection.close()
    connection.settings_dict.clear()
    connection.settings_dict.update(usual)


def manage(pooler: Pooler, environment: dict, *arguments: str, **more: str) -> subprocess.CompletedProcess:
    variables = environment | {"DATABASE_URL": pooler.url(), "TELEDER_DATABASE_POOLER": "1"} | more
    return subprocess.run(
        [sys.executable, "manage.py", *arguments], cwd=ROOT, env=variables, capture_output=True, text=True
    )


# --- What works -------------------------------------------------------------------------------------------
def test_pgbouncer_forgets_the_session_and_refuses_startup_options(pooler):
    """The controls: without these two the following tests would prove nothing."""
    with psycopg.connect(pooler.url(), autocommit=True, prepare_threshold=None) as made:
        made.execute("SET lock_timeout = '7s'")
        assert made.execute("SHOW lock_timeout").fetchone() != ("7s",)
        made.execute("DECLARE kept CURSOR WITH HOLD FOR SELECT 1")
        with pytest.raises(psycopg.errors.InvalidCursorName):
            made.execute("FETCH kept")
    with pytest.raises(psycopg.OperationalError, match="options"):
        psycopg.connect(pooler.url("?options=-c%20lock_timeout%3D7s"))


def test_long_lists_fail_without_the_setting(through_pooler, alices_submission):
    through_pooler(cursors_off=False)
    with pytest.raises(psycopg.errors.InvalidCursorName):
        try:
            list(Photo.objects.iterator(chunk_size=1))
        except Exception as error:
            raise error.__cause__ from None


def test_the_nightly_commands_work(pooler, environment, alices_submission, dana):
    verified = manage(pooler, environment, "audit", "verify")
    assert (verified.returncode, " 0 faults" in verified.stdout) == (0, True), (
        verified.stdout + verified.stderr
    )
    for arguments in (["check_record"], ["audit", "head"], ["rotate_photo_keys"], ["retention"], ["check"]):
        done = manage(pooler, environment, *arguments)
        assert done.returncode == 0, f"{arguments}: {done.stdout}{done.stderr}"


def test_a_case_goes_from_draft_to_answer(through_pooler, alice, dana, submission_of, analyse):
    through_pooler()
    submission = submission_of(alice, photos=2)
    assert set(Job.objects.values_list("state", flat=True)) == {JobState.SENT}
    for photo in submission.photos.all():
        analyse(photo)
    submission.refresh_from_db()
    assert submission.ai_status == AIStatus.DONE
    reviews.claim(submission, by=dana)
    reviews.sign(
        submission, by=dana, impression="AD", disposition="appointment", text="Soon.", reason="Seen."
    )
    submission.refresh_from_db()
    assert submission.status == Status.ANSWERED


def test_the_sweeper_completes_a_round(through_pooler, alice, submission_of, caplog):
    submission_of(alice)
    Job.objects.update(state=JobState.QUEUED, sent_at=None, deadline=None)
    through_pooler()
    call_command("sweep", "--once")
    assert set(Job.objects.values_list("state", flat=True)) == {JobState.SENT}
    assert not [each for each in caplog.records if each.levelname in ("ERROR", "CRITICAL")]


def test_alice_exports_her_data_and_is_erased(through_pooler, alice, submission_of):
    submission_of(alice)
    through_pooler()
    app = APIClient()
    app.credentials(HTTP_AUTHORIZATION=f"Token {AuthToken.objects.create(alice)[1]}")
    answer = app.post(reverse("api:export"), {"password": PASSWORD}, HTTP_ACCEPT="application/zip")
    assert answer.status_code == 200
    names = zipfile.ZipFile(io.BytesIO(b"".join(answer.streaming_content))).namelist()
    assert {"data.json", "schema.json"} < set(names)
    with transaction.atomic():
        assert erasure.lock(alice.pk)
        erasure.erase_person(alice.pk, why=Why.REQUEST)
    assert Tombstone.objects.count() == 1 and not Photo.objects.exists()


# --- Without the pooler -----------------------------------------------------------------------------------
def test_migrations_and_rights_bypass_the_pooler(pooler, environment):
    """The role behind the pooler cannot check for migrations, because it does not own the tables."""
    owner = environment["DATABASE_URL"]
    for arguments in (["migrate"], ["audit", "protect", ROLE]):
        refused = manage(pooler, environment, *arguments, DATABASE_DIRECT_URL=pooler.url(password="wrong"))
        assert refused.returncode != 0, arguments
        done = manage(pooler, environment, *arguments, DATABASE_DIRECT_URL=owner)
        assert done.returncode == 0, done.stderr
    # Everything else uses the pooler.
    assert (
        manage(
            pooler, environment, "audit", "head", DATABASE_DIRECT_URL="postgresql://127.0.0.1:1/x"
        ).returncode
        == 0
    )


def test_timeouts_are_set_on_the_role(pooler):
    with psycopg.connect(pooler.url(), autocommit=True, prepare_threshold=None) as made:
        found = {name: made.execute(f"SHOW {name}").fetchone()[0] for name in TIME_OUTS}
    assert found == TIME_OUTS


def test_startup_options_and_the_pooler_setting_are_refused_together(pooler, environment):
    url = pooler.url("?options=-c%20lock_timeout%3D7s")
    refused = manage(pooler, environment, "check", DATABASE_URL=url)
    assert refused.returncode != 0 and "ALTER ROLE" in refused.stderr and SECRET not in refused.stderr


# --- The options of the address ---------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("options", "works"),
    [
        ("?sslmode=verify-full&sslrootcert={folder}/certificate.pem", True),
        ("?sslmode=verify-full&sslrootcert={folder}/other.pem", False),
        ("?sslmode=disable", True),
    ],
    ids=["its own authority", "another authority", "no TLS"],
)
def test_the_certificate_named_in_the_url_is_verified(pooler, environment, options, works):
    write_certificate(pooler.folder, "other")
    url = pooler.url(options.format(folder=pooler.folder)).replace("127.0.0.1", "localhost")
    done = manage(pooler, environment, "audit", "head", DATABASE_URL=url)
    assert (done.returncode == 0) == works, done.stderr
    assert SECRET not in done.stdout + done.stderr
