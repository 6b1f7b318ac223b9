"""Lets each file of the storage wait where drill R5-slow has armed it; the folder is that of the steps (drills/crashes.py)."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

from contract.storage import FileStorage

ARMED = "slow-disk"
DISK_SECONDS = 0.1


def install() -> None:
    flag = Path(os.environ.get("DRILLS_ARMED", os.devnull)) / ARMED

    def late(method: Any) -> Any:
        def wait(*arguments: Any, **named: Any) -> Any:
            if flag.exists():
                time.sleep(DISK_SECONDS)
            return method(*arguments, **named)

        return wait

    for name in ("open", "write", "create"):
        setattr(FileStorage, name, late(getattr(FileStorage, name)))
