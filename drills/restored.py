"""Prints the faults of a restored database and its photos: missing, changed, or erased and restored (drill R18).

python -m drills.restored [ID...]: the ids of the person and the photos that were erased after the backup.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterator

import django

OPENED = 300  # a random sample: a person may send 600 requests a minute


def faults(*erased: str) -> Iterator[str]:
    from django.conf import settings
    from django.test import Client

    from contract.encryption import LockedOriginalError
    from drills import people
    from teleder.accounts.models import User
    from teleder.cases import originals
    from teleder.cases.models import Photo, Submission

    storage = settings.PHOTO_STORAGE
    for pk, key, sha256 in Photo.objects.values_list("pk", "original_key", "sha256"):
        try:
            same = hashlib.sha256(originals.read(pk, key)).hexdigest() == sha256
        except (OSError, LockedOriginalError):
            same = False
        if not same:
            yield "an original is missing or changed"
    for key in Photo.objects.exclude(display_key="").values_list("display_key", flat=True):
        if not storage.exists(key):
            yield "a copy is missing"
    (dermatologist,) = people.dermatologists(1)
    bearer = {"HTTP_AUTHORIZATION": f"Token {dermatologist.token}", "SERVER_NAME": "127.0.0.1"}
    for submission in Submission.objects.exclude(submitted_at=None).order_by("?")[:OPENED]:
        answer = Client().get(f"/api/v1/submissions/{submission.pk}", **bearer)
        if answer.status_code != 200:
            yield f"a submission does not open: {answer.status_code}"
    if User.objects.filter(pk__in=erased).exists() or Photo.objects.filter(pk__in=erased).exists():
        yield "an erased person is back"
    if any(True for pk in erased for _file in storage.list(f"photos/{pk}")):
        yield "an erased person's photos are back"
    if not Submission.objects.exclude(submitted_at=None).exists():
        yield "no submission was restored"


if __name__ == "__main__":
    django.setup()
    found = set(faults(*sys.argv[1:]))
    print(*found, sep="\n", end="")
    sys.exit(bool(found))
