"""A system of its own for a benchmark: the product's processes with the real networks, as drills start them."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks import pages
from drills.system import System
from local import servers


@contextmanager
def own_web() -> Iterator[tuple[Path, dict[str, str]]]:
    """Start a database and a broker for the web alone; yield a folder and the environment of its commands."""
    with tempfile.TemporaryDirectory(prefix="teleder-bench-") as folder:
        state = Path(folder)
        with servers.running(state / "servers", given={}) as found:
            environment = pages.settings(found, state) | {"TELEDER_STORAGE": (state / "photos").as_uri()}
            pages.run_python(environment, "manage.py", "migrate", "-v0")
            pages.run_python(environment, "manage.py", "init_storage")
            pages.run_python(environment, "manage.py", "collectstatic", "--no-input", "-v0")
            yield state, environment


@contextmanager
def own_system(networks: str = "real", **environment: str) -> Iterator[System]:
    """Start a system with these variables, for which this process may then use Django's models: once in a process.

    `networks` is "real" or "stub" (two that only wait).
    """
    os.environ.update(DRILLS_NETWORKS=networks, DRILLS_ARMED=os.devnull, **environment)
    folder = Path(tempfile.mkdtemp(prefix="teleder-bench-"))
    system = System(folder)
    try:
        system.start()
        import django

        django.setup()
        yield system
    finally:
        system.stop()
        shutil.rmtree(folder, ignore_errors=True)
