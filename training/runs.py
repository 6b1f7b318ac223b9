"""A training run on disk: recipe, checkpoint, log and card below runs/ (never committed)."""

from __future__ import annotations

import argparse
import csv
import dataclasses
import json
import logging
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import torch

log = logging.getLogger(__name__)

ROOT = Path("runs")
SAVE_EVERY_SECONDS = 120
LOG_EVERY_STEPS = 20


class Stateful(Protocol):
    def state_dict(self) -> dict[str, Any]: ...
    def load_state_dict(self, state: dict[str, Any]) -> Any: ...


class Run:
    """One named run. A run that was stopped, by whatever, goes on from its last checkpoint."""

    def __init__(self, kind: str, name: str, root: Path = ROOT) -> None:
        self.folder = Path(root) / kind / name
        self.folder.mkdir(parents=True, exist_ok=True)
        self.checkpoint = self.folder / "checkpoint.pt"

    def steps(self, first: int, total: int, minutes: float) -> Iterator[int]:
        """Yield the steps still to do until the time is over; log how long the rest will take."""
        started = time.monotonic()
        for step in range(first, total):
            spent = time.monotonic() - started
            if spent > 60 * minutes:
                log.info("time is over at step %d of %d; the same command goes on", step, total)
                return
            if step % LOG_EVERY_STEPS == 0 and step > first:
                left = spent / (step - first) * (total - step)
                log.info("step %d of %d, %.0f min left", step, total, left / 60)
            yield step

    def note(self, **figures: float) -> None:
        """Append a line of figures to log.csv."""
        path = self.folder / "log.csv"
        new = not path.exists()
        with path.open("a", newline="") as file:
            writer = csv.DictWriter(file, figures)
            if new:
                writer.writeheader()
            writer.writerow(figures)

    def save(self, step: int, **parts: Stateful) -> None:
        """Replace the checkpoint; a crash in the middle leaves the old one."""
        state = {name: part.state_dict() for name, part in parts.items()}
        partial = self.checkpoint.with_suffix(".partial")
        torch.save({"step": step, **state}, partial)
        partial.replace(self.checkpoint)

    def restore(self, **parts: Stateful) -> int:
        """Load the parts of the last checkpoint; return the first step still to do (0 for a new run)."""
        if not self.checkpoint.exists():
            return 0
        state = torch.load(self.checkpoint, weights_only=True)
        for name, part in parts.items():
            part.load_state_dict(state[name])
        return state["step"]

    def write(self, name: str, content: dict[str, Any]) -> None:
        (self.folder / name).write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n")

    def read(self, name: str) -> dict[str, Any]:
        return json.loads((self.folder / name).read_text())


class SaveClock:
    """Tells when the last checkpoint is old enough for a new one."""

    def __init__(self) -> None:
        self.last = time.monotonic()

    def due(self) -> bool:
        now = time.monotonic()
        if now - self.last < SAVE_EVERY_SECONDS:
            return False
        self.last = now
        return True


def parser(doc: str, recipe: type) -> argparse.ArgumentParser:
    """Return the command line that both trainings share; each field of the recipe is an option."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("action", nargs="?", choices=("train", "publish"), default="train")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="holds seg/ and cls/")
    parser.add_argument("--scenes", type=Path, help="folder written by `python -m training.phantom`")
    parser.add_argument("--kept", type=Path, help="another such folder, of other seeds, to calibrate on")
    parser.add_argument("--run", required=True, help="name of the run; one that was stopped goes on")
    parser.add_argument("--minutes", type=float, default=60, help="stop then, with a checkpoint")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--version", default="1", help="of the published weights")
    for field in dataclasses.fields(recipe):
        name = f"--{field.name.replace('_', '-')}"
        parser.add_argument(name, type=type(field.default), default=field.default)
    return parser


def begin(arguments: argparse.Namespace) -> None:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    torch.set_num_threads(arguments.threads)


def recipe_of(recipe: type, arguments: argparse.Namespace) -> Any:
    return recipe(**{field.name: getattr(arguments, field.name) for field in dataclasses.fields(recipe)})
