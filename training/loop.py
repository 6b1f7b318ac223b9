"""One training loop for both networks: AdamW, warm-up and linear decay, averaged weights, resumable."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn

from training.runs import Run, SaveClock

WARM_UP_STEPS = 50
EMA_DECAY = 0.998
CLIP = 5.0


@dataclass(frozen=True)
class Task:
    """What is learnt: `batch(step)` gives what `loss(network, batch)` needs; `rates` are (parameters, top rate)."""

    network: nn.Module
    frozen: list[nn.Module]
    rates: list[tuple[list[nn.Parameter], float]]
    batch: Callable
    loss: Callable
    steps: int
    weight_decay: float
    bf16: bool = False  # wanted; used where the CPU multiplies it


def learn(run: Run, task: Task, minutes: float) -> nn.Module:
    """Train until the task's steps are done or the minutes are over; return the averaged network."""
    for module in task.frozen:
        module.requires_grad_(False)
    optimiser, mean = _optimiser(task), averaged(task.network)
    parts = {"network": task.network, "mean": mean, "optimiser": optimiser}
    done, clock = run.restore(**parts), SaveClock()
    bf16 = task.bf16 and multiplies_bf16()
    for step in run.steps(done, task.steps, minutes):
        run.note(step=step, loss=_step(task, optimiser, step, bf16))
        mean.update_parameters(task.network)
        done = step + 1
        if clock.due():
            run.save(done, **parts)
    run.save(done, **parts)
    return mean.module.eval()


def averaged(network: nn.Module) -> torch.optim.swa_utils.AveragedModel:
    return torch.optim.swa_utils.AveragedModel(network, avg_fn=_average, use_buffers=True)


def saved_network(run: Run, network: nn.Module) -> tuple[nn.Module, int]:
    """Return the averaged network of a run's last checkpoint and the number of steps done."""
    mean = averaged(network)
    steps = run.restore(mean=mean)
    if not steps:
        raise FileNotFoundError(f"{run.checkpoint}: no checkpoint; train first")
    return mean.module.eval(), steps


def _optimiser(task: Task) -> torch.optim.Optimizer:
    groups = [{"params": [p for p in params if p.requires_grad], "top": top} for params, top in task.rates]
    return torch.optim.AdamW(groups, weight_decay=task.weight_decay)


def multiplies_bf16() -> bool:
    """Tell whether this CPU multiplies bfloat16. Others emulate it: a step took 42 s there, 5 s in float32."""
    found = torch.cpu.get_capabilities()
    return any(found.get(name) for name in ("amx_bf16", "avx512_bf16", "bf16"))


def _step(task: Task, optimiser: torch.optim.Optimizer, step: int, bf16: bool) -> float:
    torch.manual_seed(step)  # dropout too goes on as if the run had never stopped
    task.network.train()
    for module in task.frozen:
        module.eval()  # frozen means their batch statistics too
    for group in optimiser.param_groups:
        group["lr"] = group["top"] * rate(step, task.steps)
    with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
        loss = task.loss(task.network, task.batch(step))
    optimiser.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(task.network.parameters(), CLIP)
    optimiser.step()
    return loss.item()


def rate(step: int, steps: int) -> float:
    """Return the share of the top learning rate: a short warm-up, then nearly a line to nothing."""
    return min(1.0, (step + 1) / WARM_UP_STEPS) * max(0.0, 1 - step / steps) ** 0.9


def _average(mean: torch.Tensor, value: torch.Tensor, count: torch.Tensor) -> torch.Tensor:
    # Early steps are forgotten fast, so that a short run is no average with the untrained start.
    decay = min(EMA_DECAY, (1 + int(count)) / (10 + int(count)))
    return mean * decay + value * (1 - decay)
