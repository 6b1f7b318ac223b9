"""Celery entry points: unpack, say "started", compute, say what came of it.

What a worker cannot foresee it does not report: the web hears silence, and sends the photo again, alone.
Networks are loaded in the child as soon as it starts, beside its first tasks, whose time limits then cut only their
waiting short. Built in the parent they would hang every child (OpenMP threads do not survive a fork).
"""

from __future__ import annotations

import dataclasses
import functools
import logging
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, suppress
from typing import Any

import cv2
import numpy as np
import simplejpeg
from celery import Task
from celery.exceptions import Reject
from celery.signals import task_postrun, task_prerun, worker_init, worker_process_init
from kombu.exceptions import OperationalError
from redis import RedisError

from contract import encryption, logs, messages, messaging, storage
from contract.messages import Attribution, Classified, Failed, Outcome, Request, Segmented, Stage
from inference_worker.app import app
from inference_worker.decode.sandbox import DecoderLost
from inference_worker.models import cropping
from inference_worker.preparation import prepare as prepare_photo

log = logging.getLogger(__name__)

HAND_BACK_SECONDS = 1
STORAGE_AWAY = (storage.StorageUnavailableError, storage.StorageFullError)
SEND_RETRIES = {"max_retries": 8, "interval_start": 0.2, "interval_step": 0.5, "interval_max": 2}


class Work(Task):
    """Tells when a message is done with, also by an exception: the web then need not wait for the lease's end."""

    def after_return(self, status, retval, task_id, args, kwargs, einfo) -> None:
        _end(self.request.hostname or "", {row["job"]: row["attempt"] for row in kwargs["requests"]})


def _task(stage: Stage) -> Callable:
    # Limits for a full batch; the web sends shorter ones with each message.
    return app.task(
        name=messages.TASKS[stage],
        base=Work,
        bind=True,
        soft_time_limit=messages.SOFT_LIMIT_SECONDS[stage] * messages.BATCH_LIMIT,
        time_limit=messages.HARD_LIMIT_SECONDS[stage] * messages.BATCH_LIMIT,
    )


# --- What a task's log lines are about, Celery's own too ---------------------------------------------------
_about_a_task = ExitStack()  # a child does one task at a time


@task_prerun.connect
def name_the_jobs(task: Task, **_signal: Any) -> None:
    traces = task.request.get(logs.TRACE_HEADER) or {}
    _about_a_task.enter_context(logs.about(trace=" ".join(set(traces.values())), job=" ".join(traces)))


@task_postrun.connect
def forget_the_jobs(**_signal: Any) -> None:
    _about_a_task.close()


# --- The three tasks --------------------------------------------------------------------------------------
@_task(Stage.PREPARE)
def prepare(task: Task, **message: Any) -> None:
    for request in _begin(task, message):
        try:
            outcome = _prepared(request)
        except DecoderLost as error:  # the others of the batch go on
            with _about(task, request):
                log.warning("decoder lost (%s)", error)
            continue
        except STORAGE_AWAY as error:
            outcome = _storage_away(error)
        _record(task, request, outcome)


@_task(Stage.SEGMENT)
def segment(task: Task, **message: Any) -> None:
    photos = dict(_readable(task, _begin(task, message)))
    if not photos or (network := _network(task, photos, segmenter)) is None:
        return
    started = time.perf_counter()
    masks = network(list(photos.values()))
    seconds = (time.perf_counter() - started) / len(photos)
    for request, mask in zip(photos, masks, strict=True):
        try:
            outcome: Outcome = _segmented(request, mask, seconds)
        except STORAGE_AWAY as error:
            outcome = _storage_away(error)
        _record(task, request, outcome)


@_task(Stage.CLASSIFY)
def classify(task: Task, **message: Any) -> None:
    photos = dict(_readable(task, _begin(task, message)))
    if not photos or (network := _network(task, photos, classifier)) is None:
        return
    outcomes = network(list(photos.values()), [request.boxes for request in photos])
    for (request, photo), outcome in zip(photos.items(), outcomes, strict=True):
        _record(task, request, dataclasses.replace(outcome, attribution=_attributed(request, photo, outcome)))


