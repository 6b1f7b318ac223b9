"""What several outcomes hold: boxes, and the model that found them. Standard library only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from contract.fields import LARGEST, Label, Share, Side, several, text, whole
from contract.objects import of

BOXES_AT_MOST = 64


@dataclass(frozen=True, kw_only=True)
class ModelRef:
    """The weights that gave a result: enough to reproduce it."""

    name: Label
    version: Label
    sha256: Annotated[str, text(r"[0-9a-f]{64}", 64)]


@dataclass(frozen=True, kw_only=True)
class Box:
    """A square to crop, in pixels of the analysis copy; shares are of the box's pixels, 0..1.

    `skin` counts lesion pixels too.
    """

    x: Side
    y: Side
    width: Annotated[int, whole(1, LARGEST)]
    height: Annotated[int, whole(1, LARGEST)]
    skin: Share
    lesion: Share


Boxes = Annotated[tuple[Box, ...], several(of(Box), BOXES_AT_MOST)]
ABox = Annotated[Box, of(Box)]
Model = Annotated[ModelRef, of(ModelRef)]
