"""Runs the networks by PyTorch: on a GPU, or on a CPU as the reference. Imported in the child that uses it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from inference_worker.models.engine import EngineError, Runner
from inference_worker.models.precision import Gate, require_report
from inference_worker.models.torch_networks import DeepLab, FeatureMap, Network, loaded
from inference_worker.models.weights import Weights


@dataclass(frozen=True)
class TorchEngine:
    """PyTorch on one device, in `f32` or `bf16`; the latter refuses weights without a report (see `precision`)."""

    device: str
    reason: str
    precision: str = "f32"
    gate: Gate = require_report

    @classmethod
    def on(cls, device: str, reason: str, precision: str = "f32") -> TorchEngine:
        """Return the engine on `auto` (CUDA where there is one), `cpu` or `cuda`; raises EngineError without a GPU."""
        has_gpu = device != "cpu" and torch.cuda.is_available()
        if device == "cuda" and not has_gpu:
            raise EngineError("cuda was asked for and PyTorch finds no GPU")
        if has_gpu:
            return cls("cuda", f"{reason}, {torch.cuda.get_device_name()}", precision)
        capability = torch.backends.cpu.get_cpu_capability()
        return cls("cpu", f"{reason}, {torch.get_num_threads()} threads, {capability}", precision)

    @property
    def name(self) -> str:
        return "torch" if self.precision == "f32" else f"torch-{self.precision}"

    def segmentation(self, weights: Weights) -> Runner:
        return self._checked(weights, loaded(weights, DeepLab()))

    def features(self, weights: Weights) -> Runner:
        return self._checked(weights, FeatureMap(loaded(weights, Network())))

    def _checked(self, weights: Weights, network: nn.Module) -> Runner:
        if self.precision == "bf16":
            # What runs is made of the parameters alone; a report is of one device.
            made_of = f"{weights.sha256} {weights.base.get('sha256', '')}"
            self.gate(weights, f"{self.name} on {self.device}", torch.__version__, made_of)
        return self.prepare_model(network)

    def prepare_model(self, network: nn.Module) -> Runner:
        """Return a function from RGB photos (B, H, W, 3) uint8 to the network's output as float32."""
        network = network.to(self.device, memory_format=torch.channels_last).eval()

        @torch.inference_mode()
        def run(photos: np.ndarray) -> np.ndarray:
            batch = torch.from_numpy(photos)
            if self.device == "cuda":  # whole bytes cross the bus, and the copy need not wait
                batch = batch.pin_memory().to(self.device, non_blocking=True)
            with torch.autocast(self.device, torch.bfloat16, enabled=self.precision == "bf16"):
                return network(normalised(batch)).float().cpu().numpy()

        return run


def normalised(photos: torch.Tensor) -> torch.Tensor:
    """Turn RGB photos (B, H, W, 3) uint8 into what Lite0 was trained on: (B, 3, H, W) float in -1..1."""
    return photos.permute(0, 3, 1, 2).float() / 127.5 - 1  # not the ImageNet mean and deviation