# --- Talking to the web -----------------------------------------------------------------------------------
def _begin(task: Task, message: dict[str, Any]) -> list[Request]:
    """Unpack and tell the web; a message of another version of the contract goes back to the queue."""
    try:
        requests = messages.unpack_requests(**message)
    except (messages.ContractError, TypeError) as error:
        log.warning("handed back: %s", error)
        time.sleep(HAND_BACK_SECONDS)  # during a deploy a worker of the right version is near; do not spin
        raise Reject(str(error), requeue=True) from error
    for request in requests:
        kwargs = {"contract": messages.VERSION, "job": request.job, "attempt": request.attempt}
        with _about(task, request):
            log.info("begun: %s, attempt %s", request.stage, request.attempt)
            _tell(messages.STARTED, kwargs | {"worker": task.request.hostname or ""})
    return requests


def _record(task: Task, request: Request, outcome: Outcome) -> None:
    with _about(task, request):
        log.info("done: %s, %s", request.stage, outcome.kind)
        _tell(messages.RECORD, messages.pack_outcome(request, outcome, worker=task.request.hostname or ""))


def _about(task: Task, request: Request) -> AbstractContextManager:
    """Name photo, job and the request of the web that brought the photo in what is logged and sent."""
    traces = task.request.get(logs.TRACE_HEADER) or {}
    return logs.about(trace=traces.get(request.job, ""), photo=request.photo, job=request.job)


def _end(worker: str, work: dict[str, int] | None) -> None:
    """Say that of this work ({job: attempt}; None: of all that was ever begun here) no result will follow."""
    with suppress(RedisError, OperationalError):  # unsaid, it costs time only
        _tell(messages.ENDED, {"worker": worker, "work": work}, retry=False)


@worker_init.connect
def say_what_died_here(sender: Any, **_signal: Any) -> None:
    """Let each new child tell of what its predecessor had begun; of several children nobody knows whose it was."""
    if sender.concurrency == 1:
        worker_process_init.connect(lambda **_: _end(sender.hostname, None), weak=False)


def _tell(name: str, kwargs: dict[str, Any], *, retry: bool = True) -> None:
    app.send_task(
        name,
        kwargs=kwargs,
        queue=messaging.queue(messages.RESULTS_QUEUE),
        retry=retry,
        retry_policy=SEND_RETRIES,
        headers={logs.TRACE_HEADER: logs.current("trace")},
    )


# --- The keys of the originals ----------------------------------------------------------------------------
@functools.cache
def photo_keys() -> encryption.Keys:
    return encryption.from_environment()


@worker_init.connect
def read_keys_once(**_signal: Any) -> None:
    """Take the keys out of the environment: the children that decode strangers' bytes must not get them."""
    try:
        photo_keys()
    except encryption.BadKeys as error:  # a worker that prepares nothing needs none
        log.warning("no photo can be prepared here: %s", error)
    try:
        photo_storage()
    except ValueError as error:  # no stage works without; the text names no secret
        raise SystemExit(str(error)) from None
    for name in (encryption.NAME, *storage.SECRET_NAMES):
        os.environ.pop(name, None)


@functools.cache
def photo_storage() -> storage.Storage:
    """Return the storage of the photos; read once, as the environment loses the keys of S3."""
    return storage.from_environment()


# --- The work ---------------------------------------------------------------------------------------------
def _prepared(request: Request) -> Outcome:
    files = photo_storage()
    try:
        original = photo_keys().open(files.read(request.source), request.source)
    except (storage.FileMissingError, storage.StorageKeyError):
        return Failed(code="file_missing")
    except encryption.Locked as error:
        log.error("%s", error)
        return Failed(code="original_locked")
    preparation = prepare_photo(original)
    keys = {f"{name}_key": f"{request.prefix}/{name}.jpg" for name in preparation.copies}
    for name, copy in preparation.copies.items():
        files.write(keys[f"{name}_key"], copy)
    return dataclasses.replace(preparation.outcome, **keys)


