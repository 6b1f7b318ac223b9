"""The admin's page about the models: which weights the workers use, and the card of each."""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from django.db.models import Count, Max
from django.db.models.functions import Now
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_safe

from teleder.accounts.models import User
from teleder.cases.models import Analysis
from teleder.web.operations.figure_names import figure_name
from teleder.web.roles import admin_required

FOLDER = Path(__file__).parents[1] / "cards"  # written by training.card
IN_USE_DAYS = 7
LONG_TABLE_ROWS = 8  # a longer table is folded
HEADS = {
    "class": _("Class"),
    "source": _("Source"),
    "setting": _("Setting"),
    "figure": _("Figure"),
    "value": _("Value"),
    "interval": _("95% interval"),
    "n": _("Photos"),
    "fitzpatrick": _("Fitzpatrick skin type"),
    "tone": _("Skin tone (typology angle)"),
    "tone_third": _("Skin tone of these photos, in thirds"),
    "distance": _("Distance of the camera"),
}

THIRDS = {
    "darkest third": _("darkest third"),
    "middle third": _("middle third"),
    "lightest third": _("lightest third"),
}

PHOTOS = {  # how the titles in the table of weights begin
    "evaluate rows": _("photos of another publisher, not used for training"),
    "held-back groups": _("held-out photos of the training sources"),
    "drawn scenes": _("drawn scenes, not used for training"),
    "training pictures": _("training photos, each group left out in turn"),
    "everyday things": _("photos of everyday things, not used for training"),
}


@require_safe
@admin_required
def models(request: HttpRequest) -> HttpResponse:
    cards = [_localised(card, request.user) for card in _cards()]
    return render(request, "web/operations/models.html", {"cards": cards, "days": IN_USE_DAYS})


@functools.cache
def _cards() -> list[dict[str, Any]]:
    return [json.loads(path.read_text(encoding="utf-8")) for path in sorted(FOLDER.glob("*.json"))]


def _localised(card: dict[str, Any], reader: User) -> dict[str, Any]:
    """Return a card in the language of the page, with the weights used lately.

    Which weights are in use is what the workers report with each result, and no file here.
    """
    language = "ja" if (get_language() or "").startswith("ja") else "en"
    items = [
        {
            "key": item["key"],
            "checklists": [part.partition(":")[0] for part in item["guideline"].split("; ")],
            "question": item["question"][language],
            "answer": item.get("answer", {}).get(language, ""),
            "tables": [_table(table) for table in item.get("tables", ())],
        }
        for item in card["items"]
    ]
    model = f"{card['name'].split('-')[0]}_model"  # classification-open is a classification
    since = Now() - timedelta(days=IN_USE_DAYS)
    lately = Analysis.objects.visible_to(reader).filter(
        created_at__gte=since, **{f"{model}__name": card["name"]}
    )
    found = lately.order_by().values_list(f"{model}__version", f"{model}__sha256")
    rows = found.annotate(photos=Count("photo"), last=Max("created_at")).order_by("-last")
    in_use = [InUse(*row, is_card=row[1] == card["sha256"]) for row in rows]
    return {**card, "items": items, "in_use": in_use}


def _table(table: dict[str, Any]) -> dict[str, Any]:
    photos = next(
        (words for start, words in PHOTOS.items() if table["title"].startswith(start)), table["title"]
    )
    rows = [
        [_cell(name, cell) for name, cell in zip(table["head"], row, strict=True)] for row in table["rows"]
    ]
    return {
        "photos": photos,
        "head": [HEADS.get(name, name) for name in table["head"]],
        "rows": list(zip(rows, table["few"], strict=True)),
        "is_long": len(rows) > LONG_TABLE_ROWS,
    }


def _cell(column: str, text: str) -> Any:
    """Return what a cell reads in the language of the page; only codes and intervals are translated."""
    if column == "figure":
        return figure_name(text)
    if column == "interval":
        return text.replace(" to ", "–")
    return THIRDS.get(text, text) if column == "tone_third" else text


@dataclass(frozen=True)
class InUse:
    """Weights used lately; `is_card` tells whether they are the weights of the card."""

    version: str
    sha256: str
    photos: int
    last: datetime
    is_card: bool
