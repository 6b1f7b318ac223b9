"""Intake: drawn photos of 3 MB at 8, 64 and 256 connections, against an anchor that does what each upload must do.

Starts PostgreSQL, Valkey and the real web server (Granian, as the demo runs it, with the rights of the web's role) below a
temporary folder. Each connection sends its next photo when the last is answered. The anchor (benchmarks/intake_anchor.py)
makes the same files durable by the product's own storage and cipher and commits as often, in as many processes and threads
as the web has; both take turns.
"""

from __future__ import annotations

import argparse
import http.client
import itertools
import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from benchmarks import intake_anchor, intake_form, pages, pages_report
from benchmarks.frame import ROOT, Goal, Section, Table, cpu_ms, in_turns, median, percentile
from benchmarks.own_system import own_web

UPLOADS = {8: 96, 64: 128, 256: 256}  # by connections, in each round
ROUNDS = 3
TRIES = 8  # of an upload that a busy web does not take
WAIT_S = 0.25  # before the second try, and twice as long before each further one
BUSY = 503
PER_DRAFT = 6
PROFILED = 12
PROCESSES, THREADS = 2, 4  # of the web (local/processes.py), and of the anchor
ANCHORED = 64
CPU_MS, OF_ANCHOR, P99_MS = 25, 0.6, 200
ADDRESSES = 200  # an address may send 3,000 requests a minute

STATEMENTS = (
    "CPU of an upload: two fifths are its SQL statements through Django's ORM (who asks, how often, whether the AI may read, the "
    "lock of the submission, row, job, event, audit), a third is Django around them; the bytes themselves take a sixth."
)
SHARED = (
    "Web, PostgreSQL and the client share two cores, so that CPU is the limit and uploads queue for it; the anchor spends none "
    "on statements."
)


def add_arguments(parser: argparse._ArgumentGroup) -> None:
    parser.add_argument("--intake-rounds", type=int, default=ROUNDS, help=f"rounds of uploads ({ROUNDS})")
    parser.add_argument("--intake-share", type=float, default=1.0, help="of the uploads of each round (1)")


