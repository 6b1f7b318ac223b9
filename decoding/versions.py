"""`python -m decoding.versions`: which decoders read untrusted uploads, and their versions.

They are C libraries inside of wheels: a package's version does not show them. Exit 1 where one is older than the
version that fixed its last known serious vulnerability.
"""

from __future__ import annotations

import re
import sys

import pi_heif
import PIL
import simplejpeg
from PIL import features

OLDEST = {
    "libheif": (1, 19, 8),  # CVE-2025-43966, CVE-2025-43967
    "libde265": (1, 0, 16),  # CVE-2024-38949, CVE-2024-38950
    "libwebp": (1, 3, 2),  # CVE-2023-4863
    "libjpeg-turbo of Pillow": (2, 1, 5),
    "littlecms2": (2, 16),
    "zlib": (1, 2, 12),  # CVE-2018-25032
    "Pillow": (12, 0),
    "pi-heif": (1, 4),
    "simplejpeg": (1, 9),
}


def versions() -> dict[str, str]:
    """Return the version that each decoder reports; "" for one that reports none."""
    heif = pi_heif.libheif_info()
    decoder = re.search(r"version ([\d.]+)", heif["decoders"].get("libde265", ""))
    return {
        "libheif": heif["libheif"],
        "libde265": decoder[1] if decoder else "",
        "libwebp": features.version("webp") or "",
        "libjpeg-turbo of Pillow": features.version("libjpeg_turbo") or "",
        "littlecms2": features.version("littlecms2") or "",
        "zlib": features.version("zlib") or "",
        "Pillow": PIL.__version__,
        "pi-heif": pi_heif.__version__,
        "simplejpeg": simplejpeg.__version__,  # brings a libjpeg-turbo of its own, which does not report its version
    }


def too_old(found: dict[str, str]) -> list[str]:
    """Return the names of those that are older than they may be, or unknown."""
    numbers = {name: tuple(map(int, re.findall(r"\d+", version))) for name, version in found.items()}
    return [name for name, oldest in OLDEST.items() if numbers.get(name, ()) < oldest]


def main() -> int:
    found = versions()
    print(", ".join(f"{name} {version or 'unknown'}" for name, version in found.items()))
    if encoders := [name for name in pi_heif.libheif_info()["encoders"] if name != "mask"]:
        print(f"pi-heif can encode ({', '.join(encoders)}): it was to decode only")
    for name in too_old(found):
        print(f"{name} is older than {'.'.join(map(str, OLDEST[name]))}")
    return int(bool(encoders or too_old(found)))


if __name__ == "__main__":
    sys.exit(main())
