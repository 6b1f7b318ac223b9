"""Celery entry points: unpack, report "started", compute, report the result.

A worker does not report what it cannot foresee: the web gets no result, and sends the photo again, alone.
Networks are loaded in the child as soon as it starts, in a thread beside its first tasks, whose time limits then end only
their waiting. Built in the parent they would block every child (OpenMP threads do not survive a fork).
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
from contract.signs import MeasuredSign
from decoding.sandbox import DecoderLostError
from inference_worker.app import app
from inference_worker.models import attribution, cropping, photo_advice
from inference_worker.models import distance as distance_model
from inference_worker.models.classification import Evidence
from inference_worker.models.signs import signs_of
from inference_worker.photo_files import photo_keys, photo_storage
from inference_worker.preparation import prepare as prepare_photo

log = logging.getLogger(__name__)

HAND_BACK_SECONDS = 1
STORAGE_AWAY = (storage.StorageUnavailableError, storage.StorageFullError)
SEND_RETRIES = {"max_retries": 8, "interval_start": 0.2, "interval_step": 0.5, "interval_max": 2}


class Work(Task):
    """Reports when a message is done with, also after an exception: the web then need not wait for the lease's end."""

    def after_return(self, status, retval, task_id, args, kwargs, einfo) -> None:
        report_ended(self.request.hostname or "", {row["job"]: row["attempt"] for row in kwargs["requests"]})


def _task(stage: Stage) -> Callable:
    # Limits for a full batch; the web sends shorter ones with each message.
    photos = 1 if stage in messages.ALONE else messages.BATCH_LIMIT
    return app.task(
        name=messages.TASKS[stage],
        base=Work,
        bind=True,
        soft_time_limit=messages.SOFT_LIMIT_SECONDS[stage] * photos,
        time_limit=messages.HARD_LIMIT_SECONDS[stage] * photos,
    )


# --- Ids in the log lines of a task, Celery's own too ------------------------------------------------------
_task_context = ExitStack()  # a child does one task at a time


@task_prerun.connect
def open_log_context(task: Task, **_signal: Any) -> None:
    traces = task.request.get(logs.TRACE_HEADER) or {}
    _task_context.enter_context(logs.about(trace=" ".join(set(traces.values())), job=" ".join(traces)))


@task_postrun.connect
def close_log_context(**_signal: Any) -> None:
    _task_context.close()


# --- The tasks --------------------------------------------------------------------------------------------
@_task(Stage.PREPARE)
def prepare(task: Task, **message: Any) -> None:
    for request in accept_requests(task, message):
        try:
            outcome = _prepared(request)
        except DecoderLostError as error:  # the others of the batch go on
            with log_context(task, request):
                log.warning("decoder lost (%s)", error)
            continue
        except STORAGE_AWAY as error:
            outcome = _storage_away(error)
        report_result(task, request, outcome)


@_task(Stage.SEGMENT)
def segment(task: Task, **message: Any) -> None:
    photos = dict(_readable(task, accept_requests(task, message)))
    if not photos or (network := _network_or_report(task, photos, segmenter)) is None:
        return
    started = time.perf_counter()
    masks = network(list(photos.values()))
    seconds = (time.perf_counter() - started) / len(photos)
    for request, mask in zip(photos, masks, strict=True):
        try:
            outcome: Outcome = _segmented(request, photos[request], mask, seconds)
        except STORAGE_AWAY as error:
            outcome = _storage_away(error)
        report_result(task, request, outcome)


@_task(Stage.CLASSIFY)
def classify(task: Task, **message: Any) -> None:
    photos = dict(_readable(task, accept_requests(task, message)))
    if not photos or (network := _network_or_report(task, photos, classifier)) is None:
        return
    findings = network.with_evidence(list(photos.values()), [request.boxes for request in photos])
    for (request, photo), (outcome, evidence) in zip(photos.items(), findings, strict=True):
        described = attribution_for(request, photo, outcome, evidence)
        report_result(task, request, dataclasses.replace(outcome, attribution=described))


@_task(Stage.CHECK)
def check(task: Task, **message: Any) -> None:
    photos = dict(_readable(task, accept_requests(task, message)))
    if not photos or (network := _network_or_report(task, photos, segmenter)) is None:
        return
    started = time.perf_counter()
    scores = network.scores(list(photos.values()))
    seconds = (time.perf_counter() - started) / len(photos)
    for request, score in zip(photos, scores, strict=True):
        found = photo_advice.describe(score.argmax(axis=0), model=network.model, seconds=seconds)
        report_result(task, request, found)


@_task(Stage.DISTANCE)
def distance(task: Task, **message: Any) -> None:
    photos = dict(_readable(task, accept_requests(task, message)))
    if not photos or (finder := _network_or_report(task, photos, segmenter)) is None:
        return
    if (network := _network_or_report(task, photos, classifier)) is None:
        return
    for request, photo in photos.items():
        found, _views = distance_model.report(photo, finder, network, model=finder.model)
        report_result(task, request, found)


# --- Messages to the web ----------------------------------------------------------------------------------
def accept_requests(task: Task, message: dict[str, Any]) -> list[Request]:
    """Unpack the requests and report them started; a message of another contract version goes back to the queue."""
    try:
        requests = messages.unpack_requests(**message)
    except (messages.ContractError, TypeError) as error:
        log.warning("handed back: %s", error)
        time.sleep(HAND_BACK_SECONDS)  # during a deploy a worker of the right version is near; do not spin
        raise Reject(str(error), requeue=True) from error
    for request in requests:
        kwargs = {"contract": messages.VERSION, "job": request.job, "attempt": request.attempt}
        with log_context(task, request):
            log.info("begun: %s, attempt %s", request.stage, request.attempt)
            send_to_web(messages.STARTED, kwargs | {"worker": task.request.hostname or ""})
    return requests