def run(options: argparse.Namespace) -> Section:
    sizes = {count: max(count, round(uploads * options.intake_share)) for count, uploads in UPLOADS.items()}
    wanted = options.intake_rounds * sum(sizes.values()) + max(sizes)
    with own_web() as (state, environment):
        (photo := state / "photo.jpg").write_bytes(intake_form.photo())
        pages.query(environment["DATABASE_URL"], intake_anchor.TABLE)
        arguments = ("-m", "benchmarks.intake_patients", "patients", -(-wanted // PER_DRAFT) + PROFILED)
        people = json.loads(pages.run_python(environment, *arguments))
        profiled, senders = people[:PROFILED], people[PROFILED:]
        with pages.web(environment, state) as (port, session):
            sending = Sending(port, session, senders, photo.read_bytes())
            sending.send(8, 16)  # the first ones import and connect
            sides = {
                "anchor": lambda: anchor(environment, photo),
                **{str(n): lambda n=n, uploads=uploads: sending.send(n, uploads) for n, uploads in sizes.items()},
            }  # fmt: skip
            rates = in_turns(sides, options.intake_rounds)
        arguments = ("-m", "benchmarks.intake_patients", "profile", json.dumps(profiled), photo)
        parts = json.loads(pages.run_python(environment, *arguments))
    return section(photo_bytes=len(sending.photo), rates=rates, sent=sending.measured, parts=parts)


class Sending:
    """Patients' apps that send photos to the web, each connection from an address of its own."""

    def __init__(self, port: int, session: int, senders: list[tuple[str, str]], photo: bytes) -> None:
        self.port, self.session, self.photo = port, session, photo
        # Each patient once before anybody a second time: their uploads wait for each other.
        self.turns: Iterator[tuple[str, str]] = itertools.chain.from_iterable(
            itertools.repeat(senders, PER_DRAFT)
        )
        self.lock = threading.Lock()
        self.measured: dict[int, list[dict[str, Any]]] = {}
        self.repeated = 0

    def send(self, connections: int, uploads: int) -> float:
        """Send photos over so many connections at once; return how many a second were stored."""
        shares = [len(range(number, uploads, connections)) for number in range(connections)]
        before, own, began = cpu_ms(self.session), time.process_time(), time.monotonic()
        self.repeated = 0
        with ThreadPoolExecutor(connections) as pool:
            taken = list(itertools.chain.from_iterable(pool.map(self._one, range(connections), shares)))
        rate = uploads / (time.monotonic() - began)
        self.measured.setdefault(connections, []).append(
            {
                "taken": taken,
                "cpu": (cpu_ms(self.session) - before) / uploads,
                "client": (time.process_time() - own) * 1000 / uploads,
                "repeated": self.repeated,
            }
        )
        return rate

    def _one(self, number: int, uploads: int) -> list[float]:
        source = (f"127.0.1.{1 + number % ADDRESSES}", 0)
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120, source_address=source)
        taken = []
        for _ in range(uploads):
            with self.lock:
                token, draft = next(self.turns)
            began = time.perf_counter()
            for tries in range(TRIES):
                if tries:  # an app sends again, too, and its patient waits so long
                    time.sleep(WAIT_S * 2 ** (tries - 1))
                    with self.lock:
                        self.repeated += 1
                try:
                    status, text = self._upload(connection, token, draft)
                except ConnectionError as error:  # closed before the answer
                    connection.close()
                    status, text = None, repr(error).encode()
                if status not in (None, BUSY):
                    break
            taken.append((time.perf_counter() - began) * 1000)
            if status != 201:
                raise RuntimeError(f"an upload was answered {status}: {text[:200]!r}")
        connection.close()
        return taken

    def _upload(self, connection: http.client.HTTPConnection, token: str, draft: str) -> tuple[int, bytes]:
        parts = list(intake_form.form(self.photo))
        connection.putrequest("POST", f"/api/v1/submissions/{draft}/photos")
        connection.putheader("Authorization", f"Token {token}")
        connection.putheader("Content-Type", f"multipart/form-data; boundary={intake_form.BOUNDARY}")
        connection.putheader("Content-Length", str(sum(map(len, parts))))
        connection.endheaders()
        for part in parts:
            connection.send(part)
        answer = connection.getresponse()
        return answer.status, answer.read()


def anchor(environment: Mapping[str, str], photo: Path) -> float:
    """Return how many uploads a second the anchor makes durable."""
    command = [sys.executable, "-m", "benchmarks.intake_anchor", str(photo), str(ANCHORED), str(THREADS)]
    started = [
        subprocess.Popen(
            command, cwd=ROOT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(PROCESSES)
    ]
    if any(each.stdout.readline() != "ready\n" for each in started):
        raise RuntimeError("the anchor failed")
    for each in started:
        each.stdin.write("\n")
        each.stdin.flush()
    found = [json.loads(each.communicate()[0]) for each in started]
    return PROCESSES * ANCHORED / max(each["seconds"] for each in found)


def section(
    *,
    photo_bytes: int,
    rates: Mapping[str, list[float]],
    sent: Mapping[int, list[dict[str, Any]]],
    parts: Mapping[str, float],
) -> Section:
    anchored, goals, rows = median(rates["anchor"]), [], []
    for connections in UPLOADS:
        rounds = sent[connections][1 if connections == 8 else 0 :]  # the first one was the warm-up
        taken = list(itertools.chain.from_iterable(one["taken"] for one in rounds))
        rate, cpu = median(rates[str(connections)]), median([one["cpu"] for one in rounds])
        share = median(
            [one / other for one, other in zip(rates[str(connections)], rates["anchor"], strict=True)]
        )
        of = f"{connections} connections"
        goals.append(Goal(f"{of}: CPU of the web, an upload", cpu, "ms", CPU_MS, why=STATEMENTS))
        goals.append(Goal(f"{of}: against the anchor", share, "times", OF_ANCHOR, at_least=True, why=SHARED))
        if connections == 8:
            goals.append(Goal(f"{of}: p99", percentile(taken, 99), "ms", P99_MS, why=SHARED))
        client = median([one["client"] for one in rounds])
        repeated = sum(one["repeated"] for one in rounds)
        rows.append(
            (
                connections,
                rate,
                median(taken),
                percentile(taken, 99),
                cpu,
                client,
                f"{share:.2f}",
                len(taken),
                repeated,
            )
        )
    return Section(
        name="intake",
        title="Intake",
        text=(
            f"A drawn photo of 12 megapixels and {photo_bytes / 1e6:.2f} MB, each time with another comment in it, is sent by token to "
            "the API: the answer (201) comes when file and row are durable. The anchor hashes, encrypts and stores the same bytes by "
            f"the product's own classes (fsync of the file and of its four folders) and commits {intake_anchor.COMMITS} times, in "
            f"{PROCESSES} processes of {THREADS} threads: {anchored:.0f} uploads a second. The client shares the cores with the "
            "web, not with the anchor; its CPU stands beside. No worker runs, so that the window of jobs is full, as it is while "
            "uploads come faster than photos are prepared."
        ),
        goals=goals,
        tables=[
            Table(
                "By connections",
                ("connections", "uploads/s", "p50, ms", "p99, ms", "CPU, ms", "client's CPU, ms", "of the anchor", "uploads", "sent again"),
                rows,
            ),
            Table(
                "Where the CPU of an upload goes (a profile in one process, the server's reading of the body left out)",
                ("part", "share"),
                [(part, f"{share:.0%}") for part, share in parts.items()],
            ),
        ],
        unmet=pages_report.busy(),
    )  # fmt: skip
