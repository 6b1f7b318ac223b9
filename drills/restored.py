"""Prints what is wrong with a restored database and its photos: missing, not what was sent, or back (drill R18).

python -m drills.restored PERSON PHOTO...: these were erased after the backup.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterator
from pathlib import Path

import django


def faults(erased: str, *her_photos: str) -> Iterator[str]:
    from django.conf import settings

    from inference_worker.sealing import Locked
    from teleder.accounts.models import User
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
    if User.objects.filter(pk=erased).exists() or Photo.objects.filter(pk__in=her_photos).exists():
        yield "who was erased is back"
    if any(file.is_file() for photo in her_photos for file in (media / "photos" / photo).glob("**/*")):
        yield "photos of who was erased are back"
    if not Submission.objects.exclude(submitted_at=None).exists():
        yield "no submission was restored"


if __name__ == "__main__":
    django.setup()
    print(*set(faults(*sys.argv[1:])), sep="\n", end="")
