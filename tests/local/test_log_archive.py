"""PostgreSQL's log of all changes, as the compose file keeps it (docker/postgres), and a restore to a moment from it."""

from __future__ import annotations

import os
import re
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from local import servers

pytestmark = pytest.mark.live

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "docker" / "postgres"
SECONDS = 60


class Server:
    """PostgreSQL with the files of the compose file, and what a container would give it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.data, self.kept = folder, folder / "server" / "postgres", folder / "log"
        self.port, self.password = servers.free_port(), folder / "server" / "password"
        self.kept.mkdir()

    @property
    def environment(self) -> dict[str, str]:
        return os.environ | {
            "PATH": f"{servers.postgres_binaries()}:{os.environ['PATH']}",
            "PGDATA": str(self.data),
            "PGHOST": "127.0.0.1",
            "PGPORT": str(self.port),
            "PGUSER": "teleder",
            "POSTGRES_PASSWORD_FILE": str(self.password),
            "TELEDER_LOG": str(self.kept),
        }

    def log(self, *words: str) -> subprocess.CompletedProcess:
        """Run docker/postgres/log.sh."""
        command = ["sh", FOLDER / "log.sh", *words]
        return subprocess.run(
            command, env=self.environment, capture_output=True, text=True, check=False, timeout=SECONDS
        )

    @contextmanager
    def running(self) -> Iterator[psycopg.Connection]:
        """Start the server with docker/postgres/postgresql.conf, whose folder is another here; stop it at the end."""
        here = self.folder / "etc"
        here.mkdir(exist_ok=True)
        for file in FOLDER.iterdir():
            text = file.read_text().replace("/etc/teleder", str(here)).replace("'*'", "'127.0.0.1'")
            (here / file.name).write_text(text)
        prefix = servers._as_somebody()
        command = [*prefix, str(servers.postgres_binaries() / "postgres")]
        for setting in (
            f"config_file={here}/postgresql.conf",
            f"port={self.port}",
            "unix_socket_directories=",
        ):
            command += ["-c", setting]
        with (self.folder / "postgres.log").open("ab") as log:
            process = subprocess.Popen(command, env=self.environment, stdout=log, stderr=log)
        try:
            connection = self._wait(lambda: self._connected(process))
            with connection:
                yield connection
        finally:
            servers.stop(process)

    def _connected(self, process: subprocess.Popen) -> psycopg.Connection | None:
        assert process.poll() is None, (self.folder / "postgres.log").read_text()[-2000:]
        try:
            found = psycopg.connect(
                host="127.0.0.1",
                port=self.port,
                user="teleder",
                dbname="teleder",
                password=self.password.read_text(),
                autocommit=True,
            )
        except psycopg.OperationalError:
            return None
        if found.execute("SELECT pg_is_in_recovery()").fetchone()[0]:
            return found.close()
        return found

    def _wait(self, ask: Callable):
        end = time.monotonic() + SECONDS
        while not (found := ask()):
            assert time.monotonic() < end, (self.folder / "postgres.log").read_text()[-2000:]
            time.sleep(0.1)
        return found


@pytest.fixture
def server(tmp_path) -> Server:
    found = Server(tmp_path)
    with servers.running(tmp_path / "server", given={"REDIS_URL": "none"}):  # makes the files
        pass
    return found


def test_a_database_goes_back_to_the_moment_before_somebody_emptied_a_table(server):
    with server.running() as owner:
        owner.execute("CREATE TABLE cases (name text)")
        done = server.log("copy")
        assert done.returncode == 0, done.stderr
        owner.execute("INSERT INTO cases VALUES ('kept by the log')")
        owner.execute("SELECT pg_switch_wal()")
        owner.execute("INSERT INTO cases VALUES ('not kept yet when it stopped')")
        time.sleep(1.1)  # the name of the copy, and so the choice of it, is exact to a second
        (moment,) = owner.execute("SELECT clock_timestamp()::timestamptz(0) + interval '1 second'").fetchone()
        time.sleep(2.1)
        owner.execute("DELETE FROM cases")
    done = server.log("restore", moment.isoformat())
    assert done.returncode == 0, done.stderr
    with server.running() as owner:
        rows = owner.execute("SELECT name FROM cases ORDER BY name").fetchall()
        assert rows == [("kept by the log",), ("not kept yet when it stopped",)]
        owner.execute("INSERT INTO cases VALUES ('it can be written again')")
    assert list(server.data.parent.glob("postgres-before-*"))  # the former data is not thrown away


def test_the_log_and_the_copies_before_the_last_but_one_are_removed(server):
    with server.running() as owner:
        for number in range(3):
            done = server.log("copy")
            assert done.returncode == 0, done.stderr
            owner.execute("SELECT pg_switch_wal()")
            owner.execute(f"CREATE TABLE filler_{number} ()")
            time.sleep(1.1)  # copies are named by the second
    copies = sorted(server.kept.glob("base-*"))
    assert len(copies) == 2
    text = subprocess.run(
        ["tar", "-xzOf", copies[0] / "base.tar.gz", "backup_label"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    first = re.search(r"\(file (\w{24})\)", text)[1]
    segments = sorted(file.name[:24] for file in server.kept.glob("?" * 24 + ".gz"))
    assert segments[0] == first


def test_a_segment_of_another_database_is_not_written_over(server, tmp_path):
    one, other = tmp_path / "one", tmp_path / "other"
    one.write_bytes(b"1" * 100)
    other.write_bytes(b"2" * 100)
    name = "0" * 23 + "1"
    assert server.log("keep", str(one), name).returncode == 0
    assert server.log("keep", str(one), name).returncode == 0  # its answer was lost
    refused = server.log("keep", str(other), name)
    assert refused.returncode == 1 and "another database" in refused.stderr
    assert server.log("fetch", name, str(tmp_path / "back")).returncode == 0
    assert (tmp_path / "back").read_bytes() == one.read_bytes()
    assert server.log("fetch", "0" * 23 + "2", str(tmp_path / "none")).returncode == 1
    assert not (tmp_path / "none").exists()


def test_a_moment_before_the_oldest_copy_is_refused_in_a_sentence(server):
    done = server.log("restore", "2020-01-01 00:00:00+09")
    assert done.returncode == 1 and "is older than 2020-01-01" in done.stderr
    assert (server.data / "PG_VERSION").exists()
