"""`/metrics`: the figures of the operations board, of all clinics together, for Prometheus.

Counts and times only, of no person and no case. At this level beside the probes, which machines read too.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

from teleder.accounts.models import Role, User
from teleder.web.operations import health
from teleder.web.operations.health import Board

QUANTILES = ("0.5", "0.95")


@require_safe
@never_cache
def metrics(request: HttpRequest) -> HttpResponse:
    """Answer who shows `TELEDER_METRICS_TOKEN`; for anybody else, and while it is not set, there is no such page."""
    scheme, _space, shown = request.headers.get("Authorization", "").partition(" ")
    token = settings.METRICS_TOKEN
    if not token or scheme != "Bearer" or not secrets.compare_digest(shown.encode(), token.encode()):
        raise Http404
    registry = CollectorRegistry(auto_describe=False)
    registry.register(Collector())
    return HttpResponse(generate_latest(registry), content_type=CONTENT_TYPE_PLAIN_0_0_4)


class Collector:
    """Reads the board once for each scrape."""

    def collect(self) -> Iterator[GaugeMetricFamily]:
        # Who may see every clinic; never stored.
        board = health.board(User(role=Role.ADMIN, is_superuser=True))
        yield from _jobs(board)
        yield from _stages(board)
        yield from _ai(board)
        yield from _people(board)
        yield _gauge("teleder_broker_up", "Whether Valkey answers", board.results_waiting is not None)
        yield _gauge("teleder_results_waiting", "Results to be recorded", board.results_waiting or 0)
        yield _gauge("teleder_refused_messages", "Messages of workers refused in 24 h", board.refused)
        yield _gauge("teleder_problems", "Problems that the operations board names", len(board.problems))


def _jobs(board: Board) -> Iterator[GaugeMetricFamily]:
    labels = ("stage", "state", "urgency")
    jobs = GaugeMetricFamily("teleder_jobs", "Jobs that wait, run or have stopped", labels=labels)
    oldest = GaugeMetricFamily("teleder_job_oldest_seconds", "Age of the oldest of them", labels=labels)
    for row in board.waiting_jobs:
        of = [str(row[label]) for label in labels]
        jobs.add_metric(of, row["n"])
        oldest.add_metric(of, _seconds_since(row["oldest"]))
    yield from (jobs, oldest)


def _stages(board: Board) -> Iterator[GaugeMetricFamily]:
    parts = GaugeMetricFamily(
        "teleder_stage_seconds",
        "Of jobs done in the last hour: seconds until sent (wait), from then to the result (work)",
        labels=("stage", "part", "quantile"),
    )
    batch = GaugeMetricFamily(
        "teleder_batch_photos", "Mean photos in a job's message, last hour", labels=("stage",)
    )
    done = GaugeMetricFamily("teleder_jobs_done", "Jobs done in 24 h", labels=("stage",))
    for row in board.stages:
        done.add_metric([str(row["stage"])], row["done"])
        if row["batch"] is None:
            continue
        batch.add_metric([str(row["stage"])], row["batch"])
        for part in ("wait", "work"):
            for quantile, seconds in zip(QUANTILES, row[part], strict=True):
                parts.add_metric([str(row["stage"]), part, quantile], seconds)
    yield from (parts, batch, done)
    workers = GaugeMetricFamily(
        "teleder_worker_photos", "Jobs done in 24 h by each worker", labels=("worker",)
    )
    busy = GaugeMetricFamily("teleder_worker_busy", "Jobs that a worker works on", labels=("worker",))
    for row in board.workers:
        workers.add_metric([row["worker"]], row["done"])
        busy.add_metric([row["worker"]], row["busy"])
    yield from (workers, busy)


def _ai(board: Board) -> Iterator[GaugeMetricFamily]:
    """Rates of the model that was used last, over its newest photos; none without a photo."""
    rate = board.alarm_rate
    yield _gauge("teleder_ai_photos", "Newest photos over which the AI's rates are counted", rate.photos)
    yield from _share("teleder_alarm_rate", "Share of their submissions with an alarm", rate.alarmed)
    yield from _share(
        "teleder_abstain_rate", "Share of them of which the model names nothing", rate.abstained
    )
    yield _gauge("teleder_alarm_rate_outside", "Whether the alarm rate has left its band", rate.is_outside)
    engines = GaugeMetricFamily(
        "teleder_engine_photos", "Of them, by each engine and device", labels=("engine",)
    )
    for engine, n in rate.devices.items():
        engines.add_metric([engine], n)
    yield engines
    yield from _share(
        "teleder_spot_check_missed", "Share of spot checks found more urgent", board.spot_checks.missed
    )


def _people(board: Board) -> Iterator[GaugeMetricFamily]:
    waiting, mail = board.submissions, board.messages
    yield _gauge(
        "teleder_submissions_waiting", "Submissions that wait for a dermatologist", waiting["waiting"]
    )
    yield _gauge("teleder_submissions_overdue", "Of them, those past their due time", waiting["overdue"])
    yield _gauge(
        "teleder_submissions_without_ai", "Of them, those the AI was not available for", waiting["without_ai"]
    )
    yield _gauge(
        "teleder_submission_oldest_seconds", "Age of the oldest of them", _seconds_since(waiting["oldest"])
    )
    yield _gauge("teleder_messages_unsent", "Messages to people to be sent", mail["queued"])
    yield _gauge("teleder_messages_failed", "Messages to people that failed", mail["failed"])
    yield _gauge(
        "teleder_message_oldest_seconds", "Age of the oldest unsent message", _seconds_since(mail["oldest"])
    )


def _gauge(name: str, text: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, text, value=float(value))


def _share(name: str, text: str, share: Any) -> Iterator[GaugeMetricFamily]:
    if share.n:
        yield _gauge(name, text, share.of / share.n)


def _seconds_since(moment: Any) -> float:
    return max(0.0, (timezone.now() - moment).total_seconds()) if moment else 0.0
