"""The recipe by which a network is trained: loop, checkpoints, time limit, log, seeds and command line.

`segment` configures it: it brings a network, the layers that stay frozen, the learning rates, how a batch is drawn and
the loss. A run is a folder below runs/ (never committed) with recipe.json, card.json (its
sources), checkpoint.pt and log.csv. A run that was stopped, by whatever, continues from its last checkpoint.
"""

from __future__ import annotations

import argparse
import csv
import dataclasses
import json
import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, Self

import numpy as np
import torch
from torch import nn

log = logging.getLogger(__name__)

ROOT = Path("runs")
SAVE_EVERY_SECONDS = 120
LOG_EVERY_STEPS = 20
WARM_UP_STEPS = 50
EMA_DECAY = 0.998
CLIP = 5.0


@dataclass(frozen=True)
class Recipe:
    """Everything that decides a run; stored with its checkpoint. Each field is an option of the command line."""

    steps: int = 600
    batch: int = 32
    encoder_rate: float = 1e-4
    weight_decay: float = 5e-2
    bf16: int = 1  # wanted; used where the CPU multiplies it
    seed: int = 1

    @classmethod
    def add_options(cls, parser: argparse.ArgumentParser) -> None:
        """Add what each command has that trains."""
        parser.add_argument("--run", required=True, help="name of the run; one that was stopped continues")
        parser.add_argument("--minutes", type=float, default=60, help="stop then, with a checkpoint")
        parser.add_argument("--threads", type=int, default=2)
        for field in dataclasses.fields(cls):
            name = f"--{field.name.replace('_', '-')}"
            parser.add_argument(name, type=type(field.default), default=field.default)

    @classmethod
    def chosen(cls, arguments: argparse.Namespace) -> Self:
        return cls(**{field.name: getattr(arguments, field.name) for field in dataclasses.fields(cls)})

    def rng(self, step: int) -> np.random.Generator:
        """Return the random numbers of a step: it alone decides its batch, also in a run that continues."""
        return np.random.default_rng([self.seed, step])


@dataclass(frozen=True)
class Task:
    """What is learned: `batch(step)` gives what `loss(network, batch)` needs; `rates` are (parameters, top rate)."""

    recipe: Recipe
    network: nn.Module
    frozen: list[nn.Module]
    rates: list[tuple[list[nn.Parameter], float]]
    batch: Callable
    loss: Callable


class Stateful(Protocol):
    def state_dict(self) -> dict[str, Any]: ...
    def load_state_dict(self, state: dict[str, Any]) -> Any: ...


class Run:
    """One named run on disk."""

    def __init__(self, kind: str, name: str, root: Path = ROOT) -> None:
        self.folder = Path(root) / kind / name
        self.folder.mkdir(parents=True, exist_ok=True)
        self.checkpoint = self.folder / "checkpoint.pt"

    def describe(self, recipe: Recipe, **card: Any) -> None:
        """Write recipe.json and card.json."""
        for name, content in (("recipe", dataclasses.asdict(recipe)), ("card", card)):
            text = json.dumps(content, indent=1, ensure_ascii=False) + "\n"
            (self.folder / f"{name}.json").write_text(text)

    def read(self, name: str) -> dict[str, Any]:
        return json.loads((self.folder / name).read_text())

    def recipe_with(self, **results: Any) -> dict[str, Any]:
        """Return the recipe with what came of it, for the table of weights."""
        return self.read("recipe.json") | {"run": self.folder.name} | results

    def steps(self, first: int, total: int, minutes: float) -> Iterator[int]:
        """Yield the steps still to do until the time is over; log how long the rest will take."""
        started = time.monotonic()
        for step in range(first, total):
            spent = time.monotonic() - started
            if spent > 60 * minutes:
                log.info("time is over at step %d of %d; the same command continues", step, total)
                return
            if step % LOG_EVERY_STEPS == 0 and step > first:
                left = spent / (step - first) * (total - step)
                log.info("step %d of %d, %.0f min left", step, total, left / 60)
            yield step

    def record(self, **figures: float) -> None:
        """Append a line of figures to log.csv."""
        path = self.folder / "log.csv"
        is_new = not path.exists()
        with path.open("a", newline="") as file:
            writer = csv.DictWriter(file, figures)
            if is_new:
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


