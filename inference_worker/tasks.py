"""Celery entry points: unpack, report "started", compute, report the results.

A worker does not report what it cannot foresee: the web gets no result, and sends the photo again, alone.
"""

from __future__ import annotations

import dataclasses
import logging
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from typing import Any

import cv2
import numpy as np
import simplejpeg
from celery import Task, signals
from celery.exceptions import Reject, SoftTimeLimitExceeded, TimeLimitExceeded, WorkerLostError
from kombu.exceptions import OperationalError
from redis import RedisError

from contract import encryption, logs, messages, messaging, storage
from contract.messages import Analysed, Failed, Outcome, Request, Segmented, Stage
from contract.signs import MeasuredSign
from decoding.photo_file import RejectedError
from decoding.sandbox import DecoderLostError
from inference_worker.app import app
from inference_worker.models import attribution, cropping, loading, photo_advice
from inference_worker.models import distance as distance_model
from inference_worker.models.signs import signs_of
from inference_worker.photo_files import photo_keys, photo_storage
from inference_worker.preparation import copy_in_full
from inference_worker.preparation import prepare as prepare_photo

log = logging.getLogger(__name__)

HAND_BACK_SECONDS = 1
REPORTED = "reported"  # on the request of a task: of which jobs the results were sent
STORAGE_AWAY = (storage.StorageUnavailableError, storage.StorageFullError)
SEND_RETRIES = {"max_retries": 8, "interval_start": 0.2, "interval_step": 0.5, "interval_max": 2}


class Work(Task):
    """Reports of what a message has no result when it is done with: the web then need not wait for the lease's end."""

    def after_return(self, status, retval, task_id, args, kwargs, einfo) -> None:
        done = getattr(self.request, REPORTED, set())
        rows = (row for row in kwargs["requests"] if row["job"] not in done)
        report_ended(self.request.hostname or "", {row["job"]: row["attempt"] for row in rows})


def _task(stage: Stage) -> Callable:
    photos = 1 if stage in messages.ALONE else messages.BATCH_LIMIT  # the web sends shorter limits
    return app.task(
        name=messages.TASKS[stage],
        base=Work,
        bind=True,
        soft_time_limit=messages.SOFT_LIMIT_SECONDS[stage] * photos,
        time_limit=messages.HARD_LIMIT_SECONDS[stage] * photos,
    )


# --- Ids in the log lines of a task, Celery's own too ------------------------------------------------------
_task_context = ExitStack()  # a child does one task at a time


@signals.task_prerun.connect
def open_log_context(task: Task, **_signal: Any) -> None:
    traces = task.request.get(logs.TRACE_HEADER) or {}
    _task_context.enter_context(logs.about(trace=" ".join(set(traces.values())), job=" ".join(traces)))


@signals.task_postrun.connect
def close_log_context(**_signal: Any) -> None:
    _task_context.close()


# --- The tasks --------------------------------------------------------------------------------------------
@_task(Stage.PREPARE)
def prepare(task: Task, **message: Any) -> None:
    _one_by_one(task, message, _prepared)


@_task(Stage.FULL)
def full(task: Task, **message: Any) -> None:
    _one_by_one(task, message, _full_copy)


@_task(Stage.ANALYSE)
def analyse(task: Task, **message: Any) -> None:
    with results_of(task, message) as (requests, outcomes):
        photos = _read(requests, outcomes)
        if not photos or (finder := _network_or_failure(photos, outcomes, loading.segmenter)) is None:
            return
        started = time.perf_counter()
        masks = finder(list(photos.values()))
        seconds = (time.perf_counter() - started) / len(photos)
        found: dict[Request, Segmented] = {}
        for request, mask in zip(photos, masks, strict=True):
            try:
                found[request] = _segmented(request, photos[request], mask, seconds)
            except STORAGE_AWAY as error:
                outcomes[request] = _storage_away(error)
        outcomes |= _analysed({request: photos[request] for request in found}, found) if found else {}


@_task(Stage.CHECK)
def check(task: Task, **message: Any) -> None:
    with results_of(task, message) as (requests, outcomes):
        photos = _read(requests, outcomes)
        if not photos or (network := _network_or_failure(photos, outcomes, loading.segmenter)) is None:
            return
        started = time.perf_counter()
        scores = network.scores(list(photos.values()))
        seconds = (time.perf_counter() - started) / len(photos)
        for request, score in zip(photos, scores, strict=True):
            mask = score.argmax(axis=0)
            outcomes[request] = photo_advice.describe(mask, model=network.model, seconds=seconds)


