"""Chooses what runs the networks: OpenVINO on a CPU, PyTorch on a GPU. Nothing else here knows the two.

TELEDER_ENGINE names another: `openvino`, `openvino-bf16`, `torch` or `torch-bf16`. Half precision is faster and changes
scores, so that `precision` lets it run only with a report that it decides alike. `torch` is the reference, too.

Nothing is built at import, and torch is imported only where it runs: a prefork parent that built a network would hang
its children. `select_engine()` is called in the child, once.
"""

from __future__ import annotations

import ctypes
import logging
import os
from collections.abc import Callable
from importlib.util import find_spec
from typing import Protocol

import numpy as np

from inference_worker.models.weights import Weights, WeightsError

log = logging.getLogger(__name__)

SETTING = "TELEDER_ENGINE"
ENGINES = ("openvino", "openvino-bf16", "torch", "torch-bf16")
DEVICES = ("auto", "cpu", "cuda")

# From RGB photos (B, H, W, 3) uint8 to the network's output, float32.
Runner = Callable[[np.ndarray], np.ndarray]


class EngineError(WeightsError):
    """The engine asked for cannot run here; the message says why. People then answer without AI, at once."""


class Engine(Protocol):
    """Runs networks on one device; `reason` tells why this engine. Numpy in, numpy out."""

    name: str
    device: str
    reason: str

    def segmentation(self, weights: Weights) -> Runner:
        """Return the function to logits (B, 3, H, W); both sides of the photos divide by 16."""

    def features(self, weights: Weights) -> Runner:
        """Return the function from photos of 224 px to the last feature map (B, 1280, 7, 7)."""


def select_engine(device: str = "auto") -> Engine:
    """Return the engine for a device, `auto`, `cpu` or `cuda`; log why. Raises EngineError where it cannot run."""
    if device not in DEVICES:
        raise EngineError(f"device {device!r}; known: {', '.join(DEVICES)}")
    name = os.environ.get(SETTING) or ""
    if name and name not in ENGINES:
        raise EngineError(f"{SETTING}={name!r}; known: {', '.join(ENGINES)}")
    engine = _engine(name, device)
    log.info("networks run by %s on %s: %s", engine.name, engine.device, engine.reason)
    return engine


def _engine(name: str, device: str) -> Engine:
    reason = f"{SETTING} says so" if name else "the default"
    if not name:
        gpus = device != "cpu" and find_spec("torch") is not None and has_gpu()
        name = "torch" if gpus or device == "cuda" else "openvino"
    precision = "bf16" if name.endswith("-bf16") else "f32"
    if name.startswith("torch"):
        from inference_worker.models.torch_engine import TorchEngine

        return TorchEngine.on(device, reason, precision)
    if device == "cuda":
        raise EngineError(f"{SETTING}={name} runs on the CPU, and cuda was asked for")
    from inference_worker.models.openvino_engine import OpenVINOEngine

    return OpenVINOEngine(reason, precision)


def has_gpu() -> bool:
    """Whether the driver finds a GPU for CUDA; asked without torch, which a CPU worker must not import."""
    try:
        driver, count = ctypes.CDLL("libcuda.so.1"), ctypes.c_int()
        return driver.cuInit(0) == 0 and driver.cuDeviceGetCount(ctypes.byref(count)) == 0 and count.value > 0
    except OSError:
        return False
