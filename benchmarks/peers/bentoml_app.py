"""The steps behind BentoML: `bentoml serve benchmarks.peers.bentoml_app:Photos`, with the folder in PEER_FOLDER."""

from __future__ import annotations

import os
from pathlib import Path

import bentoml

from benchmarks.steps import BATCH, Steps

LATENCY_MS = 600_000  # answer late rather than refuse


@bentoml.service(workers=2, traffic={"timeout": LATENCY_MS / 1000})
class Photos:
    def __init__(self) -> None:
        self.steps = Steps(Path(os.environ["PEER_FOLDER"]))

    @bentoml.api(batchable=True, max_batch_size=BATCH, max_latency_ms=LATENCY_MS)
    def photos(self, photo: list[str]) -> list[str]:
        self.steps.several(photo)
        return photo
