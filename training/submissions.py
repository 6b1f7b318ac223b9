"""What a model does to the urgency of a submission of two or three photos, where every red flag is answered "no".

    python -m training.submissions --manifest ../shared/data/cls/manifest.csv --root ../shared/data/cls \
        --use evaluate --json OUT --markdown docs/models/submissions.md

Photos of one group and class are a submission. Photos that are alone in their group are drawn into pairs of one class,
marked as simulated: two persons are not one. An alarm raises urgency only where its figures with the weights earn it
(`earned`); a submission without a usable photo waits two days at most. Beside it stand the levels that the former policy
gives to the same opinions: its file says to what it raises, and it raised for every alarm and every abstention.
"""

from __future__ import annotations

import argparse
import json
import tomllib
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from contract.alarms import Alarm
from contract.messages import Classified
from contract.photos import QualityFault
from inference_worker.models import weights
from inference_worker.models.classification import CLASSES, Classifier
from inference_worker.models.quality import assess_quality
from inference_worker.models.torch_engine import TorchEngine
from inference_worker.models.torch_networks import Network, loaded
from training import features
from training.classification_figures import share_of
from training.data import Row, exit_on_manifest_error, measuring_rows, output, read_photo
from training.evaluate import ANALYSIS_LONG_SIDE
from training.statistics import Figures

PHOTOS_AT_MOST = 3
LEAST_RATIO, LEAST_SENSITIVITY = 2.0, 0.5  # lower bounds by which an alarm earns the right to raise
LEVELS = ("routine", "weeks_2", "days_2", "same_day")
RAISES_TO = {"HI": "same_day", "IM": "days_2", "MF": "weeks_2"}
UNUSABLE = (QualityFault.TOO_DARK, QualityFault.BLURRED)
FORMER_POLICY = "2026-11-23"
POLICIES = Path(__file__).parents[1] / "teleder/cases/triage/policies"
GOALS = {"AD": ("left routine", 0.80), "HI": ("raised", 0.60)}
SEED = 1


@dataclass(frozen=True)
class Submission:
    """Photos of one class, by their places among the rows; `is_simulated`: of different persons."""

    label: str
    group: str
    photos: tuple[int, ...]
    is_simulated: bool


