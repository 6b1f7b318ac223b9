"""The inference worker of the drills: the real queue, tasks, decoder, storage and results, with two stub networks.

    celery -A drills.worker worker ...

A photo whose bytes end with a key of `FAULTS` makes the worker that prepares it crash, hang or use up memory; a key of
`decoder.FAULTS` does the same to the child that decodes it. DRILLS_NETWORKS=real uses the real networks.
"""

from __future__ import annotations

import os
import resource
import signal
import time
from typing import Any

import numpy as np

from contract import messages
from contract.alarms import Condition
from decoding import sandbox
from drills import clock, crashes, newer, slow_disk
from inference_worker import tasks
from inference_worker.app import app as app
from inference_worker.models import attribution, loading

MEGABYTE = 1024 * 1024
MODEL = messages.ModelRef(name="stub", version="drills", sha256="0" * 64)
SECONDS_PER_PHOTO = float(os.environ.get("DRILLS_STUB_SECONDS", "0.02"))
NO_CONDITION = {name.value: 0.2 for name in Condition}
USED_MEGABYTES = 1600  # more than the worker may have
FAULTS = {
    b"drill:segv": lambda: os.kill(os.getpid(), signal.SIGSEGV),
    b"drill:kill": lambda: os.kill(os.getpid(), signal.SIGKILL),
    b"drill:spin": lambda: time.sleep(3600),
    b"drill:eat": lambda: _use_up_memory(),
}


def _use_up_memory() -> None:
    """Allocate memory until the kernel ends this process, or up to a limit if it is in no control group."""
    resource.setrlimit(resource.RLIMIT_DATA, (USED_MEGABYTES * MEGABYTE,) * 2)
    held = []
    while True:
        held.append(bytearray(os.urandom(MEGABYTE) * 16))


class Segmenter:
    """Always finds a lesion in the middle of skin."""

    model = MODEL

    def __call__(self, photos: list[np.ndarray]) -> list[np.ndarray]:
        time.sleep(SECONDS_PER_PHOTO * len(photos))
        masks = []
        for height, width in (photo.shape[:2] for photo in photos):
            masks.append(np.ones((height, width), np.uint8))
            masks[-1][height // 4 : -height // 4, width // 4 : -width // 4] = 2
        return masks

    def scores(self, photos: list[np.ndarray]) -> list[np.ndarray]:
        """As the check of a draft asks: logits (3, H, W) of the same class maps."""
        return [np.stack([mask == code for code in range(3)]).astype(np.float32) for mask in self(photos)]


class Classifier:
    """Always abstains."""

    def __call__(self, photos: list[np.ndarray], boxes: list[Any]) -> list[messages.Classified]:
        time.sleep(SECONDS_PER_PHOTO * len(photos))
        return [self.outcome for _photo in photos]

    def with_evidence(self, photos: list[np.ndarray], boxes: list[Any]) -> list[tuple[Any, None]]:
        return [(found, None) for found in self(photos, boxes)]

    outcome = messages.Classified(
        probabilities=NO_CONDITION,
        views=(messages.View(box=None, probabilities=NO_CONDITION),),
        thresholds=dict.fromkeys(NO_CONDITION, 0.9),
        top=None,
        abstention=messages.Abstention.UNCERTAIN,
        demonstration=True,
        model=MODEL,
    )


prepare = tasks.prepare_photo


def prepare_photo(data: bytes) -> Any:
    for ending, fault in FAULTS.items():
        if data.endswith(ending):
            fault()
    return prepare(data)


def no_heat_map(
    _photo: Any, _boxes: Any, found: Any, _evidence: Any, key: str
) -> tuple[messages.Attribution, bytes]:
    return messages.Attribution(key=key, condition=next(iter(found.probabilities))), b"no picture"


if os.environ.get("DRILLS_NETWORKS") != "real":
    loading.segmenter, loading.classifier = Segmenter, Classifier
    loading.try_to_load = lambda load: (load(), None)  # the stubs need no weights
    attribution.explain = no_heat_map
sandbox.fork_server.set_forkserver_preload(["decoding.decoders", "decoding.sandbox", "drills.decoder"])
tasks.prepare_photo = prepare_photo
crashes.install(crashes.OF_THE_WORKER)
crashes.hold_results()
clock.install()
newer.become_newer_if_asked()
slow_disk.install()
