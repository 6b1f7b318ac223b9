"""`./run test [ARGS]`: the tests on a database and a Valkey of their own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from local import servers

ROOT = Path(__file__).resolve().parents[1]
BROWSER_PACKAGES = ["chromium", "fonts-noto-cjk"]
MOST_PROCESSES = 8  # each takes a database of the one Valkey, which has 16
NOTHING_RAN = 5  # pytest's exit code; a run without a test proves nothing


def main(arguments: list[str]) -> int:
    _provide_browser()
    with tempfile.TemporaryDirectory(prefix="teleder-test-") as folder:
        # A database server of one's own may serve (Django makes test_… in it); a Valkey never: tests empty it.
        given = {name: os.environ[name] for name in ("DATABASE_URL",) if name in os.environ}
        with servers.running(Path(folder), durable=False, given=given) as found:
            return _pytest(found, arguments or ["-n", _processes(), "--dist", "loadgroup"])


def _processes() -> str:
    return str(min(max(2, os.cpu_count() or 2), MOST_PROCESSES))


def _pytest(found: servers.Servers, arguments: list[str]) -> int:
    environment = os.environ | {
        "DATABASE_URL": found.database_url,
        "REDIS_URL": found.redis_url,
        "TELEDER_SECRET_KEY": "tests-only",
        "TELEDER_PHOTO_KEYS": "dGVzdHMtb25seS10ZXN0cy1vbmx5LXRlc3RzLW9ubHk=",
        "TELEDER_INSECURE_COOKIES": "1",
        "OMP_NUM_THREADS": "1",
        "DJANGO_ALLOW_ASYNC_UNSAFE": "1",  # Playwright keeps an event loop in the thread of the test
    }
    code = subprocess.run(
        [sys.executable, "-m", "pytest", *arguments], cwd=ROOT, env=environment, check=False
    )
    return 1 if code.returncode == NOTHING_RAN else code.returncode


def _provide_browser() -> None:
    """Install Chromium and Japanese fonts where that is ours to do; else the browser tests are skipped."""
    if shutil.which("chromium") or os.geteuid() != 0 or not shutil.which("apt-get"):
        return
    print("installing Chromium and Japanese fonts for the browser tests …", flush=True)
    quiet = {"stdout": subprocess.DEVNULL, "env": os.environ | {"DEBIAN_FRONTEND": "noninteractive"}}
    subprocess.run(["apt-get", "update", "-qq"], check=False, **quiet)
    subprocess.run(["apt-get", "install", "-y", "-qq", *BROWSER_PACKAGES], check=False, **quiet)
