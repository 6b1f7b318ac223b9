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
# Program -> what brings it: a browser with Japanese fonts, a transaction pooler.
DEBIAN_PACKAGES = {"chromium": ["chromium", "fonts-noto-cjk"], "pgbouncer": ["pgbouncer"]}
MOST_PROCESSES = 8  # each takes a database of the one Valkey, which has 16
# After a process has crashed, xdist runs on with another and then waits for ever (LoadScopeScheduling.remove_node of
# 3.8 queues finished tests again): better to end at once and name the test.
# -rR names the browser tests that held at the second try only.
WHOLE_SUITE = ["--dist", "loadgroup", "--max-worker-restart", "0", "-rfER"]
NOTHING_RAN = 5  # pytest's exit code; a run without a test proves nothing


def main(arguments: list[str]) -> int:
    _provide_programs()
    with tempfile.TemporaryDirectory(prefix="teleder-test-") as folder:
        # A database server of one's own may serve (Django makes test_… in it); a Valkey never: tests empty it.
        given = {name: os.environ[name] for name in ("DATABASE_URL",) if name in os.environ}
        with servers.running(Path(folder), durable=False, given=given) as found:
            processes = min(max(2, os.cpu_count() or 2), MOST_PROCESSES)
            return _pytest(found, arguments or [*WHOLE_SUITE, "-n", str(processes)])


def _pytest(found: servers.Servers, arguments: list[str]) -> int:
    environment = os.environ | {
        "DATABASE_URL": found.database_url,
        "REDIS_URL": found.redis_url,
        **found.role_urls,
        "TELEDER_SECRET_KEY": "tests-only-0123456789-abcdefghijklmnopqrstuvwxyz-ABCDEF",
        "TELEDER_PHOTO_KEYS": "dGVzdHMtb25seS10ZXN0cy1vbmx5LXRlc3RzLW9ubHk=",
        "TELEDER_INSECURE_COOKIES": "1",
        "OMP_NUM_THREADS": "1",
        "TELEDER_INFERENCE_PROCESSES": "1",  # on every machine the same
        "TELEDER_STAFFED_HOURS": "always",  # at any hour of a test run the same
        "DJANGO_ALLOW_ASYNC_UNSAFE": "1",  # Playwright keeps an event loop in the thread of the test
    }
    code = subprocess.run(
        [sys.executable, "-m", "pytest", *arguments], cwd=ROOT, env=environment, check=False
    )
    return 1 if code.returncode == NOTHING_RAN else code.returncode


def _provide_programs() -> None:
    """Install what no wheel brings, where that is ours to do; else the tests that need it are skipped."""
    path = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin"
    missing = [names for program, names in DEBIAN_PACKAGES.items() if not shutil.which(program, path=path)]
    if not missing or os.geteuid() != 0 or not shutil.which("apt-get"):
        return
    # In run level 1 Debian's packages start no service. One that is unavailable keeps no other away.
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
    for arguments in (["update"], *(["install", "-y", *names] for names in missing)):
        print(f"apt-get {' '.join(arguments)}, for the tests …", flush=True)
        subprocess.run(
            ["apt-get", "-qq", *arguments], check=False, stdout=subprocess.DEVNULL, env=environment
        )
