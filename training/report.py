"""The report of an import: one HTML file in plain words, its pictures inside, what must be corrected first."""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import jinja2

from inference_worker.models.classification import CLASSES
from training import checks
from training.checks import Finding
from training.data import TONES
from training.dataset import Photo

SHOWN = (
    12  # findings of a kind, and photos of a class, with pictures; of the others only the lines are listed
)
SEEN_PHOTOS = 6  # of one finding


def page(photos: list[Photo], findings: list[Finding]) -> str:
    """Return the page. It shows patients: keep it as you keep their photos."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent), autoescape=True, trim_blocks=True
    )
    environment.filters["picture"] = picture
    return environment.get_template("report.html").render(
        photos=photos,
        patients=len(checks.patients_of(photos)),
        sections=[
            (kind, own)
            for name, kind in checks.KINDS.items()
            if (own := [finding for finding in findings if finding.kind == name])
        ],
        tables=list(_tables(photos)),
        classes=list(_classes(photos)),
        most=SHOWN,
        seen=SEEN_PHOTOS,
    )


def picture(photo: Photo) -> str:
    """Return the thumbnail as an address that holds it; empty for a file that was not read."""
    content = base64.b64encode(photo.thumbnail).decode()
    return f"data:image/jpeg;base64,{content}" if content else ""


def _tables(photos: list[Photo]) -> Iterator[tuple[str, list[tuple[str, list[str]]]]]:
    """Yield a title and, for each part, how many photos (of how many patients) each split has."""
    sites = sorted({photo.site for photo in photos})
    yield "Diagnosis", list(_counted(photos, CLASSES, lambda p: p.diagnosis))
    yield (
        "Skin tone, by the photo (individual typology angle)",
        list(_counted(photos, TONES, checks.tone)),
    )
    yield "Distance, by the share of skin", list(_counted(photos, checks.DISTANCES, checks.distance))
    yield "Body site", list(_counted(photos, sites, lambda p: p.site))
    yield "Confirmed by", list(_counted(photos, sorted({p.confirmed for p in photos}), lambda p: p.confirmed))


def _counted(photos, parts, part_of: Callable[[Photo], str]) -> Iterator[tuple[str, list[str]]]:
    for part in parts:
        own = [photo for photo in photos if part_of(photo) == part]
        used = Counter(photo.use for photo in own)
        patients = {use: len(checks.patients_of(p for p in own if p.use == use)) for use in checks.USES}
        yield part, [f"{used[use]} ({patients[use]})" for use in checks.USES]


def _classes(photos: list[Photo]) -> Iterator[tuple[str, list[Photo]]]:
    for name in CLASSES:
        yield name, [photo for photo in photos if photo.diagnosis == name and photo.thumbnail][:SHOWN]
