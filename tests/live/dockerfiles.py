"""Replays a Dockerfile without an engine: COPY into an empty folder, RUN with a fresh virtual environment in it.

What stands for the base image: this machine's shell, and a Python that has nothing installed. `useradd` and the owners of
`install` are left out, because a test may not make users; absolute paths lie below the folder.
"""

from __future__ import annotations

import fnmatch
import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# How this machine reaches a package index; an image is built where that is set in another way, or not needed.
OF_THE_INDEX = re.compile(r"PIP_|SSL_|REQUESTS_CA|https?_proxy|no_proxy", re.IGNORECASE)
INSTALL = """#!/usr/bin/env python3
import os, sys
words, folders = iter(sys.argv[1:]), []
for word in words:
    if word in ("-o", "-g", "-m"):
        next(words)
    elif word != "-d":
        folders.append(word)
for folder in folders:
    os.makedirs(os.environ["IMAGE"] + folder, exist_ok=True)
"""


@dataclass
class Image:
    """A replayed image: its root folder, its environment variables, and the names of users that it would have made."""

    root: Path
    variables: dict[str, str] = field(default_factory=dict)
    work: str = "/"
    user: str = "root"

    @property
    def folder(self) -> Path:
        return self.root / self.work.lstrip("/")

    @property
    def environment(self) -> dict[str, str]:
        """All that a process of the image is told: nothing of this machine's but where programs are."""
        path = f"{self.root}/programs:{self.root}/venv/bin:{os.environ['PATH']}"
        return {
            "PATH": path,
            "HOME": str(self.root),
            "LANG": "C.UTF-8",
            "IMAGE": str(self.root),
        } | self.variables


def replay(file: Path, root: Path, **arguments: str) -> Image:
    """Build `file` below `root`. Raises CalledProcessError where a step fails, as the engine would."""
    image, given = Image(root), {}
    (root / "programs").mkdir(parents=True)
    for name, text in (("install", INSTALL), ("useradd", "#!/bin/sh\n")):
        (root / "programs" / name).write_text(text)
        (root / "programs" / name).chmod(0o755)
    for instruction, text in steps(file):
        if instruction == "FROM" and text.startswith("python:"):
            subprocess.run([sys.executable, "-m", "venv", root / "venv"], check=True)
        elif instruction == "ARG":
            name, _, default = text.partition("=")
            given[name] = arguments.get(name, default.strip('"'))
        elif instruction == "ENV":
            image.variables |= dict(word.split("=", 1) for word in shlex.split(text))
        elif instruction == "WORKDIR":
            image.work = text
            image.folder.mkdir(parents=True)
        elif instruction == "COPY":
            *sources, target = shlex.split(text)
            for source in sources:
                copy(source, image.folder / target, into=target.endswith("/"))
        elif instruction == "RUN":
            index = {name: value for name, value in os.environ.items() if OF_THE_INDEX.match(name)}
            told = image.environment | index | given
            done = subprocess.run(
                ["sh", "-c", text], cwd=image.folder, env=told, capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, f"RUN {text}\n{done.stdout[-1500:]}\n{done.stderr[-1500:]}"
        elif instruction == "USER":
            image.user = text
    return image


def steps(file: Path) -> list[tuple[str, str]]:
    """Return the instructions of a Dockerfile with what follows each, on one line."""
    text = re.sub(r"^#.*\n", "", file.read_text(), flags=re.MULTILINE)
    lines = re.sub(r"\\\n\s*", " ", text).splitlines()
    return [(line.partition(" ")[0], line.partition(" ")[2].strip()) for line in lines if line.strip()]


def copy(source: str, target: Path, *, into: bool) -> None:
    """Copy what .dockerignore lets through; what it does not is not there for the engine either."""
    first = Path(source).parts[0]
    allowed = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    assert any(fnmatch.fnmatch(first, pattern) for pattern in allowed), f".dockerignore hides {source}"
    place = target / Path(source).name if into else target
    if (ROOT / source).is_dir():
        shutil.copytree(ROOT / source, place, ignore=shutil.ignore_patterns("__pycache__"))
    else:
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / source, place)