@_task(Stage.DISTANCE)
def distance(task: Task, **message: Any) -> None:
    with results_of(task, message) as (requests, outcomes):
        photos = _read(requests, outcomes)
        if not photos or (finder := _network_or_failure(photos, outcomes, loading.segmenter)) is None:
            return
        if (network := _network_or_failure(photos, outcomes, loading.classifier)) is None:
            return
        for request, photo in photos.items():
            outcomes[request], _views = distance_model.report(photo, finder, network, model=finder.model)


# --- Messages to the web ----------------------------------------------------------------------------------
@contextmanager
def results_of(task: Task, message: dict[str, Any]) -> Iterator[tuple[list[Request], dict[Request, Outcome]]]:
    """Yield the requests of a message and a place for their outcomes: sent together at the end, also after an exception."""
    requests, outcomes = accept_requests(task, message), {}
    try:
        yield requests, outcomes
    finally:
        if outcomes:
            report_results(task, outcomes)


def accept_requests(task: Task, message: dict[str, Any]) -> list[Request]:
    """Unpack the requests and report them started; a message of another contract version goes back to the queue."""
    try:
        requests = messages.unpack_requests(**message)
    except (messages.ContractError, TypeError) as error:
        log.warning("handed back: %s", error)
        time.sleep(HAND_BACK_SECONDS)  # during a deploy a worker of the right version is near; do not spin
        raise Reject(str(error), requeue=True) from error
    for request in requests:
        with log_context(task, request):
            log.info("begun: %s, attempt %s", request.stage, request.attempt)
    started = {"contract": messages.VERSION, "worker": task.request.hostname or ""}
    send_to_web(messages.STARTED, started | {"work": {each.job: each.attempt for each in requests}})
    return requests


def report_results(task: Task, outcomes: dict[Request, Outcome]) -> None:
    for request, outcome in outcomes.items():
        with log_context(task, request):
            log.info("done: %s, %s", request.stage, outcome.kind)
    results = [messages.pack_outcome(*each) for each in outcomes.items()]
    send_to_web(messages.RESULTS, messages.pack_results(results, worker=task.request.hostname or ""))
    setattr(task.request, REPORTED, {request.job for request in outcomes})


def log_context(task: Task, request: Request) -> AbstractContextManager:
    """Name photo, job and the request of the web that brought the photo in what is logged and sent."""
    traces = task.request.get(logs.TRACE_HEADER) or {}
    return logs.about(trace=traces.get(request.job, ""), photo=request.photo, job=request.job)


def report_ended(worker: str, work: dict[str, int] | None) -> None:
    """Report that no result will follow of this work ({job: attempt}; None: of all that this worker ever started)."""
    if work == {}:
        return
    with suppress(RedisError, OperationalError):  # a lost report costs time only
        send_to_web(messages.ENDED, {"worker": worker, "work": work}, retry=False)


@signals.worker_process_init.connect
def load_networks(**_signal: Any) -> None:
    loading.start({stage for stage in Stage if messages.QUEUES[stage] in app.amqp.queues.consume_from})


@signals.worker_init.connect
def report_for_lost_children(sender: Any, **_signal: Any) -> None:
    """Let the parent end the work of a child that was killed, and when it starts, all that was begun before."""

    def report(exception: Exception, kwargs: dict[str, Any], **_signal: Any) -> None:
        if isinstance(exception, WorkerLostError | TimeLimitExceeded):
            report_ended(sender.hostname, {row["job"]: row["attempt"] for row in kwargs.get("requests", ())})

    signals.task_failure.connect(report, weak=False)
    signals.worker_ready.connect(lambda **_: report_ended(sender.hostname, None), weak=False)


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
def _one_by_one(task: Task, message: dict[str, Any], work: Callable[[Request, bytes], Outcome]) -> None:
    """Work on the original of each photo; one that costs its decoder does not stop the others of the batch."""
    with results_of(task, message) as (requests, outcomes):
        for request in requests:
            try:
                stored = photo_storage().read_same(request.source, "")
                outcomes[request] = work(request, photo_keys().open_original(stored, request.source))
            except DecoderLostError as error:
                with log_context(task, request):
                    log.warning("decoder lost (%s)", error)
            except STORAGE_AWAY as error:
                outcomes[request] = _storage_away(error)
            except (storage.FileMissingError, storage.StorageKeyError):
                outcomes[request] = Failed(code=messages.FILE_MISSING)
            except encryption.LockedOriginalError as error:
                log.error("%s", error)
                outcomes[request] = Failed(code=messages.ORIGINAL_LOCKED)


def _prepared(request: Request, original: bytes) -> Outcome:
    preparation = prepare_photo(original)
    made = {}
    for name, copy in preparation.copies.items():
        made[f"{name}_key"] = key = f"{request.prefix}/{name}.jpg"
        made[f"{name}_sha256"] = photo_storage().write_hashed(key, copy)
    return dataclasses.replace(preparation.outcome, **made)


