"""Pages at a million submissions: milliseconds in the database, queries, p95 over HTTP, and what grows with the record.

Starts PostgreSQL and Valkey of its own below a temporary folder, fills a database of each size (benchmarks/fill.py), then asks
the real web server (Granian, as the demo runs it, with the rights of the web's role) for each page, page after page in turns.
Time and number of queries come from pg_stat_statements.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import psycopg

from benchmarks.frame import ROOT, Section, cpu_ms, in_turns, median, milliseconds, percentile
from benchmarks.pages_report import section
from local import processes, servers

FIRST_SIZE = 1000
ALL_FILES = 1000  # submissions; of more, only those that are open have files
SLOWEST = 3
STATEMENTS = """
SELECT total_exec_time, total_plan_time, calls, query FROM pg_stat_statements s JOIN pg_database d ON d.oid = s.dbid
WHERE d.datname = current_database() AND toplevel AND query NOT LIKE '%pg_stat_statements%' AND query <> 'SELECT $1'
"""
# What the fill left under way was not long ago, however long it took.
FRESHEN = (
    "UPDATE cases_submission SET claimed_at = now() WHERE status = 'in_review'",
    "UPDATE cases_submission SET ai_deadline = now() + interval '10 min' WHERE ai_status = 'waiting'",
)
POLLS = 200
COSTS_ROUNDS = 7


def add_arguments(parser: argparse._ArgumentGroup) -> None:
    parser.add_argument("--submissions", type=int, default=1_000_000, help="the largest size (1,000,000)")
    parser.add_argument("--rounds", type=int, default=60, help="requests of each page (60)")
    parser.add_argument("--folder", type=Path, help="where to keep what is filled, for the next run, too")


def run(options: argparse.Namespace) -> Section:
    with contextlib.ExitStack() as stack:
        state = options.folder and options.folder.resolve()
        if state is None:
            state = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="teleder-bench-")))
        filled = _filled(state, sizes(options.submissions))
        # With fsync from here on, as the product runs.
        with servers.running(state / "servers", given={}) as found:
            costs, measured = {}, {}
            for size in filled:
                environment = settings(found, state) | of_size(found, state, size)
                query(environment["DATABASE_URL"], "CREATE EXTENSION IF NOT EXISTS pg_stat_statements")
                for statement in FRESHEN:
                    query(environment["DATABASE_URL"], statement)
                if size in {min(filled), max(filled)}:
                    measured[size] = measure(environment, state, options.rounds)
                arguments = ("-m", "benchmarks.costs", COSTS_ROUNDS, _files(size))
                costs[size] = json.loads(run_python(environment, *arguments))
    return section(filled, costs, measured)


def _filled(state: Path, wanted: list[int]) -> dict[int, dict[str, Any]]:
    """Fill what the runs before that used this folder have not; return what was made of each size."""
    filled_file = state / "filled.json"
    made = (
        {int(size): each for size, each in json.loads(filled_file.read_text()).items()}
        if filled_file.exists()
        else {}
    )
    if missing := [size for size in wanted if size not in made]:
        with servers.running(state / "servers", durable=False, given={}) as found:
            environment = settings(found, state)
            run_python(environment, "manage.py", "migrate", "-v0")
            run_python(environment, "manage.py", "collectstatic", "--no-input", "-v0")
            query(found.database_url, "ALTER SYSTEM SET shared_preload_libraries = 'pg_stat_statements'")
            query(found.database_url, "ALTER SYSTEM SET pg_stat_statements.track_utility = off")
            query(found.database_url, "ALTER SYSTEM SET pg_stat_statements.track_planning = on")
            for size in missing:
                made[size] = _fill(environment, size)
                filled_file.write_text(json.dumps(made))
    return {size: made[size] for size in wanted}


def sizes(largest: int) -> list[int]:
    """Return the powers of ten from `FIRST_SIZE` below the largest size, and that."""
    found = []
    while FIRST_SIZE * 10 ** len(found) < largest:
        found.append(FIRST_SIZE * 10 ** len(found))
    return [*found, largest]


def _files(size: int) -> str:
    """Return which photos have files: a million photos would have eight million folders."""
    return "all" if size <= ALL_FILES else "open"


def settings(found: servers.Servers, state: Path) -> dict[str, str]:
    return dict(os.environ) | {
        "DATABASE_URL": found.database_url,
        "REDIS_URL": found.redis_url,
        **found.role_urls,
        "DJANGO_SETTINGS_MODULE": "teleder.settings",
        "TELEDER_SECRET_KEY": "benchmark-only-0123456789-abcdefghijklmnopqrstuvwxyz-ABCDEF",
        "TELEDER_PHOTO_KEYS": "dGVzdHMtb25seS10ZXN0cy1vbmx5LXRlc3RzLW9ubHk=",
        "TELEDER_EMAIL_URL": f"file://{state / 'mail'}",
        "TELEDER_STATIC_ROOT": str(state / "static"),
        "TELEDER_INSECURE_COOKIES": "1",
        "TELEDER_STAFF_SECOND_FACTOR": "0",
    }


def of_size(found: servers.Servers, state: Path, size: int) -> dict[str, str]:
    """Return what the environment has of its own for one size: its database and its photos."""
    url = f"{found.database_url.rpartition('/')[0]}/filled_{size}"
    return {"DATABASE_URL": url, "TELEDER_STORAGE": (state / f"photos_{size}").as_uri()}


def _fill(environment: Mapping[str, str], size: int) -> dict[str, Any]:
    began, url = time.monotonic(), environment["DATABASE_URL"]
    base, name = url.rpartition("/")[0], f"filled_{size}"
    query(f"{base}/postgres", f"DROP DATABASE IF EXISTS {name}")  # of a fill that was interrupted
    query(f"{base}/postgres", f"CREATE DATABASE {name} TEMPLATE teleder")
    state = Path(environment["TELEDER_STATIC_ROOT"]).parent
    own = {"DATABASE_URL": f"{base}/{name}", "TELEDER_STORAGE": (state / f"photos_{size}").as_uri()}
    run_python(dict(environment) | own, "manage.py", "init_storage")
    arguments = ("-m", "benchmarks.fill", "--submissions", size, "--files", _files(size))
    answer = run_python(dict(environment) | own, *arguments)
    found = json.loads(answer) | {"seconds": time.monotonic() - began}
    print(f"filled {size:,} in {found['seconds']:.0f} s, {found['bytes'] / 1e9:.2f} GB", flush=True)
    return found


def run_python(environment: Mapping[str, str], *arguments: object) -> str:
    command = [sys.executable, *map(str, arguments)]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise servers.ServerError(f"failed: {' '.join(command[1:])}\n{done.stderr[-3000:]}")
    return done.stdout


def query(url: str, statement: str) -> list[tuple]:
    with psycopg.connect(url, autocommit=True) as connection:
        cursor = connection.execute(statement)
        return cursor.fetchall() if cursor.description else []


# --- Over HTTP --------------------------------------------------------------------------------------------
def measure(environment: Mapping[str, str], state: Path, rounds: int) -> dict[str, dict[str, Any]]:
    """Return for each page its group, p50 and p95 (ms), milliseconds in the database and queries; and CPU of a poll."""
    url = environment["DATABASE_URL"]
    visits = json.loads(run_python(environment, "-m", "benchmarks.visits"))
    with web(environment, state) as (port, session):
        asks = {visit["name"]: Ask(port, visit) for visit in visits}
        for ask in asks.values():
            ask()
            ask()
        found = {name: {"group": ask.visit["group"]} for name, ask in asks.items()}
        for name, times in in_turns({n: a.timed for n, a in asks.items()}, rounds).items():
            found[name] |= {"p50": median(times), "p95": percentile(times, 95)}
        for name, ask in asks.items():
            found[name] |= in_database(url, ask, session, max(5, rounds // 3))
        found["poll"] = poll(asks["worklist, all"], session, url)
    return found


@contextlib.contextmanager
def web(environment: Mapping[str, str], state: Path) -> Iterator[tuple[int, int]]:
    """Run the web server as the demo does; yield its port and the session of its processes."""
    port = servers.free_port()
    supervisor = processes.Supervisor(
        root=ROOT, logs=state / "logs", environment=processes.restricted(environment)
    )
    try:
        supervisor.start("web", "--host", "127.0.0.1", "--port", str(port))
        end = time.monotonic() + 60
        while time.monotonic() < end:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            try:
                connection.request("GET", "/readyz")
                if connection.getresponse().status == 200:
                    break
            except OSError:
                pass
            finally:
                connection.close()
            time.sleep(0.2)
        else:
            raise RuntimeError("the web server was not ready within a minute")
        yield port, supervisor.running["web"].pid
    finally:
        supervisor.stop()


class Ask:
    """One page, asked for by one person over one connection."""

    def __init__(self, port: int, visit: Mapping[str, Any]) -> None:
        self.visit = visit
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self.headers = {"Cookie": f"sessionid={visit['session']}", "Accept": "*/*"}

    def __call__(self, expected: int = 200, **more: str) -> http.client.HTTPResponse:
        headers = self.headers | {name.replace("_", "-"): value for name, value in more.items()}
        try:
            self.connection.request("GET", self.visit["path"], headers=headers)
            answer = self.connection.getresponse()
        except ConnectionError:  # the server closes a connection that is idle for long
            self.connection.close()
            self.connection.request("GET", self.visit["path"], headers=headers)
            answer = self.connection.getresponse()
        answer.read()
        if answer.status != expected:
            raise RuntimeError(f"{self.visit['name']} answered {answer.status}")
        return answer

    def timed(self) -> float:
        return milliseconds(self)


def in_database(url: str, ask: Ask, session: int, times: int) -> dict[str, Any]:
    """Return milliseconds in the database, queries, the slowest of them, and CPU of the web, of one request: medians of some."""
    requests, began = [], cpu_ms(session)
    with psycopg.connect(url, autocommit=True) as connection:
        for _ in range(times):
            connection.execute("SELECT pg_stat_statements_reset()")
            ask()
            requests.append(connection.execute(STATEMENTS).fetchall())
    cpu = cpu_ms(session) - began
    by_query: dict[str, list[float]] = {}
    for row in (row for rows in requests for row in rows):
        by_query.setdefault(_short(row[3]), []).append(row[0])
    slowest = sorted(((median(spent), query) for query, spent in by_query.items()), reverse=True)
    return {
        "database": median([sum(row[0] for row in rows) for rows in requests]),
        "planning": median([sum(row[1] for row in rows) for rows in requests]),
        "queries": median([sum(row[2] for row in rows) for rows in requests]),
        "cpu": cpu / times,
        "slowest": slowest[:SLOWEST],
    }


def _short(query: str, length: int = 160) -> str:
    """Return a query without its columns, in one line of a table."""
    text = re.sub(r"^SELECT .*? FROM", "SELECT … FROM", " ".join(query.split()))
    text = re.sub(r"(\$\d+(::\w+)?(, )?){3,}", "…", text)
    return text[:length].replace("|", "/")


def poll(ask: Ask, session: int, url: str) -> dict[str, Any]:
    """Return what a poll costs that is answered by 304."""
    first = ask(HX_Request="true")
    known, fresh, statuses = first.headers["ETag"], [], 0
    began = cpu_ms(session)
    for _ in range(POLLS):
        ask.connection.request(
            "GET", ask.visit["path"], headers=ask.headers | {"HX-Request": "true", "If-None-Match": known}
        )
        sent = time.perf_counter()
        answer = ask.connection.getresponse()
        answer.read()
        fresh.append((time.perf_counter() - sent) * 1000)
        statuses += answer.status == 304
        known = answer.headers["ETag"]
    spent = cpu_ms(session) - began
    return {"group": "poll", "p50": median(fresh), "p95": percentile(fresh, 95), "cpu": spent / POLLS,
            "unchanged": statuses / POLLS}  # fmt: skip
