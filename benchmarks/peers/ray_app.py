"""The steps behind Ray Serve: `python -m benchmarks.peers.ray_app FOLDER PORT`."""

from __future__ import annotations

import asyncio
import sys
import time
from pathlib import Path
from typing import Any

import ray
from ray import serve

from benchmarks.steps import BATCH, Steps

BATCH_SECONDS = 0.01


@serve.deployment(num_replicas=2, max_ongoing_requests=2 * BATCH, ray_actor_options={"num_cpus": 1})
class Photos:
    def __init__(self, folder: str) -> None:
        self.steps = Steps(Path(folder))

    @serve.batch(max_batch_size=BATCH, batch_wait_timeout_s=BATCH_SECONDS)
    async def work(self, photos: list[str]) -> list[str]:
        await asyncio.to_thread(self.steps.several, photos)
        return photos

    async def __call__(self, request: Any) -> dict[str, str]:
        return {"done": await self.work((await request.json())["photo"])}


if __name__ == "__main__":
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    serve.start(http_options={"host": "127.0.0.1", "port": int(sys.argv[2])})
    serve.run(Photos.bind(sys.argv[1]))
    while True:
        time.sleep(1)
