"""Health probes: liveness, readiness, and the status board for admins.

At this level, because `/status` uses the API's rules and the data of the pages.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import asdict

from django.conf import settings
from django.db import Error, connection, transaction
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from contract.storage import StorageError
from teleder import watching
from teleder.accounts.models import Role, User
from teleder.api.access import ADMINS, EndpointView
from teleder.cases import storage_mark
from teleder.pipeline import heartbeats
from teleder.web.operations import health
from teleder.web.operations.problems import signs_of_life

log = logging.getLogger(__name__)

# The service worker is the same for everybody. With the cookie of an ended session its answer would delete that of a new one.
WITHOUT_COOKIES = {"/healthz", "/readyz", "/metrics", "/service-worker.js"}
CONNECT_SECONDS = 2
LAST_NUMBER = 2**63 - 1  # of a bigint: no audit entry can follow it
# Each statement fails where requests would fail: new pages (a temporary file on the same disk), the write-ahead log and
# a read-only database (a sequence, which does not grow).
WRITES = (
    "SET LOCAL lock_timeout = '2s'",
    "SET LOCAL statement_timeout = '4s'",
    "SET LOCAL work_mem = '64kB'",
    "SELECT count(*) FROM generate_series(1, 20000)",
    "SELECT setval('public.readiness_probe', 1)",
)


def without_cookies(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable:
    """Remove the cookies of a request that needs none: looking up their session would query the database."""

    def answer(request: HttpRequest) -> HttpResponse:
        if request.path in WITHOUT_COOKIES:
            request.COOKIES = {}
        return get_response(request)

    return answer


@require_safe
@never_cache
def healthz(request: HttpRequest) -> HttpResponse:
    """200 while the process is alive, whatever else is down: a restart would repair nothing else."""
    return HttpResponse("ok\n", content_type="text/plain")


@require_safe
@never_cache
def readyz(request: HttpRequest) -> HttpResponse:
    """200 while database and storage accept writes, else 503 with the failing ones.

    Broker and workers do not count: without them every page still works.
    """
    found = "".join(f"{failure}\n" for failure in failures())
    said = found or "ready\n"
    if watching.HEADER in request.headers and not found:
        heartbeats.note_alive(heartbeats.WATCH)
        if not takes_connections():
            heartbeats.note_fault(heartbeats.DATABASE)
        said += "".join(f"{name} does not respond\n" for name in silent_processes())
    return HttpResponse(said, status=503 if found else 200, content_type="text/plain")


def silent_processes() -> list[str]:
    """Return what does not respond; `manage.py watch` asks, and is told of no person and no case."""
    results = health.results_waiting()
    everything = User(role=Role.ADMIN, is_superuser=True)  # never stored
    signs = signs_of_life(timezone.now(), everything, broker_answers=results is not None)
    found = {
        "broker": results is None,
        "connection": signs.database_refuses,
        "web": signs.web_hangs,
        "sweeper": signs.sweeper_is_late,
        "results": signs.results_is_silent,
        "prepare": signs.prepare_is_silent,
        "inference": signs.inference_is_silent,
        "beat": signs.beat_is_silent,
    }
    return [name for name, is_silent in found.items() if is_silent]


def takes_connections() -> bool:
    """Whether PostgreSQL takes a new connection. Those that are open go on working without its main process."""
    parameters = connection.get_connection_params()
    try:
        connection.Database.connect(**parameters | {"connect_timeout": CONNECT_SECONDS}).close()
    except connection.Database.Error as error:
        log.error("the database takes no new connection (%s)", type(error).__name__)
        return False
    return True


def failures() -> list[str]:
    """Return a sentence for each part that accepts no write."""
    found = []
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            for statement in WRITES:
                cursor.execute(statement)
            cursor.execute("SELECT max(number) FROM public.audit_entry")
            (number,) = cursor.fetchone()
    except Error as error:
        log.error("the database does not take a write (%s)", type(error).__name__)
        found.append("the database does not take a write")
    else:
        if number == LAST_NUMBER:
            found.append("the audit log in the database accepts no more entries")
    try:
        storage_mark.require_mark()
        settings.PHOTO_STORAGE.check()
    except StorageError as error:
        log.error("the storage of photos does not take a file (%s)", type(error).__name__)
        found.append("the storage of photos does not take a file")
    return found


class StatusView(EndpointView):
    """The data of the operations board, for an admin. Not part of the described API, because it follows the board."""

    roles = ADMINS

    @extend_schema(exclude=True)
    def get(self, request: Request) -> Response:
        board = health.board(request.user)
        stages = [
            {"stage": stage.value} | row for stage, row in zip(health.STAGES, board.stages, strict=True)
        ]
        found = asdict(board)
        found["alarms"] = found.pop("problems")  # the name of the API's field
        return Response({"sentence": board.sentence} | found | {"stages": stages})
