"""Whether each package that is shipped may be: its licence is an allowed one, and it carries no GPL library.

Reads the metadata of what is installed: the packages of the lock files of all images, torch and what it brings.
"""

from __future__ import annotations

import re
from importlib.metadata import Distribution, PackageNotFoundError, distribution, distributions
from pathlib import Path

from local.sbom import ROOT, plain

LOCKS = tuple(ROOT / f"requirements-{image}.lock" for image in ("web", "worker", "gpu"))
ALLOWED = {
    "0BSD", "Apache-2.0", "Apache-2.0 WITH LLVM-exception", "BSD", "BSD-2-Clause", "BSD-3-Clause", "BSL-1.0", "CC0-1.0",
    "ISC", "LGPL-2.1-or-later", "LGPL-3.0-only", "LGPL-3.0-or-later", "MIT", "MIT-0", "MIT-CMU", "MPL-2.0", "OFL-1.1", "PSF-2.0",
    "Zlib",
}  # fmt: skip
# What packages write that give no SPDX expression.
SPELLINGS = {
    "apache 2.0": "Apache-2.0",
    "apache software license": "Apache-2.0",
    "bsd license": "BSD",
    "bsd 3-clause": "BSD-3-Clause",
    "new bsd": "BSD",
    "gnu lesser general public license v3 (lgplv3)": "LGPL-3.0-only",
    "gnu lesser general public license v3 or later (lgplv3+)": "LGPL-3.0-or-later",
    "mit license": "MIT",
    "mozilla public license 2.0 (mpl 2.0)": "MPL-2.0",
    "python software foundation license": "PSF-2.0",
    "sil open font license 1.1 (ofl-1.1)": "OFL-1.1",
}
LONGEST_NAME = 60  # characters; a longer field holds the whole text of a licence
GPL_LIBRARIES = re.compile(
    r"(lib)?(x264|x265|fftw3?|kvazaar|poppler|imagequant|readline|gsl)(?![a-z]).*\.(so|dylib|dll)", re.I
)
BROUGHT_BY_TORCH = re.compile(r"nvidia-.*|cuda-.*|triton")
TORCH = ("torch==", "torchvision==")  # not in a lock: they differ by platform
CUDA = "NVIDIA's terms allow redistribution with an application; the CPU image has none of it (NOTICE)"
# (name, first version that must be reviewed again, why it may be shipped)
EXCEPTIONS = (
    (r"qrcode", 9, "BSD-3-Clause by its LICENSE; the other classifier is of a part that was taken out"),
    (r"cuda-toolkit", 14, CUDA),
    (r"nvidia-[\w-]+", 14, CUDA),
)


def faults() -> list[str]:
    """Return a line for each shipped package that may not be."""
    found = []
    for name, is_conditional in sorted(_shipped().items()):
        try:
            package = distribution(name)
        except PackageNotFoundError:
            if not is_conditional:  # "; sys_platform == 'win32'" is of another platform
                found.append(f"{name}: is not installed, so its licence is not known")
            continue
        found += [f"{name} {package.version}: {fault}" for fault in faults_of(package)]
    return found


def _shipped() -> dict[str, bool]:
    """Return the packages of all images, and whether only some platforms have them."""
    lines = [line for lock in LOCKS for line in lock.read_text().splitlines()]
    names = {plain(line.split("==")[0]): False for line in [*lines, *TORCH] if re.match(r"[\w.-]+==", line)}
    names |= {name: True for line in lines if " ; " in line and (name := plain(line.split("==")[0])) in names}
    brought = (plain(package.metadata["Name"]) for package in distributions())
    return names | {name: False for name in brought if BROUGHT_BY_TORCH.fullmatch(name)}


def faults_of(package: Distribution) -> list[str]:
    """Return what speaks against shipping a package."""
    name, first = plain(package.metadata["Name"]), int(re.match(r"\d*", package.version)[0] or 0)
    excepted = any(re.fullmatch(known, name) and first < bound for known, bound, _why in EXCEPTIONS)
    refused = [] if excepted else [each for each in _licences(package) if not is_allowed(each)]
    names = {Path(str(file)).name for file in package.files or []}
    libraries = sorted(name for name in names if GPL_LIBRARIES.match(name))
    return [f"licence {each!r} is not among those allowed" for each in refused] + [
        f"carries {library}, which is under the GPL" for library in libraries
    ]


def _licences(package: Distribution) -> list[str]:
    """Return what the metadata says, each of which must be allowed; "unknown" if it says nothing."""
    told = package.metadata
    if expression := told.get("License-Expression"):
        return [expression]
    classifiers = [
        each.rsplit(" :: ", 1)[-1]
        for each in told.get_all("Classifier") or []
        if each.startswith("License ::")
    ]
    field = (told.get("License") or "").strip()
    # "Dual License" and the like say nothing where classifiers do.
    names = [field] if field and len(field) <= LONGEST_NAME and (is_allowed(field) or not classifiers) else []
    # A GPL in either place is never outvoted by the other.
    if "GPL" in field[:LONGEST_NAME] and field not in names:
        names.append(field[:LONGEST_NAME])
    return names + classifiers or ["unknown"]


def is_allowed(expression: str) -> bool:
    """Whether allowed licences meet an SPDX expression: one of OR, all of AND; one with brackets is for a person."""
    name = SPELLINGS.get(expression.strip().lower(), expression.strip())
    if name in ALLOWED:
        return True
    for word, how in ((" OR ", any), (" AND ", all)):
        if word in name and "(" not in name:
            return how(is_allowed(part) for part in name.split(word))
    return False
