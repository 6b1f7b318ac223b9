"""Turn a run's network into published weights: safetensors in half precision, sha256, table row."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import nn

from inference_worker import weights
from inference_worker.training.data import Row

SIZE_LIMIT = 15_000_000  # bytes; the file is committed


def publish(network: nn.Module, row: dict[str, Any], folder: Path = weights.FOLDER) -> weights.Weights:
    """Write the file and replace the row of the same name; `row` brings all but `file` and `sha256`."""
    content = safetensors.torch.save(halved(network))
    if len(content) > SIZE_LIMIT:
        raise ValueError(
            f"{row['name']}: {len(content)} bytes, more than the {SIZE_LIMIT} that may be committed"
        )
    folder.mkdir(parents=True, exist_ok=True)
    file = f"{row['name']}.safetensors"
    (folder / file).write_bytes(content)
    _replace_row({**row, "file": file, "sha256": hashlib.sha256(content).hexdigest()}, folder)
    return weights.published(row["name"], folder)


def halved(network: nn.Module) -> dict[str, torch.Tensor]:
    """Return the state with its floats in half precision."""
    state = {key: v.half() if v.is_floating_point() else v for key, v in network.state_dict().items()}
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