def report_result(task: Task, request: Request, outcome: Outcome) -> None:
    with log_context(task, request):
        log.info("done: %s, %s", request.stage, outcome.kind)
        send_to_web(
            messages.RECORD, messages.pack_outcome(request, outcome, worker=task.request.hostname or "")
        )


def log_context(task: Task, request: Request) -> AbstractContextManager:
    """Name photo, job and the request of the web that brought the photo in what is logged and sent."""
    traces = task.request.get(logs.TRACE_HEADER) or {}
    return logs.about(trace=traces.get(request.job, ""), photo=request.photo, job=request.job)


def report_ended(worker: str, work: dict[str, int] | None) -> None:
    """Report that no result will follow of this work ({job: attempt}; None: of all that this worker ever started)."""
    with suppress(RedisError, OperationalError):  # a lost report costs time only
        send_to_web(messages.ENDED, {"worker": worker, "work": work}, retry=False)


@worker_init.connect
def report_ended_on_start(sender: Any, **_signal: Any) -> None:
    """Let each new child end what its predecessor had started; with several children it could be another one's work."""
    if sender.concurrency == 1:
        worker_process_init.connect(lambda **_: report_ended(sender.hostname, None), weak=False)


def send_to_web(name: str, kwargs: dict[str, Any], *, retry: bool = True) -> None:
    app.send_task(
        name,
        kwargs=kwargs,
        queue=messaging.queue(messages.RESULTS_QUEUE),
        retry=retry,
        retry_policy=SEND_RETRIES,
        headers={logs.TRACE_HEADER: logs.current("trace")},
    )


# --- The work ---------------------------------------------------------------------------------------------
def _prepared(request: Request) -> Outcome:
    files = photo_storage()
    try:
        original = photo_keys().open(files.read(request.source), request.source)
    except (storage.FileMissingError, storage.StorageKeyError):
        return Failed(code="file_missing")
    except encryption.LockedOriginalError as error:
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
            report_result(task, request, Failed(code="file_missing"))
        except STORAGE_AWAY as error:
            report_result(task, request, _storage_away(error))
        except ValueError:
            report_result(task, request, Failed(code="analysis_copy_unreadable"))


def _storage_away(error: OSError) -> Failed:
    """Return what lets the web send the photo again later: neither the photo nor this worker is at fault."""
    log.error("the storage of photos is away (%s: %s)", type(error).__name__, error)
    return Failed(code=messages.STORAGE_UNAVAILABLE)


def _segmented(request: Request, photo: np.ndarray, mask: np.ndarray, seconds: float) -> Segmented:
    key = f"{request.prefix}/mask.png"
    _ok, png = cv2.imencode(".png", mask)
    photo_storage().write(key, png.tobytes())
    signs: tuple[MeasuredSign, ...] = ()
    try:
        signs = signs_of(photo, mask, segmenter())
    except Exception:  # what describes a rash must never cost its crops
        log.exception("job %s: no signs", request.job)
    return cropping.describe(mask, key=key, model=segmenter().model, seconds=seconds, signs=signs)


def attribution_for(
    request: Request, photo: np.ndarray, found: Classified, evidence: Evidence
) -> Attribution | None:
    key = f"{request.prefix}/attribution.png"
    try:
        described, png = attribution.explain(photo, request.boxes, found, evidence, key)
        photo_storage().write(key, png)
    except Exception:  # a picture that explains a finding must never cost the finding
        log.exception("job %s: no attribution", request.job)
        return None
    return described


# --- Networks ---------------------------------------------------------------------------------------------
_loading = threading.Lock()


@worker_process_init.connect
def load_networks(**_signal: Any) -> None:
    """Start to load what this worker's queues need: nothing, where it only prepares."""
    taken = {stage for stage in Stage if messages.QUEUES[stage] in app.amqp.queues.consume_from}
    loads = {
        segmenter: {Stage.SEGMENT, Stage.CHECK, Stage.DISTANCE},
        classifier: {Stage.CLASSIFY, Stage.DISTANCE},
    }
    _loading.acquire()
    wanted = [load for load, stages in loads.items() if stages & taken]
    threading.Thread(target=_load, args=[wanted], daemon=True).start()


def _load(wanted: list[Callable[[], Any]]) -> None:
    """Load; the first task that needs a network meets the same error again and reports it."""
    try:
        for load in wanted:
            with suppress(Exception):
                try_to_load(load)
    finally:
        _loading.release()


def _network_or_report(task: Task, requests: Iterable[Request], load: Callable[[], Any]) -> Any:
    """Return the network; where its weights are refused, None, and the photos go to people without AI at once.

    The refusal is not cached: once the file is right again, the next message uses it.
    A child in which loading was interrupted (by the time limit) ends: a library would stay half imported in it, no later
    import repairs that, and each later photo would fail.
    """
    with _loading:
        pass
    try:
        network, refusal = try_to_load(load)
    except Exception:
        log.exception("the networks could not be loaded: this process ends, another takes its place")
        logging.shutdown()
        os._exit(1)
    if refusal is not None:
        log.error("%s", refusal)
        for request in requests:
            report_result(task, request, Failed(code="weights_refused"))
    return network


def try_to_load(load: Callable[[], Any]) -> tuple[Any, Exception | None]:
    """Return the network, or why its weights are refused."""
    from inference_worker.models.weights import WeightsError

    try:
        return load(), None
    except WeightsError as error:
        return None, error


@functools.cache
def _engine():
    from inference_worker.models import engine

    return engine.select_engine()


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
