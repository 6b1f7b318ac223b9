"""Half precision may run only where a report beside the weights says that it decides as single precision does.

`training.gate` measures and writes the report. A worker believes only its figures, and only those of the very network,
engine and version that it is about to run.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

from inference_worker.models.weights import Weights, WeightsError

REPORT = "bf16.json"  # in the folder of the weights
# What is measured on: photos that never trained, and drawn scenes.
SETS = {"evaluate": 100, "phantoms": 500}  # name: at least so many
LEAST_IOU = 0.98  # of skin and of lesion, mean over the photos that have any
LEAST_AGREEMENT = 0.995  # share of photos with the same likeliest condition

# What an engine asks before it runs weights in half precision: (weights, engine, its version, what the network is made of).
Gate = Callable[[Weights, str, str, str], None]


class UnprovenPrecisionError(WeightsError):
    """Nothing shows that half precision decides alike with these weights."""


def require_report(weights: Weights, engine: str, version: str, made_of: str) -> None:
    """Raise UnprovenPrecisionError unless the report of this engine and network passes."""
    path = weights.folder / REPORT
    try:
        row = json.loads(path.read_text(encoding="utf-8"))[engine]
        faults = list(faults_of(row, weights, version, made_of))
    except (OSError, ValueError, TypeError, LookupError) as error:
        faults = [f"there is no readable report ({type(error).__name__}: {error})"]
    if faults:
        raise UnprovenPrecisionError(
            f"{engine} refused for {weights.name} {weights.version}: {path}: {'; '.join(faults)}. "
            "Measure with `python -m training.gate`, or leave TELEDER_ENGINE unset."
        )


def faults_of(row: dict[str, Any], weights: Weights, version: str, made_of: str) -> Iterator[str]:
    """Yield what speaks against a network in one engine's row of a report; raises LookupError for what it lacks."""
    if row["version"] != version:
        yield f"measured with version {row['version']}, not {version}"
    if row["networks"][weights.name] != [weights.sha256, made_of]:
        yield f"another {weights.name} was measured"
    for name, least in SETS.items():
        figures = row["sets"][name]
        if figures["n"] < least:
            yield f"{name}: {figures['n']} photos, fewer than {least}"
        yield from (
            f"{name}: {fault}"
            for fault in _below(figures[weights.name], is_segmentation=weights.name == "segmentation")
        )


def _below(figures: dict[str, Any], *, is_segmentation: bool) -> Iterator[str]:
    if is_segmentation:
        for key in ("skin_iou", "lesion_iou"):
            if not figures[key] >= LEAST_IOU:
                yield f"{key} {figures[key]}, below {LEAST_IOU}"
        return
    if not figures["agreement"] >= LEAST_AGREEMENT:
        yield f"agreement {figures['agreement']}, below {LEAST_AGREEMENT}"
    if figures["alarms_lost"] != 0:
        yield f"{figures['alarms_lost']} alarms no longer ring"
