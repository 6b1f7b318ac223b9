"""Prints what is wrong with a restored database and its photos: missing, or not what was sent (drill R18)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import django


def faults() -> Iterator[str]:
    from django.conf import settings

    from inference_worker.sealing import Locked
    from teleder.cases import originals
    from teleder.cases.models import Photo, Submission

    media = Path(settings.MEDIA_ROOT)
    for key, sha256 in Photo.objects.values_list("original_key", "sha256"):
        try:
            same = hashlib.sha256(originals.read(key)).hexdigest() == sha256
        except (OSError, Locked):
            same = False
        if not same:
            yield "an original is missing or changed"
    for key in Photo.objects.exclude(display_key="").values_list("display_key", flat=True):
        if not (media / key).is_file():
            yield "a copy is missing"
    if not Submission.objects.exclude(submitted_at=None).exists():
        yield "no submission was restored"


if __name__ == "__main__":
    django.setup()
    print(*set(faults()), sep="\n", end="")
