"""The measured signs of a photo, as text for dermatologists."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from contract.signs import SignName

NAMES = {
    SignName.LESION_SHARE: gettext_lazy("Extent"),
    SignName.REDNESS: gettext_lazy("Redness"),
    SignName.YELLOW_CRUST: gettext_lazy("Yellow crust"),
    SignName.DARK_CRUST: gettext_lazy("Dark crust"),
    SignName.LESIONS: gettext_lazy("Number of lesions"),
    SignName.LESION_SIZE: gettext_lazy("Median lesion size"),
    SignName.EDGE: gettext_lazy("Edge"),
}
SHARES = {SignName.LESION_SHARE, SignName.YELLOW_CRUST, SignName.DARK_CRUST, SignName.LESION_SIZE}
# Words by upper limit. A colour difference of 2 is just visible side by side (CIE 1976).
REDNESS = {
    -2.0: gettext_lazy("paler than own skin"),
    2.0: gettext_lazy("about as red as own skin"),
    8.0: gettext_lazy("redder than own skin"),
    float("inf"): gettext_lazy("much redder than own skin"),
}
EDGE = {
    5.0: gettext_lazy("blurred: little colour step"),
    12.0: gettext_lazy("moderate colour step"),
    float("inf"): gettext_lazy("sharp: large colour step"),
}
UNCERTAIN_SHARE = 0.5  # of the value: a larger error makes it uncertain


@dataclass(frozen=True)
class ShownSign:
    """One measured sign as text; `words` say what the number is or means."""

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
    return ShownSign(
        name=str(NAMES[name]),
        value=text(value),
        error=text(error),
        words=_WORDS[name](value),
        is_uncertain=error > UNCERTAIN_SHARE * abs(value),
    )


def _percent(share: float) -> str:
    return f"{_plain(100 * share)}%"


def _plain(value: float) -> str:
    """Return a number as text, below 10 with one decimal where it has one."""
    number = round(value) if abs(value) >= 10 else round(value, 1)
    return number_format(int(number) if number == int(number) else number)


def _band(bands: Mapping[float, Any]) -> Callable[[float], str]:
    return lambda value: str(next(words for limit, words in bands.items() if value <= limit))


_WORDS: dict[SignName, Callable[[float], str]] = {
    SignName.LESION_SHARE: lambda _value: _("of the skin in the photo is lesion"),
    SignName.REDNESS: _band(REDNESS),
    SignName.YELLOW_CRUST: lambda _value: _("of the lesion is yellow"),
    SignName.DARK_CRUST: lambda _value: _("of the lesion is much darker than own skin"),
    SignName.LESIONS: lambda _value: _("separate lesions"),
    SignName.LESION_SIZE: lambda _value: _("of the skin in the photo, by the median lesion"),
    SignName.EDGE: _band(EDGE),
}
