"""Measure whether half precision decides as single precision does, and write the report that a worker asks for.

    python -m training.gate --engine openvino-bf16 --manifest ../shared/data/cls/manifest.csv --root ../shared/data/cls \
        [--weights DIR]

Both look at the photos of `use=evaluate`, which never trained, and at drawn scenes: each at its own masks, crops and
findings. The report lies beside the weights (`precision.REPORT`); a worker whose TELEDER_ENGINE is this engine runs only
what it shows to decide alike. It is written also where it shows the contrary; the exit status is then 1.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from contract.messages import Classified
from inference_worker.models import engine, precision, weights
from inference_worker.models.classification import CLASSES, CONDITIONS, Classifier
from inference_worker.models.cropping import boxes_of
from inference_worker.models.openvino_engine import OpenVINOEngine
from inference_worker.models.segmentation import LESION, Segmenter
from inference_worker.models.torch_engine import TorchEngine
from training import phantom
from training.data import exit_on_manifest_error, measuring_rows, read_photo
from training.evaluate import ANALYSIS_LONG_SIDE, BATCH

HALF = tuple(name for name in engine.ENGINES if name.endswith("-bf16"))


@dataclass(frozen=True)
class Networks:
    """One engine's segmentation, and its classifications by name."""

    segment: Segmenter
    classifiers: dict[str, Classifier]

    @classmethod
    def of(cls, own: dict[str, weights.Weights], chosen: engine.Engine) -> Networks:
        heads = {name: one for name, one in own.items() if name.startswith("classification")}
        classifiers = {name: Classifier(one, chosen) for name, one in heads.items()}
        return cls(Segmenter(own["segmentation"], chosen), classifiers)

    def look(self, photos: list[np.ndarray]) -> list[tuple[np.ndarray, dict[str, Classified]]]:
        """Return for each photo (H, W, 3) uint8 its class map and the findings on it by name."""
        masks = self.segment(photos)
        boxes = [boxes_of(mask)[0] for mask in masks]
        found = {name: classify(photos, boxes) for name, classify in self.classifiers.items()}
        return [(mask, {name: own[place] for name, own in found.items()}) for place, mask in enumerate(masks)]


@dataclass
class Comparison:
    """What was counted over the photos of one set."""

    n: int = 0
    skin: list[float] = field(default_factory=list)
    lesion: list[float] = field(default_factory=list)
    agreed: dict[str, int] = field(default_factory=dict)
    lost: dict[str, int] = field(default_factory=dict)

    def add(
        self,
        reference: tuple[np.ndarray, dict[str, Classified]],
        half: tuple[np.ndarray, dict[str, Classified]],
    ) -> None:
        self.n += 1
        self.skin += overlap(reference[0] > 0, half[0] > 0)
        self.lesion += overlap(reference[0] == LESION, half[0] == LESION)
        for name, before in reference[1].items():
            after = half[1][name]
            self.agreed[name] = self.agreed.get(name, 0) + (likeliest(before) == likeliest(after))
            self.lost[name] = self.lost.get(name, 0) + len(ringing(before) - ringing(after))

    def figures(self) -> dict[str, Any]:
        masks = {"skin_iou": mean(self.skin), "lesion_iou": mean(self.lesion)}
        findings = {
            name: {"agreement": round(agreed / self.n, 4), "alarms_lost": self.lost[name]}
            for name, agreed in self.agreed.items()
        }
        return {"n": self.n, "segmentation": masks, **findings}


def overlap(ours: np.ndarray, theirs: np.ndarray) -> list[float]:
    """Return the intersection over union of two areas, or nothing where both are empty."""
    union = np.count_nonzero(ours | theirs)
    return [np.count_nonzero(ours & theirs) / union] if union else []


def mean(values: list[float]) -> float:
    """Return the mean, rounded down so that a figure below the line never reads as on it; nan of none."""
    return float(np.floor(np.mean(values) * 1e4) / 1e4) if values else float("nan")


def likeliest(found: Classified) -> str:
    return max(CONDITIONS, key=lambda name: found.probabilities.get(name, -1.0))


def ringing(found: Classified) -> set[str]:
    return {alarm.condition.value for alarm in found.alarms if alarm.rings}


def compare(photos: Iterable[np.ndarray], reference: Networks, half: Networks) -> Comparison:
    compared = Comparison()
    for some in batches(photos):
        for pair in zip(reference.look(some), half.look(some), strict=True):
            compared.add(*pair)
        print(f"{compared.n} photos", file=sys.stderr, flush=True)
    return compared


def batches(photos: Iterable[np.ndarray]) -> Iterator[list[np.ndarray]]:
    some: list[np.ndarray] = []
    for photo in photos:
        some.append(photo)
        if len(some) == BATCH:
            yield some
            some = []
    if some:
        yield some


def report_of(
    own: dict[str, weights.Weights],
    chosen: TorchEngine | OpenVINOEngine,
    sets: dict[str, Iterable[np.ndarray]],
) -> tuple[str, dict[str, Any]]:
    """Return the engine as a worker names it, and its row of the report."""
    asked: dict[str, tuple[str, str, str]] = {}

    def note(one: weights.Weights, name: str, version: str, made_of: str) -> None:
        asked[one.name] = (name, version, made_of)

    half = Networks.of(own, replace(chosen, gate=note))
    reference = Networks.of(own, replace(chosen, precision="f32"))
    figures = {name: compare(photos, reference, half).figures() for name, photos in sets.items()}
    names, versions, _graphs = zip(*asked.values(), strict=True)
    networks = {name: [own[name].sha256, made_of] for name, (_engine, _version, made_of) in asked.items()}
    return names[0], {"version": versions[0], "networks": networks, "sets": figures}


@exit_on_manifest_error
def main(argv: list[str] | None = None) -> None:
    arguments = _parser().parse_args(argv)
    rows = measuring_rows(arguments, classes=CLASSES)
    folder = arguments.weights
    own = {name: one for name, one in weights.table().items() if name == "segmentation"} | weights.table(
        folder
    )
    sets = {
        "evaluate": (read_photo(row.path, ANALYSIS_LONG_SIDE) for row in rows),
        "phantoms": (phantom.draw(seed).photo for seed in range(precision.SETS["phantoms"])),
    }
    if arguments.engine.startswith("torch"):
        chosen: TorchEngine | OpenVINOEngine = TorchEngine.on("auto", "to be measured", "bf16")
    else:
        chosen = OpenVINOEngine("to be measured", "bf16")
    name, row = report_of(own, chosen, sets)
    path = folder / precision.REPORT
    report = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    path.write_text(json.dumps(report | {name: row}, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    print(json.dumps(row["sets"], indent=1))
    faults = [
        f"{key}: {fault}"
        for key in row["networks"]
        for fault in precision.faults_of(row, own[key], row["version"], row["networks"][key][1])
    ]
    print("\n".join(faults) or f"{name} decides alike")
    if faults:
        sys.exit(1)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--engine", choices=HALF, default=HALF[0])
    parser.add_argument("--manifest", type=Path, required=True)
    parser.add_argument("--root", type=Path, required=True, help="folder the manifest's paths start from")
    parser.add_argument("--use", default="evaluate", help="only rows of this use")
    parser.add_argument("--weights", type=Path, default=weights.FOLDER, help="folder of a clinic's own")
    return parser


if __name__ == "__main__":
    main()
