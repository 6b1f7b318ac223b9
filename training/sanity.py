"""Does the map depend on what the network learned? Parameter randomisation (Adebayo et al. 2018, arXiv 1810.03292).

    python -m training.sanity [--photos 40] [--json OUT]
    python -m training.sanity --manifest CSV --root DIR --use evaluate [--json OUT]

The layers are drawn again at random, from the last to the first, each on top of those before it. After each the maps of the
same photos for the same conditions are compared with the trained network's: Spearman's rank correlation of the
fields, mean over photos with a 95 % interval. A map that stays the same shows the photo, not the network.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import spearmanr
from torch import nn

from contract.alarms import Condition
from inference_worker.models import weights
from inference_worker.models.attribution import decisive, maps_of
from inference_worker.models.classification import CLASSES, Classifier, crops_of, evidence_of
from inference_worker.models.torch_engine import TorchEngine
from inference_worker.models.torch_networks import FeatureMap, Network, loaded
from training import phantom
from training.data import exit_on_manifest_error, measuring_rows, output, read_photo
from training.evaluate import ANALYSIS_LONG_SIDE, over

SEED = 1
CPU = TorchEngine("cpu", "its layers are drawn again")


def layers(network: nn.Module) -> dict[str, nn.Module]:
    """Return the layers of a classification network from the last to the first."""
    body = network.backbone
    blocks = {f"blocks.{i}": block for i, block in reversed(list(enumerate(body.blocks)))}
    last = {"head": network.head, "conv_head": nn.Sequential(body.conv_head, body.bn2)}
    return {**last, **blocks, "conv_stem": nn.Sequential(body.conv_stem, body.bn1)}


def randomise(layer: nn.Module, rng: np.random.Generator) -> None:
    """Shuffle the values of each parameter: their distribution stays, what was learned goes."""
    for parameter in layer.parameters():
        values = parameter.detach().cpu().numpy()
        fresh = rng.permutation(values.ravel()).reshape(values.shape)
        parameter.data.copy_(parameter.data.new_tensor(fresh))


def maps_by(network: Network, views: np.ndarray, conditions: list[Condition]) -> np.ndarray:
    """Return the map (N, 7, 7) of each view for its own condition."""
    run = CPU.prepare_model(FeatureMap(network))
    head = [value.detach().double().numpy() for value in (network.head.weight, network.head.bias)]
    pairs = zip(views, conditions, strict=True)
    return np.concatenate([maps_of(evidence_of(run(view[None]), *head), own) for view, own in pairs])


def correlations(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Return Spearman's rank correlation (N,) of two sets of maps; a flat map has none, nan."""
    pairs = zip(before.reshape(len(before), -1), after.reshape(len(after), -1), strict=True)
    return np.array([spearmanr(a, b).statistic if np.ptp(a) and np.ptp(b) else np.nan for a, b in pairs])


def check(own: weights.Weights, photos: list[np.ndarray], groups: list[str]) -> dict[str, Any]:
    """Return for each layer the correlation after it and all later ones were drawn again."""
    network = loaded(own, Network())
    conditions = [decisive(found)[0] for found in Classifier(own, CPU)(photos, [[]] * len(photos))]
    views = np.concatenate([crops_of(photo, []) for photo in photos])
    before, rng = maps_by(network, views, conditions), np.random.default_rng(SEED)
    figures = {}
    for name, layer in layers(network).items():
        randomise(layer, rng)
        found = correlations(before, maps_by(network, views, conditions))
        figures[name] = over(np.isfinite(found), groups, lambda i, found=found: float(found[i].mean()))
    return figures


@exit_on_manifest_error
def main(argv: list[str] | None = None) -> None:
    arguments = _parser().parse_args(argv)
    if arguments.manifest:
        rows = measuring_rows(arguments)[: arguments.photos]
        found = [(read_photo(row.path, ANALYSIS_LONG_SIDE), row.group) for row in rows]
    else:
        scenes = [phantom.draw(i, condition=CLASSES[i % len(CLASSES)]) for i in range(arguments.photos)]
        found = [(scene.photo, str(seed)) for seed, scene in enumerate(scenes)]
    photos, groups = map(list, zip(*found, strict=True))
    own = weights.published("classification")
    figures = check(own, photos, groups)
    print(f"classification {own.version} {own.sha256[:12]}: rank correlation with the trained network's maps")
    for name, figure in figures.items():
        print("{:12} {value} [{low}, {high}]  n={n}".format(name, **figure))
    if arguments.json:
        arguments.json.write_text(json.dumps({"model": own.sha256, **figures}, indent=1) + "\n")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--photos", type=int, default=40, help="how many; drawn scenes without a manifest")
    parser.add_argument("--manifest", type=Path)
    parser.add_argument("--root", type=Path, default=Path("."), help="folder the manifest's paths start from")
    parser.add_argument("--use", help="only rows of this use, e.g. evaluate")
    parser.add_argument("--json", type=output)
    return parser


if __name__ == "__main__":
    main()
