"""The page of `training.zooms`."""

from __future__ import annotations

from collections.abc import Iterator

from training.evaluate import Figures
from training.zoom_figures import (
    ARMS,
    BOX_TRUE,
    FLIPS_AT_MOST,
    HERPES_KEPT,
    LESION_KEPT,
    LOOKS,
)

SOURCES = {
    "handdrawn_dev": "photos outlined by hand",
    "dermx_dermnetnz": "photos outlined by eight dermatologists (lesion alone)",
    "phantom": "drawn persons",
}
HEADS = {"classification": "`research`", "classification-open": "`open`"}
ROWS = {
    "alarm lost since 1x": "alarm_lost",
    "alarm gained since 1x": "alarm_gained",
    "herpes alarm on HI": "herpes_sensitivity",
    "of that at 1x": "herpes_kept",
    "of the lost: still with a crop": "lost_with_crop",
    "alarm": "alarm",
    "inconclusive": "inconclusive",
    "not usable": "not_usable",
    "crop found": "crop_found",
}
LOOK_NAMES = {"first": "one look", "both": "two looks"}


def page(masks: Figures, verdicts: Figures) -> str:
    return "\n".join([*_masks(masks), *_verdicts(verdicts)]) + "\n"


def _masks(figures: Figures) -> Iterator[str]:
    yield "# Any distance\n"
    yield f"Written by `python -m training.zooms`; {figures['model']}; figures with 95 % interval, (n).\n"
    yield "A photo is shown smaller before a drawn backdrop, or cut out around its lesion, as large as the analysis copy."
    yield "Drawn persons are drawn at each distance: 30 cm across at 1x, 120 cm at .25x. *Kept* is the lesion IoU as a"
    yield "share of that of the same photos at 1x; *best box true* counts the found masks that have a box."
    yield "Where a goal is missed: of the nine photos with a box one box is wrong (two at .35x), too few to distinguish from the"
    yield "goal. Drawn persons far away keep less of their lesion; why was not tested. Only photos whose masks were outlined by"
    yield "hand for measuring are used.\n"
    for source, own in figures.items():
        if source not in SOURCES:
            continue
        yield f"## {SOURCES[source][0].upper()}{SOURCES[source][1:]}\n"
        yield f"Lesion IoU kept >= {LESION_KEPT} at every zoom: {_kept_verdict(own['both'])}. " + (
            f"Best box true >= {BOX_TRUE} at every zoom: {_box_verdict(own['both'])}.\n"
            if source != "dermx_dermnetnz"
            else "\n"
        )
        yield "| zoom | looks | skin IoU | lesion IoU | kept | crop found | best box true |"
        yield "|---|---|---|---|---|---|---|"
        columns = ("skin_iou", "lesion_iou", "lesion_kept", "crop_found", "best_box_true")
        for zoom in own["both"]:
            for look in LOOKS:
                cells = " | ".join(cell(own[look][zoom][column]) for column in columns)
                yield f"| {zoom} | {LOOK_NAMES[look]} | {cells} |"
        yield ""


def _kept_verdict(zooms: Figures) -> str:
    return _reached({zoom: own["lesion_kept"] for zoom, own in zooms.items()}, LESION_KEPT)


def _box_verdict(zooms: Figures) -> str:
    return _reached({zoom: own["best_box_true"] for zoom, own in zooms.items()}, BOX_TRUE)


def _reached(zooms: Figures, goal: float) -> str:
    missed = [zoom for zoom, own in zooms.items() if own["value"] is not None and own["value"] < goal]
    return f"**not reached** at {', '.join(missed)}" if missed else "**reached**"


def _verdicts(figures: Figures) -> Iterator[str]:
    yield "## The verdict\n"
    if not figures:
        yield "Not measured with these weights."
        return
    yield f"{figures['model']}; photos: {', '.join(f'{name} {n}' for name, n in figures['classes'].items())}. A verdict is an alarm"
    yield "with its conditions, a name, *inconclusive* or *not usable* (no skin found): the AI's part of the verdict on one"
    yield "photo. Blur and light are not judged again, since to enlarge a photo blurs it. A flip is a verdict other than at 1x.\n"
    yield "*Of the lost* counts herpes photos whose alarm at 1x is gone. Where these still have a crop, no crop was lost: the"
    yield "score moved. A likely reason, not tested: with crops, half of what is read is the whole photo, which far away shows"
    yield "mostly backdrop; very near, the photo is enlarged beyond its detail and shows no surroundings."
    for head, arms in figures["heads"].items():
        for arm in ARMS:
            yield from _arm(f"{HEADS.get(head, head)}, {arm}", arms[arm])


def _arm(title: str, own: Figures) -> Iterator[str]:
    flips, kept = own["flips"]["all"]["all"], own["herpes_kept"]
    yield f"\n### {title[0].upper()}{title[1:]}\n"
    above = [
        f"{name} {cell(by['all'])}"
        for name, by in own["flips"].items()
        if name != "all" and not _is_steady(by["all"])
    ]
    said = f"**not reached** for {', '.join(above)}" if above else "**reached** in every class"
    yield f"Flips <= {FLIPS_AT_MOST}: {said}; all classes together {cell(flips)};"
    yield f"herpes sensitivity >= {HERPES_KEPT} of that at 1x at every scale: {_reached(kept, HERPES_KEPT)}."
    yield f"From one scale to the next: {cell(own['flips_by_step']['all'])}.\n"
    zooms = list(kept)
    yield "| | " + " | ".join(f"{zoom}x" for zoom in zooms) + " | all |\n|---|" + "---|" * (len(zooms) + 1)
    for name, by in own["flips"].items():
        yield _line(f"flips, {name}", [by.get(zoom) for zoom in [*zooms, "all"]])
    for name, key in ROWS.items():
        yield _line(name, [own[key].get(zoom) for zoom in zooms] + [None])


def _is_steady(own: Figures) -> bool:
    return own["value"] is not None and own["value"] <= FLIPS_AT_MOST


def _line(title: str, figures: list[Figures | None]) -> str:
    return f"| {title} | " + " | ".join("" if own is None else cell(own) for own in figures) + " |"


def cell(own: Figures) -> str:
    if own["value"] is None:
        return "-"
    return f"{own['value']:.2f} [{own['low']:.2f}, {own['high']:.2f}] ({own['n']})"
