"""The page of the controlled experiment."""

from __future__ import annotations

from collections.abc import Iterator

from training.arms import ARMS, AUTOMATIC, FOUR, ORIGINAL, TRUE_CROP
from training.distance_figures import FIELDS_CM, WITH_WHOLE
from training.paper_table import page as table_page
from training.statistics import Figures


def claim(figures: Figures) -> dict[str, str]:
    """Say what becomes of the paper's two claims. The rules were set beforehand.

    "As good" is confirmed when no figure is inferior by the margin, and refuted when one surely is. "Better at any
    distance" is confirmed when the paired gain is above 0 at every field of view, and refuted when it is surely below
    at one.
    """
    pair = figures["table"]["non_inferiority"][f"{AUTOMATIC} against {TRUE_CROP}"]
    verdicts = {own["verdict"] for own in pair.values()}
    gains = {f: own for f, own in figures["gain"][f"{AUTOMATIC} over {ORIGINAL}"].items() if own["n"]}
    better = [f for f, own in gains.items() if own["low"] > 0]
    worse = [f for f, own in gains.items() if own["high"] < 0]
    return {
        "The automatic crop is as good as a true crop": _judged(
            verdicts <= {"better", "not inferior"}, "inferior" in verdicts
        )
        + " "
        + "; ".join(f"{name} {own['verdict']}" for name, own in pair.items()),
        "It is better than the original at any distance": _judged(len(better) == len(gains), bool(worse))
        + f" better at {_fields(better)}; worse at {_fields(worse)}",
    }


def _judged(is_confirmed: bool, is_refuted: bool) -> str:
    return "**confirmed**:" if is_confirmed else "**refuted**:" if is_refuted else "**not shown**:"


def _fields(fields: list[str]) -> str:
    return f"{', '.join(fields)} cm" if fields else "no distance"


def page(figures: Figures, source: str) -> str:
    return "\n".join(_page(figures, source)) + "\n"


def _page(figures: Figures, source: str) -> Iterator[str]:
    yield "# The controlled experiment\n"
    yield f"Written by `python -m training.distance --scenes {figures['scenes']}`; {source}."
    yield f"{figures['scenes']} drawn scenes, {figures['scenes'] // len(FIELDS_CM)} persons of {', '.join(FOUR)}, each at"
    yield f"{len(FIELDS_CM)} fields of view ({FIELDS_CM[0]} to {FIELDS_CM[-1]} cm across). Phantoms: the segmentation"
    yield "learned from such scenes too (of other seeds), the classification never. These figures say what distance does to the"
    yield "method, and nothing about how well it reads patients.\n"
    yield "## What becomes of the claim\n"
    yield f"Margin {figures['table']['margin']:.2f} of recall, set beforehand; intervals are 95 %.\n"
    yield from (f"- {name}: {said}." for name, said in claim(figures).items())
    yield "\n![Accuracy by field of view](controlled_accuracy.svg)\n"
    yield "## Accuracy by field of view\n"
    yield from field_table({arm: figures["accuracy"][arm] for arm in ARMS})
    yield "\nThe same persons compared; a negative gain is a loss:\n"
    yield from field_table(figures["gain"])
    yield "\n## Recall by class\n\n![Recall by class](controlled_classes.svg)\n"
    yield "## A crop is found\n\n![Crop found](controlled_crops.svg)\n"
    yield from field_table(
        {f"{name}, automatic": own for name, own in figures["crop_found"]["boxes"].items()}
    )
    yield "\n## The answer flips from one distance to the next\n"
    yield "From each field of view to the next. To lose the crop, or find it again, is a flip too.\n"
    yield "| arm | persons | all | " + " | ".join(FOUR) + " |\n|---|---|---|" + "---|" * len(FOUR)
    for arm, own in figures["flips"].items():
        cells = [cell(own), *(cell(figures["flips_by_class"][arm][name]) for name in FOUR)]
        yield f"| {arm} | {own['n']} | " + " | ".join(cells) + " |"
    yield "\n![Flips by class](controlled_flips.svg)"
    yield from _herpes(figures["herpes"])
    yield "\n" + table_page(figures["table"], "The table over all distances").replace("# The", "## The", 1)


def _herpes(own: Figures) -> Iterator[str]:
    yield "\n## What the 80/10 rule costs herpes\n"
    yield f"- Scenes of herpes in which no square of the *true* mask obeys the rule: {cell(own['no_true_crop'])}; of the"
    yield f"  network's mask: {cell(own['no_automatic_crop'])} (n {own['no_true_crop']['n']})."
    yield f"- Missed by the automatic crop alone: {cell(own['missed_by_automatic_crop'])} of all scenes of herpes."
    wrong = own["others_called_herpes"]
    for arm in WITH_WHOLE:
        back = cell(own["of_all_won_back"][arm])
        yield f"- *{arm.capitalize()}* wins back {back} of all scenes of herpes; the price: {cell(wrong[arm])} of the"
        yield f"  other three are called herpes (automatic crop alone: {cell(wrong[AUTOMATIC])}; n {wrong[arm]['n']})."
    yield "\n| arm | recall of HI | where the true mask has no crop | n |\n|---|---|---|---|"
    for arm in own["recall"]:
        rare = own["recall_without_true_crop"][arm]
        yield f"| {arm} | {cell(own['recall'][arm])} | {cell(rare)} | {rare['n']} |"


def field_table(curves: dict[str, Figures]) -> Iterator[str]:
    yield "| field, cm | n | " + " | ".join(curves) + " |\n|---|---|" + "---|" * len(curves)
    for field in map(str, FIELDS_CM):
        points = [own[field] for own in curves.values()]
        yield f"| {field} | {points[0]['n']} | " + " | ".join(cell(point) for point in points) + " |"


def cell(own: Figures) -> str:
    if own["value"] is None:
        return "-"
    return f"{own['value']:.3f} [{own['low']:.3f}, {own['high']:.3f}]"
