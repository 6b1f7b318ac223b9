"""Drills of the broker: R3 flushed, R4 unavailable, R5 restarted, stalled, disconnected."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress

import redis

from contract import messages, messaging
from drills.client import wait_until
from drills.oracle import Figures, percentile_95, settle
from drills.run import SETTLE_SECONDS, Run, drill
from local.processes import WORKERS

FLUSH_SECONDS = 5
PAUSE_SECONDS = 10
SUBMIT_P95_SECONDS = 1.0
RETURN_SECONDS = 120
BACK_SECONDS = 15
LOAD_SECONDS = 30


@drill("R3", "the broker flushed (FLUSHALL) under load", guard="notice")
def flushall(run: Run) -> Figures:
    """The long form has a backlog of thousands, sent while no worker was running."""
    clients, backlog = run.clients(), run.few_or_many(0, 5000)
    with run.system.leaving_out(*WORKERS):
        clients.send(backlog, threads=8)
    sending = clients.sending(run.few_or_many(20, 300), threads=2)
    broker, pauses = run.system.broker(), []
    limit = time.monotonic() + run.few_or_many(15, 60)
    while time.monotonic() < limit or sending.is_alive():
        broker.flushall()
        pauses.append(_seconds_until_done(PAUSE_SECONDS))
        time.sleep(max(0.0, FLUSH_SECONDS - pauses[-1]))
    settle(clients, max(SETTLE_SECONDS, backlog))
    found = run.finish(clients, bound=float("inf"))
    found.notes.append(
        f"flushed {len(pauses)} times, {backlog} waiting; next job done after {max(pauses):.1f} s at most"
    )
    if max(pauses) > PAUSE_SECONDS:
        found.late.append(f"no job was done for {PAUSE_SECONDS} s")
    if clients.refusals:
        found.broken.append("a patient got an error because of the broker")
    return found


def _seconds_until_done(limit: float) -> float:
    """Return the seconds until the next job is done; return at once if no job waits."""
    from teleder.cases.models import Job, JobState
    from teleder.pipeline.transitions import UNFINISHED

    began, before = time.monotonic(), Job.objects.filter(state=JobState.DONE).count()
    while time.monotonic() < began + limit + 1 and Job.objects.filter(state__in=UNFINISHED).exists():
        if Job.objects.filter(state=JobState.DONE).count() > before:
            break
        time.sleep(0.1)
    return time.monotonic() - began


@drill("R4", "the broker unavailable while patients send", guard="broker-away")
def away(run: Run) -> Figures:
    clients = run.clients()
    run.system.stop_server("broker", signal.SIGKILL)
    clients.send(run.few_or_many(20, 200), threads=2)
    time.sleep(run.few_or_many(0, 240))
    run.system.start_server("broker")
    back = time.monotonic()
    found = run.finish(clients, bound=float("inf"))
    after, p95 = time.monotonic() - back, percentile_95([each.answered_in for each in clients.accepted])
    found.notes.append(f"submit answered in {p95:.2f} s (p95), all finished {after:.0f} s after its return")
    if p95 > SUBMIT_P95_SECONDS:
        found.late.append(f"submit took longer than {SUBMIT_P95_SECONDS} s")
    if after > RETURN_SECONDS:
        found.late.append(f"not finished {RETURN_SECONDS} s after the broker's return")
    if clients.refusals:
        found.broken.append("a patient got an error because of the broker")
    return found


@drill("R5", "the broker restarted without its data, stalled, its connections closed", guard="notice")
def disturbed(run: Run) -> Figures:
    clients = run.clients()
    running = run.system.supervisor.running
    workers = [running[name].pid for name in WORKERS]
    back = []
    queues = [key for queue in messages.QUEUES.values() for key in messaging.lists_of(queue).values()]
    for fault in (_restart, _stall, _reset):
        sending = clients.sending(run.few_or_many(8, 40), threads=4)
        broker = run.system.broker()
        wait_until(lambda broker=broker: any(map(broker.llen, queues)), LOAD_SECONDS)
        fault(run)
        back.append(_seconds_until_done(90))
        sending.join()
    found = run.finish(clients, bound=float("inf"))
    found.notes.append("jobs processed again after " + ", ".join(f"{each:.0f} s" for each in back))
    if max(back) > BACK_SECONDS:
        found.late.append(f"workers took no job for {BACK_SECONDS} s")
    if [running[name].pid for name in WORKERS] != workers:
        found.broken.append("a worker had to be restarted")
    return found


def _restart(run: Run) -> None:
    run.system.stop_server("broker", signal.SIGKILL)
    run.system.start_server("broker")


def _stall(run: Run) -> None:
    pid = run.system.pid_of("broker")
    os.kill(pid, signal.SIGSTOP)
    time.sleep(run.few_or_many(10, 30))
    os.kill(pid, signal.SIGCONT)


def _reset(run: Run) -> None:
    with suppress(redis.RedisError):
        run.system.broker().execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