def _readable(task: Task, requests: list[Request]) -> Iterator[tuple[Request, np.ndarray]]:
    """Yield each request with its analysis copy (H, W, 3) uint8; report those that have none."""
    for request in requests:
        try:
            yield request, simplejpeg.decode_jpeg(photo_storage().read(request.source), "RGB")
        except (storage.FileMissingError, storage.StorageKeyError):
            _record(task, request, Failed(code="file_missing"))
        except STORAGE_AWAY as error:
            _record(task, request, _storage_away(error))
        except ValueError:
            _record(task, request, Failed(code="analysis_copy_unreadable"))


def _storage_away(error: OSError) -> Failed:
    """Return what lets the web send the photo again later: neither the photo nor this worker is at fault."""
    log.error("the storage of photos is away (%s: %s)", type(error).__name__, error)
    return Failed(code=messages.STORAGE_UNAVAILABLE)


def _segmented(request: Request, mask: np.ndarray, seconds: float) -> Segmented:
    key = f"{request.prefix}/mask.png"
    _ok, png = cv2.imencode(".png", mask)
    photo_storage().write(key, png.tobytes())
    return cropping.describe(mask, key=key, model=segmenter().model, seconds=seconds)


def _attributed(request: Request, photo: np.ndarray, found: Classified) -> Attribution | None:
    key = f"{request.prefix}/attribution.png"
    try:
        attribution, png = attributor().explain(photo, request.boxes, found, key)
        photo_storage().write(key, png)
    except Exception:  # a picture that explains a finding must never cost the finding
        log.exception("job %s: no attribution", request.job)
        return None
    return attribution


# --- Networks ---------------------------------------------------------------------------------------------
_loading = threading.Lock()


@worker_process_init.connect
def load_networks(**_signal: Any) -> None:
    """Begin to load what this worker's queues need: nothing, where it only prepares."""
    loads = {Stage.SEGMENT: segmenter, Stage.CLASSIFY: classifier}
    taken = app.amqp.queues.consume_from
    _loading.acquire()
    wanted = [load for stage, load in loads.items() if messages.QUEUES[stage] in taken]
    threading.Thread(target=_load, args=[wanted], daemon=True).start()


def _load(wanted: list[Callable[[], Any]]) -> None:
    """Whatever stands against it is found again, and told, by the first task that needs it."""
    try:
        for load in wanted:
            with suppress(Exception):
                _loaded(load)
    finally:
        _loading.release()


def _network(task: Task, requests: Iterable[Request], load: Callable[[], Any]) -> Any:
    """Return the network; where its weights are refused, none, and people are told at once that they decide.

    The refusal is not kept: once the file is right again, the next message finds it.
    A child in which loading was cut short (by the time limit) ends: half of torch would stay in it, no later import
    heals that, and each photo that came would fail.
    """
    with _loading:
        pass
    try:
        network, refusal = _loaded(load)
    except Exception:
        log.exception("the networks could not be loaded: this process ends, another takes its place")
        logging.shutdown()
        os._exit(1)
    if refusal is not None:
        log.error("%s", refusal)
        for request in requests:
            _record(task, request, Failed(code="weights_refused"))
    return network


def _loaded(load: Callable[[], Any]) -> tuple[Any, Exception | None]:
    """Return the network, or why its weights are refused."""
    from inference_worker.models.weights import WeightsError

    try:
        return load(), None
    except WeightsError as error:
        return None, error


@functools.cache
def _engine():
    from inference_worker.models import engine

    return engine.pick()


@functools.cache
def segmenter():
    from inference_worker.models.segmentation import Segmenter
    from inference_worker.models.weights import published

    return Segmenter(published("segmentation"), _engine())


@functools.cache
def classifier():
    from inference_worker.models.classification import Classifier
    from inference_worker.models.weights import published

    return Classifier(published("classification"), _engine())


@functools.cache
def attributor():
    from inference_worker.models.attribution import Attributor

    return Attributor(classifier())
