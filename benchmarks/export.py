"""How long a person's ZIP takes and how much memory: `python -m benchmarks.export [--photos 60] [--megabytes 8]`.

Sealed files of random bytes below a temporary folder; no database. Prints one line of JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import tempfile
import time
from pathlib import Path
from uuid import uuid4

import django

MADE_UP = {
    "DJANGO_SETTINGS_MODULE": "teleder.settings",
    "TELEDER_SECRET_KEY": "benchmark",
    "TELEDER_INSECURE_COOKIES": "1",
    "TELEDER_PHOTO_KEYS": "dGVzdHMtb25seS10ZXN0cy1vbmx5LXRlc3RzLW9ubHk=",
    "DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none",
    "REDIS_URL": "redis://127.0.0.1:1/0",
}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--photos", type=int, default=60)
    parser.add_argument("--megabytes", type=int, default=8)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ.update(MADE_UP | {"TELEDER_STORAGE": Path(folder).as_uri()})
        django.setup()
        print(json.dumps(measure(Path(folder), chosen.photos, chosen.megabytes * 1_000_000)))


def measure(root: Path, photos: int, size: int) -> dict[str, float]:
    """Return seconds, bytes sent and the peak of memory (MB) before and while the ZIP is made."""
    from teleder.privacy import export

    made = [_photo(root, size) for _ in range(photos)]
    before, started = _peak_megabytes(), time.perf_counter()
    sent = sum(len(piece) for piece in export.pack({"cases": []}, made))
    return {
        "photos": photos,
        "bytes": sent,
        "seconds": round(time.perf_counter() - started, 2),
        "peak_mb_before": before,
        "peak_mb": _peak_megabytes(),
    }


def _photo(root: Path, size: int) -> object:
    from django.conf import settings

    from teleder.cases.models import Case, Photo, Submission

    photo = Photo(pk=uuid4(), submission=Submission(case=Case()))
    photo.original_key, photo.display_key = f"photos/{photo.pk}/original", f"photos/{photo.pk}/display.jpg"
    (root / "photos" / str(photo.pk)).mkdir(parents=True)
    (root / photo.original_key).write_bytes(settings.PHOTO_KEYS.seal(os.urandom(size), photo.original_key))
    (root / photo.display_key).write_bytes(os.urandom(500_000))
    return photo


def _peak_megabytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


if __name__ == "__main__":
    main()
