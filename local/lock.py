"""`./run lock`: write the lock files (exact versions with hashes) from pyproject.toml.

torch and what only it brings (CUDA) stay out: they differ by platform and are installed by their plain pin.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# Lock file -> extras beside the web's own dependencies.
LOCKS = {
    "requirements.lock": ["inference", "torch", "training", "local", "dev"],
    "requirements-web.lock": [],
    "requirements-backup.lock": ["backup"],
    "requirements-worker.lock": ["inference"],
    "requirements-gpu.lock": ["inference", "torch"],
}
# openvino names it and does without: what may send usage figures has no place in a worker.
UNWANTED = ["openvino-telemetry"]
OF_TORCH = ["torch", "torchvision", "triton"]
OF_TORCH_PREFIXES = ("nvidia-", "cuda-")


def main() -> int:
    for name, extras in LOCKS.items():
        without = [*OF_TORCH, *UNWANTED]
        _compile(name, extras, without)
        named = {line.split("==")[0] for line in (ROOT / name).read_text().splitlines() if "==" in line}
        cuda = [package for package in named if package.startswith(OF_TORCH_PREFIXES)]
        if cuda:
            _compile(name, extras, [*without, *cuda])
    return 0


def _compile(name: str, extras: list[str], without: list[str]) -> None:
    arguments = [part for extra in extras for part in ("--extra", extra)]
    arguments += [part for package in sorted(without) for part in ("--no-emit-package", package)]
    subprocess.run(
        [
            *[str(Path(sys.executable).parent / "uv"), "pip", "compile", "pyproject.toml", *arguments],
            *["--universal", "--python-version", "3.11", "--generate-hashes", "--quiet", "--no-annotate"],
            *["--custom-compile-command", "./run lock", "--output-file", name],
        ],
        cwd=ROOT,
        check=True,
    )
