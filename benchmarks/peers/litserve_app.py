"""The steps behind LitServe: `python -m benchmarks.peers.litserve_app FOLDER PORT`.

FastAPI reads the annotations of `decode_request`: they must be types and no text.
"""

import sys
from pathlib import Path
from typing import Any

import litserve

from benchmarks.steps import BATCH, Steps

BATCH_SECONDS = 0.01


class Photos(litserve.LitAPI):
    def setup(self, device: str) -> None:
        self.steps = Steps(Path(sys.argv[1]))

    def decode_request(self, request: dict[str, Any]) -> str:
        return request["photo"]

    def batch(self, inputs: list[str]) -> list[str]:
        return inputs

    def predict(self, x: list[str]) -> list[str]:
        self.steps.several(x)
        return x

    def unbatch(self, output: list[str]) -> list[str]:
        return output

    def encode_response(self, output: str) -> dict[str, str]:
        return {"done": output}


if __name__ == "__main__":
    api = Photos(max_batch_size=BATCH, batch_timeout=BATCH_SECONDS)
    server = litserve.LitServer(api, accelerator="cpu", workers_per_device=2, timeout=False)
    server.run(host="127.0.0.1", port=int(sys.argv[2]), generate_client_file=False, log_level="warning")
