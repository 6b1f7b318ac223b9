"""Runs the networks on a CPU by OpenVINO. Imported in the child that uses it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import openvino as ov

from inference_worker.models.engine import EngineError, Runner
from inference_worker.models.precision import Gate, require_report
from inference_worker.models.weights import Weights

# Pictures a run: more of them take memory (600 MB a process instead of 320 for a batch of four photos) and no less time.
AT_ONCE = {"segmentation": 1, "features": 2}


@dataclass(frozen=True)
class OpenVINOEngine:
    """OpenVINO on the CPU, in `f32` or `bf16`; the latter refuses weights without a report (see `precision`)."""

    reason: str
    precision: str = "f32"
    gate: Gate = require_report
    device = "cpu"

    @property
    def name(self) -> str:
        return "openvino" if self.precision == "f32" else f"openvino-{self.precision}"

    def segmentation(self, weights: Weights) -> Runner:
        return self._compiled(weights, "segmentation")

    def features(self, weights: Weights) -> Runner:
        return self._compiled(weights, "features")

    def _compiled(self, weights: Weights, network: str) -> Runner:
        core, (xml, constants) = ov.Core(), weights.openvino_ir()
        try:
            graph = core.read_model(xml, constants)
        except RuntimeError as error:
            raise weights.refused(f"expected an IR that OpenVINO {ov.__version__} reads; {error}") from error
        if graph.get_friendly_name() != network:
            raise weights.refused(f"expected an IR of {network}, found one of {graph.get_friendly_name()}")
        if self.precision == "bf16":
            if "BF16" not in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
                raise EngineError(f"{core.get_property('CPU', 'FULL_DEVICE_NAME')} has no bf16 instructions")
            made_of = " ".join(file["sha256"] for file in weights.ir.values())
            self.gate(weights, self.name, ov.__version__, made_of)
        return prepare_graph(graph, self.precision)


def prepare_graph(graph: ov.Model, precision: str = "f32") -> Runner:
    """Return a function from RGB photos (B, H, W, 3) uint8 to the graph's output as float32."""
    compiled = ov.Core().compile_model(graph, "CPU", settings(precision))
    some = AT_ONCE[graph.get_friendly_name()]

    def run(photos: np.ndarray) -> np.ndarray:
        parts = [photos[first : first + some] for first in range(0, len(photos), some)]
        return np.concatenate([compiled(np.ascontiguousarray(part))[0] for part in parts])

    return run


def settings(precision: str) -> dict[str, object]:
    """Return OpenVINO's settings for a graph that runs in `f32` or `bf16`."""
    return {
        "INFERENCE_PRECISION_HINT": precision,  # unasked it takes bf16 where the processor has it
        "INFERENCE_NUM_THREADS": 1,  # one process runs on each core; a second thread gives nothing
        "NUM_STREAMS": 1,
        "ENABLE_CPU_PINNING": False,  # every process would choose the same core
        "PERFORMANCE_HINT": "LATENCY",
    }
