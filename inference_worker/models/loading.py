"""Loads the networks in the child as it starts, in a thread beside its first tasks, whose limits then end only their waiting.
Built in the parent they would block every child (OpenMP threads do not survive a fork)."""

from __future__ import annotations

import functools
import logging
import os
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from contract.messages import FROM_ORIGINAL, Stage

log = logging.getLogger(__name__)
_loading = threading.Lock()


def start(taken: set[Stage]) -> None:
    """Start to load what these stages need: nothing, where a worker only prepares."""
    read = taken - set(FROM_ORIGINAL)
    wanted = [segmenter] * bool(read) + [classifier] * bool(read - {Stage.CHECK})
    _loading.acquire()
    threading.Thread(target=_load, args=[wanted], daemon=True).start()


def _load(wanted: list[Callable[[], Any]]) -> None:
    try:
        for load in wanted:
            with suppress(Exception):  # the first task that needs it meets the same error and reports it
                try_to_load(load)
    finally:
        _loading.release()


def loaded(load: Callable[[], Any]) -> tuple[Any, Exception | None]:
    """Wait for the loading, and return the network, or why its weights are refused: until the file is right again.

    A child in which loading was interrupted (by the time limit) ends: a library would stay half imported for good."""
    with _loading:
        pass
    try:
        return try_to_load(load)
    except Exception:
        log.exception("the networks could not be loaded: this process ends, another takes its place")
        logging.shutdown()
        os._exit(1)


def try_to_load(load: Callable[[], Any]) -> tuple[Any, Exception | None]:
    """Return the network, or why its weights are refused."""
    from inference_worker.models.weights import WeightsError

    try:
        return load(), None
    except WeightsError as error:
        return None, error


@functools.cache
def engine_of_this_worker():
    from inference_worker.models import engine

    return engine.select_engine()


@functools.cache
def segmenter():
    from inference_worker.models.segmentation import Segmenter
    from inference_worker.models.weights import published

    return Segmenter(published("segmentation"), engine_of_this_worker())


@functools.cache
def classifier():
    from inference_worker.models.classification import Classifier
    from inference_worker.models.weights import published

    return Classifier(published("classification"), engine_of_this_worker())
