"""Runs a network on CPU or GPU. Numpy in, numpy out, so that the rest of the worker does not depend on it.

Nothing here builds a network or asks for a GPU at import: a prefork parent that did would hang its
children. `select_device()` is called in the child, once. A faster CPU runtime (OpenVINO) becomes a second
class with the same `prepare_model`, chosen in `select_device`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

log = logging.getLogger(__name__)

Runner = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class TorchEngine:
    """PyTorch on one device; `reason` tells why this one."""

    device: str
    reason: str

    def prepare_model(self, network: nn.Module) -> Runner:
        """Return a function from RGB photos (B, H, W, 3) uint8 to the network's output as float32."""
        network = network.to(self.device, memory_format=torch.channels_last).eval()

        @torch.inference_mode()
        def run(photos: np.ndarray) -> np.ndarray:
            batch = to_tensor(photos).to(self.device, memory_format=torch.channels_last)
            return network(batch).float().cpu().numpy()

        return run


def select_device(wanted: str = "auto") -> TorchEngine:
    """Choose where networks run: `auto` (CUDA where there is one), `cpu` or `cuda`; log why."""
    engine = TorchEngine(*_device(wanted))
    log.info("networks run on %s: %s", engine.device, engine.reason)
    return engine


def _device(wanted: str) -> tuple[str, str]:
    if wanted not in ("auto", "cpu", "cuda"):
        raise ValueError(f"device {wanted!r}; known: auto, cpu, cuda")
    if wanted == "cpu":
        return "cpu", "asked for"
    if torch.cuda.is_available():
        return "cuda", torch.cuda.get_device_name()
    if wanted == "cuda":
        raise RuntimeError("cuda was asked for and PyTorch finds no GPU")
    return (
        "cpu",
        f"no GPU found; {torch.get_num_threads()} threads, {torch.backends.cpu.get_cpu_capability()}",
    )


def to_tensor(photos: np.ndarray) -> torch.Tensor:
    """Turn RGB photos (B, H, W, 3) uint8 into what Lite0 was trained on: (B, 3, H, W) float in -1..1."""
    pixels = torch.from_numpy(photos).permute(0, 3, 1, 2).float()
    return pixels / 127.5 - 1  # not the ImageNet mean and deviation
