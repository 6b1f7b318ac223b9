"""The measured signs of a photo, as text for dermatologists."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from contract.signs import SignName

NAMES = {
    SignName.LESION_SHARE: gettext_lazy("Lesion, share of all visible skin"),
    SignName.REDNESS: gettext_lazy("Redness beside own skin"),
    SignName.YELLOW_CRUST: gettext_lazy("Yellow crust, share of the lesion"),
    SignName.DARK_CRUST: gettext_lazy("Dark crust, share of the lesion"),
    SignName.LESIONS: gettext_lazy("Number of lesions"),
    SignName.LESION_SIZE: gettext_lazy("Median lesion, share of all visible skin"),
    SignName.EDGE: gettext_lazy("Colour step at the edge"),
}
# The unit of CIELAB colours: a* (green to red) for redness, the colour difference (CIE 1976) for the edge.
UNITS = {SignName.REDNESS: "a*", SignName.EDGE: "ΔE"}
SHARES = {SignName.LESION_SHARE, SignName.YELLOW_CRUST, SignName.DARK_CRUST, SignName.LESION_SIZE}
# Words by upper limit. A colour difference of 2 is just visible side by side (CIE 1976).
WORDS = {
    SignName.LESION_SHARE: {
        0.1: gettext_lazy("small part of the skin shown"),
        0.5: gettext_lazy("part of the skin shown"),
        1.0: gettext_lazy("most of the skin shown"),
    },
    SignName.REDNESS: {
        -2.0: gettext_lazy("paler than own skin"),
        2.0: gettext_lazy("about as red as own skin"),
        5.0: gettext_lazy("slightly redder than own skin"),
        10.0: gettext_lazy("redder than own skin"),
        float("inf"): gettext_lazy("much redder than own skin"),
    },
    SignName.YELLOW_CRUST: {
        0.01: gettext_lazy("hardly any"),
        0.1: gettext_lazy("some"),
        1.0: gettext_lazy("much"),
    },
    SignName.LESIONS: {
        1: gettext_lazy("single"),
        5: gettext_lazy("a few"),
        float("inf"): gettext_lazy("many"),
    },
    SignName.LESION_SIZE: {
        0.01: gettext_lazy("small in this photo"),
        0.1: gettext_lazy("medium in this photo"),
        1.0: gettext_lazy("large in this photo"),
    },
    SignName.EDGE: {
        5.0: gettext_lazy("soft edge"),
        12.0: gettext_lazy("moderate edge"),
        float("inf"): gettext_lazy("sharp edge"),
    },
}
WORDS[SignName.DARK_CRUST] = WORDS[SignName.YELLOW_CRUST]
LEAST_SHARE = 0.01  # smaller ones are shown as "below 1%": their decimals say nothing
UNCERTAIN_SHARE = 0.5  # of the value: a larger error makes it uncertain


@dataclass(frozen=True)
class ShownSign:
    """One measured sign as text, values with their unit (no error where both are below what is shown); `words` say in plain words how much it is."""

    name: str
    value: str
    error: str
    words: str
    is_uncertain: bool


def shown_signs(rows: Sequence[Mapping[str, Any]]) -> list[ShownSign]:
    """Return stored signs in the order in which they are declared."""
    order = list(SignName)
    return [_shown(row) for row in sorted(rows, key=lambda row: order.index(row["name"]))]


def _shown(row: Mapping[str, Any]) -> ShownSign:
    name, value, error = SignName(row["name"]), row["value"], row["error"]
    text = _percent if name in SHARES else _plain
    unit = f" {UNITS[name]}" if name in UNITS else ""
    return ShownSign(
        name=str(NAMES[name]),
        value=text(value) + unit,
        error="" if name in SHARES and max(value, error) < LEAST_SHARE else text(error) + unit,
        words=str(next(words for limit, words in WORDS[name].items() if value <= limit)),
        # Below the smallest share that is shown, an error of the same size is no doubt.
        is_uncertain=error > UNCERTAIN_SHARE * abs(value)
        and not (name in SHARES and value + error < LEAST_SHARE),
    )


def _percent(share: float) -> str:
    return f"{_plain(100 * share)}%" if share >= LEAST_SHARE else _("below 1%")


def _plain(value: float) -> str:
    """Return a number as text, below 10 with one decimal where it has one."""
    number = round(value) if abs(value) >= 10 else round(value, 1)
    return number_format(int(number) if number == int(number) else number)
