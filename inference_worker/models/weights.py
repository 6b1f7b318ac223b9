"""The published weights: each with everything needed to use it and to assess it.

`weights/table.json` is the table; `training.publish` writes its rows, the parameters (safetensors: data, never a pickle
that could run code) and the IR that OpenVINO runs. Nothing of a file is parsed before its sha256 is the one in the table.

Two classifications are shipped, because pictures of two licences must not be mixed: TELEDER_CLASSIFIER chooses
`research` (the default, non-commercial) or `open`. A clinic that trained its own names their folder in
TELEDER_WEIGHTS: they take the place of the shipped ones of the same name.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.numpy

from contract.alarms import Alarm, Figure
from contract.messages import ModelRef

FOLDER = Path(__file__).parents[1] / "weights"
# What TELEDER_CLASSIFIER may say, and the row of the table that it means.
CLASSIFIERS = {"research": "classification", "open": "classification-open"}
REMEDY = (
    "Bring back the folder as it was published (inference_worker/weights: git checkout; a clinic's own: "
    "TELEDER_WEIGHTS names it) and try the jobs again."
)


class WeightsError(RuntimeError):
    """No network can be made from what is published here; the message says what to do."""


class UnknownWeightsError(WeightsError):
    """No published weights have this name."""


class RefusedWeightsError(WeightsError):
    """A weights file, or its row, is not what was published."""


@dataclass(frozen=True, kw_only=True)
class Weights:
    """One published set of weights.

    `transform` holds the input size, `thresholds` and `temperature` what turns logits into a finding,
    `metrics` measured figures ({"value", "low", "high", "n"}) by the photos measured, `subgroups` the same
    by column and group, `licences` every training source. `base` ({"file", "sha256"}) names the file with the
    parameters that several weights share; `ir` names the OpenVINO IR alike, by its two parts, `xml` and `bin`. `alarms`
    says of each condition that has an alarm what it is measured to be worth, by the names of `contract.alarms.Alarm`.
    Photos farther than `scope_distance` from the training photos are out of scope.
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
    subgroups: dict[str, Any] = field(default_factory=dict)
    base: dict[str, str] = field(default_factory=dict)
    ir: dict[str, dict[str, str]] = field(default_factory=dict)
    alarms: dict[str, dict[str, Any]] = field(default_factory=dict)
    scope_distance: float = math.inf
    folder: Path = FOLDER

    @property
    def ref(self) -> ModelRef:
        return ModelRef(name=self.name, version=self.version, sha256=self.sha256)

    def parameters(self) -> dict[str, np.ndarray]:
        """Return the network's parameters as they are on disk, mostly in half precision.

        Raises RefusedWeightsError for a file that is missing or not the published one.
        """
        parameters = {}
        try:
            for content in self._published_parameters():
                parameters |= safetensors.numpy.load(content)
        except safetensors.SafetensorError as error:
            expected = "expected a safetensors file; nothing else is opened, because a pickle can run code"
            raise self.refused(f"{expected} ({error})") from error
        return parameters

    def openvino_ir(self) -> tuple[bytes, bytes]:
        """Return the network's OpenVINO IR: XML, and constants in single precision.

        Raises RefusedWeightsError where it, or a file of the parameters that it was made of, is missing or not the
        published one: the hash that findings name, `ref.sha256`, is that of the parameters.
        """
        self._published_parameters()
        try:
            return self._read(**self.ir["xml"]), self._read(**self.ir["bin"])
        except (LookupError, TypeError) as error:
            expected = "expected an OpenVINO IR; `python -m training.graphs --weights DIR` writes it"
            raise self.refused(f"{expected} ({error!r})", "table.json") from error

    def _published_parameters(self) -> list[bytes]:
        return [self._read(self.file, self.sha256), *([self._read(**self.base)] if self.base else [])]

    def _read(self, file: str, sha256: str) -> bytes:
        path = self.folder / file
        if path.parent.resolve() != self.folder.resolve():
            raise self.refused(f"expected a file in {self.folder}", file)
        try:
            content = path.read_bytes()
        except OSError as error:
            raise self.refused(f"expected a readable file ({error.strerror})", file) from error
        found = hashlib.sha256(content).hexdigest()
        if found != sha256:
            raise self.refused(f"expected sha256 {sha256}, found {found} in {len(content)} bytes", file)
        return content

    def alarm_figures(self) -> dict[str, dict[str, Figure]]:
        """Return by condition what its alarm has measured to be worth; nothing in it for one that is not measured."""
        names = [field.name for field in fields(Alarm)]
        return {
            condition: {name: Figure(**figure) for name, figure in figures.items() if name in names}
            for condition, figures in self.alarms.items()
        }

    def refused(self, why: str, file: str = "") -> RefusedWeightsError:
        """Return the error for weights that cannot be used, to be raised."""
        where = f"{self.folder / (file or self.file)} ({self.name} {self.version})"
        return RefusedWeightsError(f"{where} refused: {why}. {REMEDY}")


def table(folder: Path = FOLDER) -> dict[str, Weights]:
    """Return the weights published in one folder by name; raises RefusedWeightsError for a table that cannot be read."""
    path = folder / "table.json"
    try:
        published = []
        for row in json.loads(path.read_text(encoding="utf-8")):
            numbers = [row["temperature"], *row["thresholds"].values()]
            if not (all(math.isfinite(number) for number in numbers) and row["temperature"] > 0):
                raise ValueError(f"{row['name']}: temperature or a threshold is no finite number")
            lists = {"classes": tuple(row["classes"]), "licences": tuple(row["licences"])}
            published.append(Weights(**{**row, **lists}, folder=folder))
    except (OSError, ValueError, TypeError, LookupError) as error:
        raise RefusedWeightsError(
            f"{path} refused: expected a list of complete rows; {error}. {REMEDY}"
        ) from error
    return {weights.name: weights for weights in published}


def in_force(own: Path | None = None) -> dict[str, Weights]:
    """Return the weights in use by name: the shipped ones, and those of `own` in their place.

    Raises RefusedWeightsError where `own`, or the folder that TELEDER_WEIGHTS names, has no table: the shipped
    weights must not answer unnoticed for those that a clinic chose; and where TELEDER_CLASSIFIER names none.
    """
    chosen = os.environ.get("TELEDER_CLASSIFIER") or "research"
    if chosen not in CLASSIFIERS:
        raise RefusedWeightsError(
            f"TELEDER_CLASSIFIER {chosen!r} refused: expected {' or '.join(CLASSIFIERS)}"
        )
    shipped = table()
    if CLASSIFIERS[chosen] in shipped:
        shipped["classification"] = shipped[CLASSIFIERS[chosen]]
    own = own or os.environ.get("TELEDER_WEIGHTS")
    return shipped | (table(Path(own)) if own else {})


def published(name: str, folder: Path | None = None) -> Weights:
    """Return the weights of this name, `segmentation` or `classification`: those in force, or of one folder."""
    known = table(folder) if folder else in_force()
    if name not in known:
        raise UnknownWeightsError(
            f"no weights {name!r}; published: {', '.join(sorted(known)) or 'none'}. {REMEDY}"
        )
    return known[name]
