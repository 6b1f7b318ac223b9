"""What several processes read from the environment: secrets, also from files as orchestrators hand them over, and
how many processes and threads compute.
"""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import SplitResult, quote, urlsplit

PROCESSES = "TELEDER_INFERENCE_PROCESSES"
WORKERS = "TELEDER_WORKERS"
ADDRESS, PASSWORD = "_URL", "_PASSWORD"
# Read by numpy, OpenCV and PyTorch when they are loaded.
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OPENCV_FOR_THREADS_NUM")


class InvalidSettingError(ValueError):
    """A setting cannot be used; the message names it and says nothing of its value."""


def secret(name: str, default: str = "") -> str:
    """Return what the file that `NAME_FILE` names holds, else what `NAME` holds. Raises InvalidSettingError.

    An address (`REDIS_URL`) that names a user and no password gets the secret `REDIS_PASSWORD`.
    """
    path = os.environ.get(f"{name}_FILE")
    try:
        value = Path(path).read_text().strip() if path else os.environ.get(name, default)
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidSettingError(
            f"{name}_FILE names a file that cannot be read ({type(error).__name__})"
        ) from None
    if name.endswith(ADDRESS) and (password := secret(name.removesuffix(ADDRESS) + PASSWORD)):
        parts = address(name, value)
        if parts.username and parts.password is None:
            host = parts.netloc.rpartition("@")[2]
            given = parts._replace(netloc=f"{parts.username}:{quote(password, safe='')}@{host}")
            return given.geturl()
    return value


def address(name: str, text: str) -> SplitResult:
    """Take an address apart. Raises InvalidSettingError: Python's own error would quote it, password and all."""
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError:
        raise InvalidSettingError(
            f"{name} cannot be read as an address; letters like / and @ in a password are written %2F and %40"
        ) from None
    return parts


def use_one_thread() -> None:
    """Let each process compute with one thread, whatever the environment says; call it before numpy is loaded.

    A second thread makes nothing faster here, and takes a multiple of the CPU time beside other load.
    """
    os.environ.update(dict.fromkeys(THREADS, "1"))


def inference_processes() -> int:
    """Return how many processes of a worker run networks: as set, else one on a GPU, else its share of the cores."""
    if not os.environ.get(PROCESSES):
        # By its device file: to ask the driver would spoil the children that fork.
        on_gpu = any(Path("/dev").glob("nvidia[0-9]*"))
        allowed = getattr(os, "sched_getaffinity", lambda _: range(os.cpu_count() or 1))(0)  # Linux only
        return 1 if on_gpu else max(1, len(allowed) // workers())
    return _number(PROCESSES)


def workers() -> int:
    """Return how many workers of each kind run (in the compose file: containers); they share this machine's cores."""
    return _number(WORKERS) if os.environ.get(WORKERS) else 1


def _number(name: str) -> int:
    text = os.environ[name]
    if not text.isdecimal() or not int(text):
        raise InvalidSettingError(f"{name} must be a number from 1 on")
    return int(text)
