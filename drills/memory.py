"""R9: the real workers with their real networks read the largest photos that people send in 1.5 GB."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pillow_heif
from PIL import Image

from contract.photos import FILE_LIMIT_BYTES
from drills.limits import MEGABYTE, MemoryGroup
from drills.oracle import Figures
from drills.run import Run, drill
from drills.soak import usage_of
from drills.system import WORKER_MEGABYTES, System, descendants, end
from drills.uploads import corpus_photos
from local.processes import WORKERS

LARGE = (  # width, height, format, options
    (8000, 6000, "JPEG", {"quality": 90}),
    (5656, 4242, "HEIF", {"quality": 30, "enc_params": {"preset": "ultrafast"}}),
    (12000, 9000, "JPEG", {"quality": 75}),
)
LARGER = (
    (8000, 6000, "JPEG", {"quality": 80, "progressive": True}),
    (16320, 12240, "JPEG", {"quality": 30}),
)
TILE = 512
PEAK_SECONDS = 0.2


@drill("R9", f"photos of 24 to 200 MP read in {WORKER_MEGABYTES} MB", guard="small-decoder")
def large_photos(run: Run) -> Figures:
    clients, sizes = run.clients(), LARGE if run.short else (*LARGE, *LARGER)
    photos = [_drawn(width, height, kind, **options) for width, height, kind, options in sizes]
    with _real_worker(run.system) as memory:
        for number, data in enumerate([*photos, *corpus_photos(run, FILE_LIMIT_BYTES)]):
            clients.send_one(run.people[number % len(run.people)], (data,))
        found = run.finish(clients, bound=float("inf"))
    found.notes.append(
        f"{memory.kills} processes ended for lack of memory; peak {memory.peak} MB, networks included"
    )
    if not memory.group:
        found.not_run.append("the limit: no control group can be created here, memory was only measured")
    if memory.kills or memory.peak > WORKER_MEGABYTES:
        found.broken.append(f"the worker used more than {WORKER_MEGABYTES} MB")
    if found.by_ai < found.accepted:
        found.broken.append("a photo was not read")
    return found


def _drawn(width: int, height: int, kind: str, **options: object) -> bytes:
    """Return a photo of noise; it repeats one tile, since drawing every pixel would take longer than the drill."""
    pillow_heif.register_heif_opener()
    tile = np.random.default_rng(1).normal(150, 8, (TILE, TILE, 3)).clip(0, 255).astype(np.uint8)
    pixels = np.tile(tile, (height // TILE + 1, width // TILE + 1, 1))[:height, :width]
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind, **options)
    return buffer.getvalue()


class Memory:
    """The memory that the worker used: from its control group, or sampled from outside if there is none."""

    def __init__(self, group: MemoryGroup | None) -> None:
        self.group, self.peak, self.kills = group, 0, 0


@contextmanager
def _real_worker(system: System) -> Iterator[Memory]:
    """Replace the usual workers by those with real networks, in a control group of their own."""
    usual = system.worker_group
    group = MemoryGroup.create(f"{system.folder.name}-real", WORKER_MEGABYTES)
    memory, over = Memory(group), threading.Event()
    with system.leaving_out(*WORKERS):
        system.worker_group = group
        supervisor = system.start_processes(WORKERS, "real", DRILLS_NETWORKS="real")
        system.worker_group = usual
        watch = threading.Thread(target=_watch, args=(memory, supervisor, over), daemon=True)
        watch.start()
        try:
            yield memory
        finally:
            over.set()
            watch.join()
            end(supervisor)
            if group:
                memory.peak, memory.kills = group.peak_megabytes(), group.kills()
                group.remove()


def _watch(memory: Memory, supervisor, over: threading.Event) -> None:
    while not memory.group and not over.wait(PEAK_SECONDS):
        parents = [process.pid for process in supervisor.running.values()]
        children = [pid for parent in parents for pid in descendants(parent)]
        held = sum(usage_of(pid)[0] for pid in [*parents, *children])
        memory.peak = max(memory.peak, held // MEGABYTE)
