"""The published weights: each with everything needed to use it and to judge it.

`weights/table.json` is the table; `training.publish` writes its rows. A file is opened only if its
sha256 is the one in the table, and it is a safetensors file: data, never a pickle that could run code.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors.torch
from torch import nn

from inference_worker.contract import ModelRef

FOLDER = Path(__file__).parent / "weights"


class UnknownWeights(LookupError):
    """No published weights have this name."""


class TamperedWeights(RuntimeError):
    """A weights file is not the one that was published."""


@dataclass(frozen=True, kw_only=True)
class Weights:
    """One published set of weights.

    `transform` holds the input size, `thresholds` and `temperature` what turns logits into a finding,
    `metrics` measured figures ({"value", "low", "high", "n"}), `licences` every training source.
    """

    name: str
    version: str
    file: str
    sha256: str
    classes: tuple[str, ...]
    transform: dict[str, int]
    temperature: float
    thresholds: dict[str, float]
    metrics: dict[str, Any]
    licences: tuple[str, ...]
    recipe: dict[str, Any]
    demonstration: bool
    folder: Path = FOLDER

    @property
    def ref(self) -> ModelRef:
        return ModelRef(name=self.name, version=self.version, sha256=self.sha256)

    def load_into(self, network: nn.Module) -> nn.Module:
        """Fill the network; raises TamperedWeights if the file is missing or not the published one."""
        state = safetensors.torch.load(self._bytes())
        network.load_state_dict(state, strict=True)  # half precision on disk, the network's own in memory
        return network

    def _bytes(self) -> bytes:
        path = self.folder / self.file
        if not path.is_file():
            raise TamperedWeights(f"{path}: missing; {self.name} {self.version} was published with it")
        content = path.read_bytes()
        found = hashlib.sha256(content).hexdigest()
        if found != self.sha256:
            raise TamperedWeights(f"{path}: sha256 is {found}, published was {self.sha256}; not loaded")
        return content


def table(folder: Path = FOLDER) -> dict[str, Weights]:
    """Return the published weights by name."""
    rows = json.loads((folder / "table.json").read_text(encoding="utf-8"))
    return {row["name"]: _weights(row, folder) for row in rows}


def _weights(row: dict[str, Any], folder: Path) -> Weights:
    lists = {"classes": tuple(row["classes"]), "licences": tuple(row["licences"])}
    return Weights(**{**row, **lists}, folder=folder)


def published(name: str, folder: Path = FOLDER) -> Weights:
    """Return the published weights of this name, `segmentation` or `classification`."""
    known = table(folder)
    if name not in known:
        raise UnknownWeights(f"no weights {name!r}; published: {', '.join(sorted(known)) or 'none'}")
    return known[name]
