"""`./run openapi [--check]`: write docs/openapi.json, the API's description, from the code; or compare the two."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

from local.checks import PRODUCTION

ROOT = Path(__file__).resolve().parents[1]
FILE = ROOT / "docs" / "openapi.json"


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="./run openapi", description=__doc__)
    parser.add_argument(
        "--check", action="store_true", help="only say whether the file is as the code has it"
    )
    options = parser.parse_args(arguments)
    done = describe()
    if done.returncode:
        print(done.stderr, file=sys.stderr)
        return 1
    if not options.check:
        FILE.write_text(done.stdout)
    elif not FILE.exists() or FILE.read_text() != done.stdout:
        print("docs/openapi.json is not what the code says; ./run openapi writes it.", file=sys.stderr)
        return 1
    return 0


def describe() -> subprocess.CompletedProcess[str]:
    """Return the description in `stdout`; it is the same whatever this shell sets for teleder."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith("TELEDER_")}
    command = ["manage.py", "spectacular", "--format", "openapi-json", "--validate", "--fail-on-warn"]
    return subprocess.run(
        [sys.executable, *command],
        cwd=ROOT,
        env=clean | PRODUCTION,
        capture_output=True,
        text=True,
        check=False,
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