def begin(arguments: argparse.Namespace) -> None:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    torch.set_num_threads(arguments.threads)


def learn(run: Run, task: Task, minutes: float) -> nn.Module:
    """Train until the steps are done or the minutes are over; return the averaged network.

    AdamW, warm-up and nearly linear decay. bfloat16 where this CPU multiplies it: others emulate it, and a step took
    42 s there against 5 s in float32.
    """
    for module in task.frozen:
        module.requires_grad_(False)
    groups = [{"params": [p for p in params if p.requires_grad], "top": top} for params, top in task.rates]
    optimiser = torch.optim.AdamW(groups, weight_decay=task.recipe.weight_decay)
    mean, able = averaged(task.network), torch.cpu.get_capabilities()
    bf16 = bool(task.recipe.bf16) and any(able.get(name) for name in ("amx_bf16", "avx512_bf16", "bf16"))
    parts = {"network": task.network, "mean": mean, "optimiser": optimiser}
    done, saved = run.restore(**parts), time.monotonic()
    for step in run.steps(done, task.recipe.steps, minutes):
        torch.manual_seed(step)  # dropout too continues as if the run had never stopped
        task.network.train()
        for module in task.frozen:
            module.eval()  # frozen means their batch statistics too
        for group in optimiser.param_groups:
            group["lr"] = group["top"] * rate(step, task.recipe.steps)
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            loss = task.loss(task.network, task.batch(step))
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(task.network.parameters(), CLIP)
        optimiser.step()
        run.record(step=step, loss=loss.item())
        mean.update_parameters(task.network)
        done = step + 1
        if time.monotonic() - saved > SAVE_EVERY_SECONDS:
            run.save(done, **parts)
            saved = time.monotonic()
    run.save(done, **parts)
    return mean.module.eval()


def rate(step: int, steps: int) -> float:
    """Return the share of the top learning rate: a short warm-up, then nearly a line to nothing."""
    return min(1.0, (step + 1) / WARM_UP_STEPS) * max(0.0, 1 - step / steps) ** 0.9


def averaged(network: nn.Module) -> torch.optim.swa_utils.AveragedModel:
    """Return a running average; it forgets early steps fast, or a short run would average the untrained start."""

    def average(mean: torch.Tensor, value: torch.Tensor, count: torch.Tensor) -> torch.Tensor:
        decay = min(EMA_DECAY, (1 + int(count)) / (10 + int(count)))
        return mean * decay + value * (1 - decay)

    return torch.optim.swa_utils.AveragedModel(network, avg_fn=average, use_buffers=True)


def saved_network(run: Run, network: nn.Module) -> tuple[nn.Module, int]:
    """Return the averaged network of a run's last checkpoint and the number of steps done."""
    mean = averaged(network)
    steps = run.restore(mean=mean)
    if not steps:
        raise FileNotFoundError(f"{run.checkpoint}: no checkpoint; train first")
    return mean.module.eval(), steps


def command(
    doc: str, recipe: type[Recipe], train: Callable, publish: Callable, argv: list[str] | None
) -> None:
    """Run `[train | publish]` of the shipped networks with the options that they share."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("action", nargs="?", choices=("train", "publish"), default="train")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="holds seg/ and cls/")
    parser.add_argument("--scenes", type=Path, help="folder written by `python -m training.phantom`")
    parser.add_argument("--kept", type=Path, help="another such folder, of other seeds, to calibrate on")
    parser.add_argument("--version", default="1", help="of the published weights")
    recipe.add_options(parser)
    arguments = parser.parse_args(argv)
    begin(arguments)
    (train if arguments.action == "train" else publish)(arguments)