def _full_copy(request: Request, original: bytes) -> Outcome:
    started, key = time.perf_counter(), f"{request.prefix}/full.jpg"
    try:
        sha256 = photo_storage().write_hashed(key, copy_in_full(original))
    except RejectedError as rejected:
        return Failed(code=rejected.reason)
    seconds = round(time.perf_counter() - started, 4)
    return messages.FullCopy(full_key=key, full_sha256=sha256, seconds=seconds)


def _read(requests: list[Request], outcomes: dict[Request, Outcome]) -> dict[Request, np.ndarray]:
    """Return the analysis copy (H, W, 3) uint8 of each request; those that have none fail."""
    photos = {}
    for request in requests:
        try:
            stored = photo_storage().read_same(request.source, request.sha256)
            photos[request] = simplejpeg.decode_jpeg(stored, "RGB")
        except (storage.FileMissingError, storage.StorageKeyError):
            outcomes[request] = Failed(code=messages.FILE_MISSING)
        except STORAGE_AWAY as error:
            outcomes[request] = _storage_away(error)
        except storage.FileDamagedError:
            outcomes[request] = Failed(code=messages.FILE_DAMAGED)
        except ValueError:
            outcomes[request] = Failed(code="analysis_copy_unreadable")
    return photos


def _storage_away(error: OSError) -> Failed:
    """Return what lets the web send the photo again later: neither the photo nor this worker is at fault."""
    log.error("the storage of photos is away (%s: %s)", type(error).__name__, error)
    return Failed(code=messages.STORAGE_UNAVAILABLE)


def _segmented(request: Request, photo: np.ndarray, mask: np.ndarray, seconds: float) -> Segmented:
    key, drawn = f"{request.prefix}/mask.png", request.drawn
    mask = cropping.with_drawn_lesion(mask, drawn) if drawn and drawn.lesion else mask
    _ok, png = cv2.imencode(".png", mask)
    written = {"mask_key": key, "mask_sha256": photo_storage().write_hashed(key, png.tobytes())}
    signs: tuple[MeasuredSign, ...] = ()
    try:
        signs = signs_of(photo, mask, loading.segmenter())
    except Exception:  # what describes a rash must never cost its crops
        log.exception("job %s: no signs", request.job)
    model = loading.segmenter().model
    try:
        found = cropping.describe(mask, drawn, key=key, model=model, seconds=seconds, signs=signs)
        return dataclasses.replace(found, **written)
    except Exception:  # the whole photo can be classified without crops
        log.exception("job %s: no crops", request.job)
        shares = {"skin": float((mask > 0).mean()), "lesion": float((mask == cropping.LESION).mean())}
        return Segmented(**written, **shares, signs=signs, model=model, seconds=seconds)


def _analysed(photos: dict[Request, np.ndarray], found: dict[Request, Segmented]) -> dict[Request, Outcome]:
    """Classify what was segmented. Where that fails, the segmentation is kept and goes to people without a finding."""
    failures: dict[Request, Outcome] = {}
    if (network := _network_or_failure(photos, failures, loading.classifier)) is None:
        return {each: Analysed(segmented=found[each], failure=why.code) for each, why in failures.items()}
    try:
        rows = network.with_evidence(list(photos.values()), [each.boxes for each in found.values()])
    except Exception as error:
        if len(photos) > 1 or isinstance(error, SoftTimeLimitExceeded):  # the web sends each alone
            raise
        log.exception("not classified")
        return {each: Analysed(segmented=found[each], failure="not_classified") for each in photos}
    outcomes: dict[Request, Outcome] = {}
    for (request, photo), (outcome, evidence) in zip(photos.items(), rows, strict=True):
        key = f"{request.prefix}/attribution.png"
        try:
            described, png = attribution.explain(photo, found[request].boxes, outcome, evidence, key)
            described = dataclasses.replace(described, sha256=photo_storage().write_hashed(key, png))
            outcome = dataclasses.replace(outcome, attribution=described)
        except Exception:  # a picture that explains a finding must never cost the finding
            log.exception("job %s: no attribution", request.job)
        outcomes[request] = Analysed(segmented=found[request], classified=outcome)
    return outcomes


def _network_or_failure(requests: Iterable[Request], outcomes: dict[Request, Outcome], load: Callable) -> Any:
    """Return the network; where its weights are refused, None, and the photos go to people without AI at once."""
    network, refusal = loading.loaded(load)
    if refusal is not None:
        log.error("%s", refusal)
        outcomes |= dict.fromkeys(requests, Failed(code="weights_refused"))
    return network
