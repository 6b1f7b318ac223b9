"""Turn a run's network into published weights: safetensors in half precision, OpenVINO IR, table row with their sha256.

    python -m training.segment publish --run NAME
    python -m training.publish segmentation --figures OUT.json --title "hidden photos"

The second writes what `training.evaluate` measured into the row of the weights it measured; `training.worth` does so
by itself.
"""

from __future__ import annotations

import argparse
import copy
import hashlib
import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import openvino as ov
import safetensors.torch
import torch
from torch import nn

from inference_worker.models import weights
from inference_worker.models.classification import SIDE
from inference_worker.models.openvino_engine import prepare_graph
from inference_worker.models.torch_engine import TorchEngine
from inference_worker.models.torch_networks import DeepLab, FeatureMap, Network
from training import graphs
from training.data import Row

SUBGROUPS = ("fitzpatrick", "tone", "tone_third", "distance", "source")
CPU = TorchEngine("cpu", "the reference")
GRAPH_DIFFERENCE = 1e-3  # of logits and features at most; about 1e-5 is seen
SIZE_LIMIT = 15_000_000  # bytes; the file is committed


def publish(
    network: nn.Module, row: dict[str, Any], folder: Path = weights.FOLDER, shared: str = ""
) -> weights.Weights:
    """Write the files and replace the row of the same name; `row` brings all but their names and hashes.

    `shared` names the part of the network that has a file of its own, because several rows have it alike. The rest is
    then small, and keeps single precision.
    """
    state = network.state_dict()
    ir = checked_ir(network, halved(state))
    base = {key: value for key, value in state.items() if shared and key.startswith(f"{shared}.")}
    own = {key: value.contiguous().clone() for key, value in state.items() if key not in base}
    written = [_content(own if shared else halved(own), row["name"])]
    written += [_content(halved(base), shared)] if shared else []
    folder.mkdir(parents=True, exist_ok=True)
    files = [f"{row['name']}.safetensors", f"classification-{shared}.safetensors"]
    sums = []
    for file, content in zip(files, written, strict=False):
        (folder / file).write_bytes(content)
        sums.append({"file": file, "sha256": hashlib.sha256(content).hexdigest()})
    base_row = {"base": sums[1]} if shared else {}
    _replace_row({**row, **sums[0], **base_row, "ir": graphs.write_ir(ir, sums[-1]["file"], folder)}, folder)
    return weights.published(row["name"], folder)


def checked_ir(network: nn.Module, state: dict[str, torch.Tensor]) -> dict[str, bytes]:
    """Return the IR that workers run of a state; raises ValueError where it answers otherwise than the network itself."""
    if not isinstance(network, DeepLab | Network):
        return {}  # no worker runs it
    reference = copy.deepcopy(network)
    reference.load_state_dict(state)
    arrays = {key: value.numpy() for key, value in state.items()}
    if isinstance(network, Network):
        reference, graph = FeatureMap(reference), graphs.features(arrays)
    else:
        graph = graphs.segmentation(arrays)
    photos = np.random.default_rng(1).integers(0, 256, (2, SIDE, SIDE, 3), np.uint8)
    ir = graphs.ir_of(graph)
    read = ov.Core().read_model(ir["xml"], ir["bin"])
    answers = [run(photos) for run in (prepare_graph(read), CPU.prepare_model(reference))]
    if not (difference := abs(answers[0] - answers[1]).max()) < GRAPH_DIFFERENCE:
        raise ValueError(f"the graph for OpenVINO differs by {difference} from the network")
    return ir


def _content(state: dict[str, torch.Tensor], name: str) -> bytes:
    content = safetensors.torch.save(state)
    if len(content) > SIZE_LIMIT:
        raise ValueError(f"{name}: {len(content)} bytes, more than the {SIZE_LIMIT} that may be committed")
    return content


def halved(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Return a state with its floats in half precision; raises ValueError for what that cannot hold."""
    state = {key: v.half() if v.is_floating_point() else v for key, v in state.items()}
    if spoilt := [key for key, value in state.items() if not torch.isfinite(value).all()]:
        raise ValueError(f"{', '.join(spoilt)}: not finite in half precision; such a network answers nothing")
    return {key: value.contiguous().clone() for key, value in state.items()}


def _replace_row(row: dict[str, Any], folder: Path) -> None:
    path = folder / "table.json"
    rows = json.loads(path.read_text(encoding="utf-8")) if path.exists() else []
    kept = [other for other in rows if other["name"] != row["name"]]
    rows = sorted([*kept, row], key=lambda r: r["name"])
    path.write_text(json.dumps(rows, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def sources_of(rows: list[Row]) -> list[dict[str, Any]]:
    """Return each source with its licence and the number of its photos, for the card and the table."""
    counted = Counter((row.source, row.licence) for row in rows)
    return [{"source": s, "licence": licence, "photos": n} for (s, licence), n in sorted(counted.items())]


def record_figures(figures: dict[str, Any], name: str, title: str, folder: Path = weights.FOLDER) -> None:
    """Keep an evaluation's figures, overall and of subgroups, under a title that says on which photos."""
    own = weights.published(name, folder)
    if own.sha256[:12] not in figures["model"]:
        raise ValueError(f"measured was {figures['model']}, published is {own.version} {own.sha256[:12]}")
    rows = json.loads((folder / "table.json").read_text(encoding="utf-8"))
    row = next(row for row in rows if row["name"] == name)
    metrics = row["metrics"] | {title: measured(figures)}
    # Without those of single classes: too few photos are left of a group.
    by_group = {
        column: {
            group: {key: value for key, value in measured(own).items() if "." not in key}
            for group, own in figures[f"by_{column}"].items()
        }
        for column in SUBGROUPS
        if figures.get(f"by_{column}")
    }
    subgroups = row.get("subgroups", {}) | {title: by_group}
    _replace_row(row | {"metrics": metrics, "subgroups": subgroups}, folder)


def record_alarms(alarms: dict[str, Any], name: str, folder: Path = weights.FOLDER) -> None:
    """Keep what each alarm is worth, for the worker to send with it; what could not be measured is left out."""
    rows = json.loads((folder / "table.json").read_text(encoding="utf-8"))
    row = next(row for row in rows if row["name"] == name)
    whole = {
        condition: {key: figure for key, figure in own.items() if None not in figure.values()}
        for condition, own in alarms.items()
    }
    _replace_row(row | {"alarms": row["alarms"] | whole}, folder)


def measured(figures: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in figures.items() if isinstance(value, dict) and "value" in value}


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("name", choices=sorted(weights.table()))
    parser.add_argument("--figures", type=Path, required=True, help="JSON of training.evaluate")
    parser.add_argument("--title", required=True, help='the photos measured, e.g. "evaluate rows of cls"')
    parser.add_argument("--weights", type=Path, default=weights.FOLDER, help="folder of a clinic's own")
    arguments = parser.parse_args(argv)
    figures = json.loads(arguments.figures.read_text())
    record_figures(figures, arguments.name, arguments.title, arguments.weights)


if __name__ == "__main__":
    main()
