"""Places on the body: a site, and which side of it; with their codes of SNOMED CT."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from django.core.exceptions import ValidationError
from django.db import models
from django.utils.translation import gettext_lazy as _

from teleder.cases.questionnaire import BodySite, clean_body_site

PLACES_PER_CASE = 6  # as many as photos


class Side(models.TextChoices):
    """The patient's own side."""

    RIGHT = "right", _("right")
    LEFT = "left", _("left")
    BOTH = "both", _("both")


PAIRED_SITES = frozenset(
    {
        *(BodySite.AROUND_EYES, BodySite.EARS, BodySite.SHOULDER, BodySite.UPPER_ARM, BodySite.ELBOW_CREASE),
        *(BodySite.ELBOW, BodySite.FOREARM, BodySite.HAND, BodySite.THIGH, BodySite.KNEE),
        *(BodySite.KNEE_CREASE, BodySite.LOWER_LEG, BodySite.FOOT),
    }
)
# From DICOM PS3.16 (2024): skin of CID 4029 "Dermatology Anatomic Site" and CID 7151; where these have parts of a region
# only, the region of CID 4 "Anatomic Region". "Groin or genitals" is two structures there and "many places" none:
# they have no code here.
SNOMED_CODES = {
    BodySite.SCALP: "43067004",
    BodySite.FACE: "73897004",
    BodySite.AROUND_EYES: "362916000",
    BodySite.AROUND_MOUTH: "110488009",
    BodySite.EARS: "1902009",
    BodySite.NECK: "43081002",
    BodySite.CHEST: "74160004",
    BodySite.ABDOMEN: "75093004",
    BodySite.BACK: "66643007",
    BodySite.SHOULDER: "16982005",  # region
    BodySite.UPPER_ARM: "40983000",  # region
    BodySite.ELBOW_CREASE: "17957002",
    BodySite.ELBOW: "181536004",  # skin of its posterior surface: the crease has a site of its own
    BodySite.FOREARM: "14975008",  # region
    BodySite.HAND: "33712006",
    BodySite.BUTTOCKS: "22180002",
    BodySite.THIGH: "68367000",  # region
    BodySite.KNEE: "181553006",  # skin of its anterior surface: its back has a site of its own
    BodySite.KNEE_CREASE: "84507004",
    BodySite.LOWER_LEG: "30021000",  # region
    BodySite.FOOT: "60496002",
}
# CID 244 "Laterality"
LATERALITY_CODES = {Side.RIGHT: "24028007", Side.LEFT: "7771000", Side.BOTH: "51440002"}


class BodyPlace(NamedTuple):
    """A body site and, of a paired one, its side; the side is empty where it was not asked."""

    site: BodySite
    side: str = ""

    def __str__(self) -> str:
        return f"{self.site}.{self.side}" if self.side else str(self.site)

    @property
    def label(self) -> str:
        """Its name in the active language."""
        site = str(self.site.label)
        return (
            str(_("%(site)s (%(side)s)")) % {"site": site, "side": Side(self.side).label}
            if self.side
            else site
        )

    def as_json(self) -> dict[str, str]:
        """As a case stores it."""
        return {"site": str(self.site), "side": self.side, **codes_of(self)}


def codes_of(place: BodyPlace) -> dict[str, str]:
    """Return the codes of SNOMED CT; one that does not exist is empty."""
    laterality = LATERALITY_CODES[Side(place.side)] if place.side else ""
    return {"snomed": SNOMED_CODES.get(place.site, ""), "laterality": laterality}


def clean_places(places: Any) -> list[BodyPlace]:
    """Return the places that are written as "hand.left", "hand.both" or "neck". Raises `ValidationError`.

    Repeats are left out, and so is a side where both are chosen.
    """
    if not isinstance(places, list) or len(places) > PLACES_PER_CASE:
        raise ValidationError({"places": _("Please choose up to %(n)d places.") % {"n": PLACES_PER_CASE}})
    if not places:
        raise ValidationError({"places": _("Please choose at least one place.")})
    found = dict.fromkeys(_clean_place(place) for place in places)
    return [
        place for place in found if place.side == Side.BOTH or place._replace(side=Side.BOTH) not in found
    ]


def _clean_place(place: Any) -> BodyPlace:
    site, _dot, side = place.partition(".") if isinstance(place, str) else ("", "", "")
    found = clean_body_site(site)
    if side and (found not in PAIRED_SITES or side not in Side.values):
        raise ValidationError({"places": _("Unknown body site. Please choose from the list.")})
    return BodyPlace(found, side)


def names_of(places: Iterable[BodyPlace]) -> str:
    """Return the names of the places in one line, in the active language."""
    # Translators: between the places of a list
    return str(_(", ")).join(place.label for place in places)
