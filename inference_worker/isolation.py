"""Runs the decoder in a child that lives for one file and can hurt nobody.

The child may take so much memory and CPU time and no more, and can open no file and no socket. It is
forked from a small clean process (the fork server), never from the one that holds the networks: their
threads would not survive. What comes back is pixels and a line of JSON, never a pickle: a decoder that was
taken over must not be able to run code in its parent.
"""

from __future__ import annotations

import json
import multiprocessing
import resource
from multiprocessing.connection import Connection

import numpy as np

from inference_worker.contract import Reason
from inference_worker.formats import Rejected

MEMORY_LIMIT_BYTES = 1_200 * 1024 * 1024
CPU_LIMIT_SECONDS = 15
WAIT_SECONDS = 18  # a decoder that sleeps; a little less than the task's own limit
ANSWER_LIMIT_BYTES = 64 * 1024 * 1024

_fork_server = multiprocessing.get_context("forkserver")
_fork_server.set_forkserver_preload(["inference_worker.decoding"])


class Facts(dict):
    """What the child says about the photo, see `decoding.Decoded`."""


def decode_apart(data: bytes) -> tuple[np.ndarray, Facts]:
    """Return upright sRGB pixels (H, W, 3) uint8 and facts of the original; raises Rejected.

    A child that crashes, hangs or eats up its limits means a corrupt file.
    """
    ours, theirs = _fork_server.Pipe()
    child = _fork_server.Process(target=_serve, args=(data, theirs), daemon=True)
    child.start()
    theirs.close()
    try:
        return _receive(ours)
    except (EOFError, OSError) as error:
        raise Rejected(Reason.CORRUPT_IMAGE) from error
    finally:
        child.kill()
        child.join()
        ours.close()


def _receive(ours: Connection) -> tuple[np.ndarray, Facts]:
    if not ours.poll(WAIT_SECONDS):
        raise EOFError
    facts = Facts(json.loads(ours.recv_bytes(ANSWER_LIMIT_BYTES)))
    if "reason" in facts:
        raise Rejected(Reason(facts["reason"]))
    pixels = np.frombuffer(ours.recv_bytes(ANSWER_LIMIT_BYTES), np.uint8)
    return pixels.reshape(facts.pop("shape")), facts


def _serve(data: bytes, theirs: Connection) -> None:
    """The child's life."""
    from inference_worker import decoding  # already loaded in the fork server

    _limit()
    try:
        decoded = decoding.decode(data)
    except Rejected as rejected:
        answer = rejected.reason
    except MemoryError:
        answer = Reason.TOO_MANY_PIXELS
    except Exception:  # decoders raise anything for a file they cannot read, and each means the same
        answer = Reason.CORRUPT_IMAGE
    else:
        theirs.send_bytes(decoded.facts())
        theirs.send_bytes(np.ascontiguousarray(decoded.pixels).ravel().data)
        return
    theirs.send_bytes(json.dumps({"reason": answer}).encode())


def _limit() -> None:
    for kind, most in (
        (resource.RLIMIT_DATA, MEMORY_LIMIT_BYTES),
        (resource.RLIMIT_CPU, CPU_LIMIT_SECONDS),
        (resource.RLIMIT_CORE, 0),  # a core dump would hold a patient's photo
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NOFILE, 0),  # what is open stays open; nothing more: no file, no socket
    ):
        resource.setrlimit(kind, (most, most))
