"""A memory limit for a process and its descendants: a Linux control group, version 1 or 2.

python drills/limits.py GROUP PROGRAM ARGUMENTS...    # joins the group, then runs the program in this Python's folder
"""

from __future__ import annotations

import os
import re
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

MEGABYTE = 1024 * 1024
ROOTS = (Path("/sys/fs/cgroup/memory"), Path("/sys/fs/cgroup"))  # version 1, version 2
LIMIT, PEAK, KILLS = (
    ("memory.limit_in_bytes", "memory.max"),
    ("memory.max_usage_in_bytes", "memory.peak"),
    ("memory.oom_control", "memory.events"),
)


@dataclass(frozen=True)
class MemoryGroup:
    """One control group, with the file names of either version."""

    folder: Path

    @classmethod
    def create(cls, name: str, megabytes: int) -> MemoryGroup | None:
        """Return a new group, or None if this machine does not allow one."""
        for root in ROOTS:
            group = cls(root / name)
            with suppress(OSError):
                group.folder.mkdir()
                try:
                    group._file(LIMIT).write_text(str(megabytes * MEGABYTE))
                    return group
                except OSError:
                    group.folder.rmdir()
        return None

    def peak_megabytes(self) -> int:
        """Return the peak memory use, page cache included."""
        return int(self._file(PEAK).read_text()) // MEGABYTE

    def kills(self) -> int:
        """Return how many processes the kernel ended because the group's memory was used up."""
        return int(re.search(r"^oom_kill (\d+)", self._file(KILLS).read_text(), re.MULTILINE)[1])

    def remove(self) -> None:
        with suppress(OSError):  # a process is still ending
            self.folder.rmdir()

    def _file(self, names: tuple[str, str]) -> Path:
        for name in names:
            if (self.folder / name).exists():
                return self.folder / name
        raise FileNotFoundError(names[0])


def main(group: str, program: str, *arguments: str) -> None:
    (Path(group) / "cgroup.procs").write_text(str(os.getpid()))
    path = str(Path(sys.executable).parent / program)
    os.execv(path, [path, *arguments])


if __name__ == "__main__":
    main(*sys.argv[1:])