def submissions_of(rows: Sequence[Row]) -> list[Submission]:
    """Return submissions of two or three photos; of a class's photos without a sibling one may be left over."""
    together: dict[tuple[str, str], list[int]] = defaultdict(list)
    for place, row in enumerate(rows):
        together[row.label, row.group].append(place)
    found, alone = [], defaultdict(list)
    for (label, group), places in sorted(together.items()):
        if len(places) == 1:
            alone[label] += places
            continue
        parts = np.array_split(places, -(-len(places) // PHOTOS_AT_MOST))
        found += [Submission(label, group, tuple(map(int, part)), False) for part in parts]
    rng = np.random.default_rng(SEED)
    for label, places in sorted(alone.items()):
        mixed = rng.permutation(places)
        pairs = zip(mixed[::2], mixed[1::2], strict=False)
        found += [Submission(label, f"pair {a} {b}", (int(a), int(b)), True) for a, b in pairs]
    return found


def earned(alarm: Alarm) -> bool:
    """Return whether an alarm may raise urgency: both likelihood ratios and the sensitivity have a high enough lower bound."""
    ratios = (alarm.likelihood_ratio, alarm.likelihood_ratio_ad)
    return (
        all(ratio is not None and ratio.low >= LEAST_RATIO for ratio in ratios)
        and alarm.sensitivity is not None
        and alarm.sensitivity.low >= LEAST_SENSITIVITY
    )


def levels_by_alarms(opinions: Sequence[Classified], usable: Sequence[bool]) -> Iterator[tuple[str, bool]]:
    """Yield for each photo the level that its alarms raise to, and whether it is usable."""
    for found, is_usable in zip(opinions, usable, strict=True):
        raised = [RAISES_TO[a.condition] for a in found.alarms if a.rings and earned(a)]
        yield max(raised, default="routine", key=LEVELS.index), is_usable


def levels_before(
    opinions: Sequence[Classified], faults: Sequence[QualityFault | None]
) -> Iterator[tuple[str, bool]]:
    """Yield the same under the former policy: every alarm and every abstention raises, and every fault makes unusable."""
    policy = tomllib.loads((POLICIES / f"{FORMER_POLICY}.toml").read_text())
    raises_to = policy["model_levels"]
    for found, fault in zip(opinions, faults, strict=True):
        raised = [raises_to[alarm.condition] for alarm in found.alarms if alarm.rings]
        raised += [raises_to["abstained"]] if found.abstention else []
        yield max(raised, default="routine", key=LEVELS.index), fault is None


def level_of(submission: Submission, photos: Sequence[tuple[str, bool]]) -> str:
    """Return a submission's level from each photo's level and whether it is usable."""
    own = [photos[place] for place in submission.photos]
    unusable = [] if any(is_usable for _, is_usable in own) else ["days_2"]
    return max([*(level for level, _ in own), *unusable], key=LEVELS.index)


def figures_of(submissions: Sequence[Submission], photos: Sequence[tuple[str, bool]]) -> Figures:
    """Return by class the share of submissions at each level, of all, and of those of one person alone."""
    levels = np.array([level_of(one, photos) for one in submissions])
    labels = np.array([one.label for one in submissions])
    groups = [one.group for one in submissions]
    real = np.array([not one.is_simulated for one in submissions])
    figures: Figures = {}
    for label in sorted(set(labels), key=CLASSES.index):
        own = labels == label
        shares = {level: share_of(own, levels == level, groups) for level in LEVELS}
        shares["raised"] = share_of(own, levels != "routine", groups)
        shares["raised, of one person"] = share_of(own & real, levels != "routine", groups)
        figures[label] = shares
    return figures


WHY = {
    "AD": "  Why: under this policy every alarm and every abstention raises.",
    "HI": "  Why: an alarm may raise only where the lower bound of its sensitivity is at least .5 and those of both LR+ at\n"
    "  least 2. This herpes alarm is below one of them; the model's card has the figures.",
}


def page(figures: Mapping[str, Figures], names: Sequence[str]) -> Iterator[str]:
    yield "# What a model does to a submission's urgency\n"
    yield "Written by `python -m training.submissions` (command in its docstring). Submissions of two or three photos of"
    yield 'another publisher, every red flag answered "no". Photos of one group where there are, else pairs of two persons.'
    yield "Share of submissions at each level with its 95 % interval. Under the policy of 2026-11-23 every alarm and abstention of"
    yield "the same model raises. Its first model (2026.11.23.2) is not shipped: its figures are in `training/LOG.md`.\n"
    for name in names:
        own = figures[name]
        yield f"## {name}\n"
        yield "| class | n | " + " | ".join(LEVELS) + " | of one person, raised (n) |"
        yield "|---|---|" + "---|" * (len(LEVELS) + 1)
        for label, shares in own.items():
            real = shares["raised, of one person"]
            cells = [_cell(shares[level]) for level in LEVELS]
            yield (
                f"| {label} | {shares['raised']['n']} | "
                + " | ".join(cells)
                + f" | {_cell(real)} ({real['n']}) |"
            )
        yield ""
        for label, (what, goal) in GOALS.items():
            if label in own:
                value = own[label]["routine" if label == "AD" else "raised"]
                reached = "reached" if value["value"] >= goal else "**not reached**"
                yield f"- Goal, {label} {what} at least {goal:.2f}: {_cell(value)}, {reached}."
                yield from [WHY[label]] if value["value"] < goal else []
        yield ""


def _cell(own: Figures) -> str:
    if own["value"] is None:
        return "-"
    return f"{own['value']:.3f} [{own['low']:.3f}, {own['high']:.3f}]"


@exit_on_manifest_error
def main(argv: list[str] | None = None) -> None:
    arguments = _parser().parse_args(argv)
    torch.set_num_threads(1)
    rows = measuring_rows(arguments, classes=CLASSES)
    submissions, figures = submissions_of(rows), {}
    faults = [assess_quality(read_photo(row.path, ANALYSIS_LONG_SIDE))[1] for row in rows]
    for name, own in weights.table(arguments.weights).items():
        if name.startswith("classification"):
            classifier = Classifier(own, TorchEngine("cpu", "figures are the same again"))
            photos = features.of_photos(rows, network=loaded(own, Network()))
            opinions = [classifier.classify(photo) for photo in photos]
            usable = [fault not in UNUSABLE for fault in faults]
            name = f"{own.name} {own.version} {own.sha256[:12]}"
            figures[name] = figures_of(submissions, list(levels_by_alarms(opinions, usable)))
            before = list(levels_before(opinions, faults))
            figures[f"{name}, policy {FORMER_POLICY}"] = figures_of(submissions, before)
    text = "\n".join(page(figures, list(figures)))
    print(text)
    arguments.json.write_text(json.dumps(figures, indent=1, sort_keys=True) + "\n")
    arguments.markdown.write_text(text, encoding="utf-8")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--manifest", type=Path, required=True)
    parser.add_argument("--root", type=Path, required=True)
    parser.add_argument("--use", help="only rows of this use, e.g. evaluate")
    parser.add_argument("--weights", type=Path, default=weights.FOLDER)
    parser.add_argument("--json", type=output, required=True)
    parser.add_argument("--markdown", type=output, required=True)
    return parser


if __name__ == "__main__":
    main()
