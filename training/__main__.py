"""The commands for a clinic that trains its own model: docs/training.md, step by step.

python -m training import|train|calibrate ...
"""

from __future__ import annotations

import sys

from training import importing, own

ACTIONS = {"import": importing.main, "train": own.train, "calibrate": own.calibrate}


def main(argv: list[str]) -> int:
    action, *rest = argv or [""]
    if action not in ACTIONS:
        print(__doc__, file=sys.stderr)
        return 2
    return ACTIONS[action](rest)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
