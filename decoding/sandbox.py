"""Runs the decoder in a child process that lives for one file and can harm nothing else.

The child has limits of memory and CPU time, and can open no file and no socket; the kernel refuses it every system call
but those of decoding (`system_calls`). It is forked from a small clean process (the fork server), never from the one that
holds the networks: their threads would not survive. What comes back is pixels and a line of JSON, never a pickle: a
decoder that an attacker took over must not be able to run code in its parent.
"""

from __future__ import annotations

import json
import multiprocessing
import resource
import signal
import sys
import threading
from dataclasses import dataclass
from multiprocessing import process
from multiprocessing.connection import Connection
from types import ModuleType
from typing import Any

import numpy as np

from contract.photos import Reason
from decoding import system_calls
from decoding.photo_file import RejectedError

MEMORY_LIMIT_BYTES = 1_200 * 1024 * 1024
CPU_LIMIT_SECONDS = 15
WAIT_SECONDS = 18  # a little less than the task's own limit
ANSWER_LIMIT_BYTES = 128 * 1024 * 1024  # the full-size copy of a square photo

fork_server = multiprocessing.get_context("forkserver")
fork_server.set_forkserver_preload(["decoding.decoders", __name__])
_main_process = process.current_process()  # of the interpreter that imports this, before any pool forks


class DecoderLostError(RuntimeError):
    """The child was killed from outside or did not answer in time: that says nothing about the file."""


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What the child says about the original, see `decoders.Decoded`; believed no further than its types."""

    width: int
    height: int
    format: str
    orientation: int
    stripped: tuple[str, ...]

    @classmethod
    def of(cls, row: dict[str, Any]) -> Facts:
        numbers = {name: int(row[name]) for name in ("width", "height", "orientation")}
        return cls(**numbers, format=str(row["format"]), stripped=tuple(map(str, row["stripped"])))


def decode_apart(data: bytes, **options: int) -> tuple[np.ndarray, Facts]:
    """Return upright sRGB pixels (H, W, 3) uint8 and facts of the original; raises RejectedError, DecoderLostError.

    The options are those of `decoders.decode`.

    A file that crashes its decoder or uses up its CPU time is corrupt.
    """
    # Celery's pool (billiard) puts a process object of its own in multiprocessing's place; one that calls itself
    # a daemon and so may have no children. Ours never outlives this call, or its CPU limit at the latest.
    process._current_process = _main_process  # type: ignore[attr-defined]
    ours, theirs = fork_server.Pipe()
    child = fork_server.Process(target=_serve, args=(data, theirs), kwargs=options, daemon=True)
    with _without_main_module:
        child.start()
    theirs.close()
    try:
        if not ours.poll(WAIT_SECONDS):
            raise DecoderLostError(f"no answer in {WAIT_SECONDS} s")
        row = json.loads(ours.recv_bytes(ANSWER_LIMIT_BYTES))
        if "reason" in row:
            raise RejectedError(Reason(row["reason"]))
        pixels = np.frombuffer(ours.recv_bytes(ANSWER_LIMIT_BYTES), np.uint8)
        height, width, channels = row["shape"]
        return pixels.reshape(height, width, channels), Facts.of(row)
    except EOFError as error:
        child.join(1)
        if child.exitcode in (-signal.SIGKILL, None):  # the system is short of memory, or somebody killed it
            raise DecoderLostError("killed") from error
        raise RejectedError(Reason.CORRUPT_IMAGE) from error
    finally:
        child.kill()
        child.join()
        ours.close()


class _NoMainModule:
    """Hides the main module while a child is started: the child would import it again, with torch if that is there.

    `./run analyse` took longer to start its decoder than it waits for one, and the child held all of torch.
    """

    def __init__(self) -> None:
        self._alone = threading.Lock()

    def __enter__(self) -> None:
        self._alone.acquire()
        self._main = sys.modules["__main__"]
        sys.modules["__main__"] = ModuleType("__main__")

    def __exit__(self, *_error: object) -> None:
        sys.modules["__main__"] = self._main
        self._alone.release()


_without_main_module = _NoMainModule()


def _serve(data: bytes, theirs: Connection, **options: int) -> None:
    """Decode one file in the child."""
    from decoding import decoders  # already loaded in the fork server

    limit_resources()
    try:
        decoded = decoders.decode(data, **options)
    except RejectedError as rejected:
        answer = rejected.reason
    except MemoryError:
        answer = Reason.TOO_MANY_PIXELS
    except Exception:  # noqa: BLE001  (decoders raise anything for a file they cannot read)
        answer = Reason.CORRUPT_IMAGE
    else:
        theirs.send_bytes(decoded.facts())
        theirs.send_bytes(np.ascontiguousarray(decoded.pixels).ravel().data)
        return
    theirs.send_bytes(json.dumps({"reason": answer}).encode())


def limit_resources() -> None:
    for kind, most in (
        (resource.RLIMIT_DATA, MEMORY_LIMIT_BYTES),
        (resource.RLIMIT_CORE, 0),  # a core dump would hold a patient's photo
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NOFILE, 0),  # what is open stays open; nothing more: no file, no socket
    ):
        resource.setrlimit(kind, (most, most))
    # At the lower limit the child gets a signal of its own, so that it can be distinguished from being killed from outside.
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_LIMIT_SECONDS, CPU_LIMIT_SECONDS + 1))
    system_calls.restrict()  # root could lift the limits again
