"""`./run check`: style, layers, migrations, deployment settings, translations, API description, licences, decoders, model cards.

All run; all failures are reported.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from local import licences, messages

ROOT = Path(__file__).resolve().parents[1]
DECODERS = "decoders are new enough"  # reports their versions, too
BESIDE = Path(sys.executable).parent
# What a production site sets; nothing is connected to.
PRODUCTION = {
    "DJANGO_SETTINGS_MODULE": "teleder.settings",
    "TELEDER_SECRET_KEY": "for-the-check-only-" + "Zx9" * 20,
    "TELEDER_PHOTO_KEYS": "dGVzdHMtb25seS10ZXN0cy1vbmx5LXRlc3RzLW9ubHk=",
    "TELEDER_HOSTS": "teleder.example",
    "TELEDER_PUBLIC_URL": "https://teleder.example",
    "DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none",
    "REDIS_URL": "redis://127.0.0.1:1/0",
}


def main() -> int:
    failures = []
    for name, check in CHECKS.items():
        passed, output = check()
        print(f"{'pass' if passed else 'FAIL'}  {name}", flush=True)
        if not passed or name == DECODERS:
            print(output, flush=True)
        if not passed:
            failures.append(name)
    print(
        f"\n{len(failures)} of {len(CHECKS)} checks failed: {', '.join(failures)}"
        if failures
        else "\nall checks pass"
    )
    return bool(failures)


def _run(program: str, *arguments: str) -> Callable[[], tuple[bool, str]]:
    def check() -> tuple[bool, str]:
        clean = {key: value for key, value in os.environ.items() if not key.startswith("TELEDER_")}
        done = subprocess.run(
            [str(BESIDE / program), *arguments],
            cwd=ROOT,
            env=clean | PRODUCTION,
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode == 0, done.stdout + done.stderr

    return check


def _translated() -> tuple[bool, str]:
    lines = messages.faults()
    return not lines, "\n".join([*lines, "./run messages adds the missing entries; then translate them."])


def _compiled() -> tuple[bool, str]:
    return messages.is_compiled(), "django.mo is not what django.po compiles to: ./run messages"


def _licensed() -> tuple[bool, str]:
    lines = licences.faults()
    return not lines, "\n".join(
        [*lines, "local/licences.py has the licences that are allowed, and exceptions."]
    )


CHECKS = {
    "style (ruff check)": _run("ruff", "check", "."),
    "format (ruff format)": _run("ruff", "format", "--check", "."),
    "layers (import-linter)": _run("lint-imports"),
    "migrations are complete": _run("python", "manage.py", "makemigrations", "--check", "--dry-run"),
    "safe to deploy": _run("python", "manage.py", "check", "--deploy", "--fail-level", "WARNING"),
    "Japanese is complete": _translated,
    "docs/openapi.json is current": _run("python", "-m", "local.openapi", "--check"),
    "Japanese is compiled": _compiled,
    "licences may be shipped": _licensed,
    DECODERS: _run("python", "-m", "decoding.versions"),
    "model cards answer all and are new": _run("python", "-m", "training.card", "--check"),
}
