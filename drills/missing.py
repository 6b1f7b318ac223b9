"""R7-missing: a part is not there for a while: the volume of the photos, then the keys of the originals."""

from __future__ import annotations

import base64
import time
from pathlib import Path

from drills.client import Clients, wait_until
from drills.damage import ORIGINALS_TOLD, alarms
from drills.disk import NO_SMALL_DISK
from drills.oracle import Figures
from drills.people import Person, with_token
from drills.run import Run, drill
from drills.system import mount_limited, unmount

TOLD_SECONDS, BACK_SECONDS = 15, 60
EMPTY_MEGABYTES, STAY_SECONDS = 8, 2
# Whole files that its key does not open are no damage; that new photos cannot be seen is told.
UNSEEN_TOLD = ("can't be seen yet", "The prepare worker does not respond", *ORIGINALS_TOLD)
VOLUME_TOLD = ("The storage of photos is not there",)


@drill("R7-missing", "a missing volume or key is told and costs no photo", guard="no-mark")
def missing(run: Run) -> Figures:
    """The oracle asks `/status` and `/readyz`. Photos that wait are read once the part is back, without a press."""
    clients, admin = run.clients(), with_token("missing-admin@example.com", "admin")
    notes: list[str] = []
    broken: list[str] = []
    not_run: list[str] = []
    clients.send(2)
    if run.system.media_is_limited:
        _without_volume(run, clients, admin, notes, broken)
    else:
        not_run.append(f"the volume: {NO_SMALL_DISK}")
    _without_key(run, clients, admin, notes, broken)
    found = run.finish(clients, bound=float("inf"))
    found.notes += notes
    found.broken += broken
    found.not_run += not_run
    if found.by_ai + found.unavailable < found.accepted:
        found.broken.append("a photo that waited was given up")
    return found


def _without_volume(run: Run, clients: Clients, admin: Person, notes: list[str], broken: list[str]) -> None:
    """Lay an empty disk over the folder of the photos, as a mount that failed leaves one, while photos wait in the queue."""
    system, count = run.system, run.few_or_many(4, 40)
    with system.leaving_out("prepare"):
        clients.send(count)
        mounted = mount_limited(system.media, EMPTY_MEGABYTES)
        began = time.monotonic()
    try:
        told = _told(run, admin, VOLUME_TOLD)
        sending = clients.sending(count)
        time.sleep(5)  # the workers meet what is not there
        if system.is_ready():
            broken.append("/readyz said 200 without the volume")
        below = _files(system.media)
        time.sleep(STAY_SECONDS)
        if below & _files(system.media):  # one that is refused is there for a moment
            broken.append("a photo was kept below the mount point")
    finally:
        if mounted:
            unmount(system.media)
    back = time.monotonic()
    sending.join()
    notes.append(f"volume: {clients.refusals[503]} answers 503")
    _note("volume", told, began, back, run, admin, VOLUME_TOLD, notes, broken)


def _files(folder: Path) -> set[Path]:
    return {file for file in folder.rglob("*") if file.is_file()}


def _without_key(run: Run, clients: Clients, admin: Person, notes: list[str], broken: list[str]) -> None:
    """Let the prepare worker have another key than the web, as after a typing error in one of the two."""
    other = base64.b64encode(b"x" * 32).decode()
    began = time.monotonic()
    with (
        run.system.leaving_out("prepare"),
        run.system.beside(("prepare",), "other", TELEDER_PHOTO_KEYS=other),
    ):
        clients.send(run.few_or_many(2, 20))
        told = _told(run, admin, UNSEEN_TOLD)
    back = time.monotonic()
    _note("key", told, began, back, run, admin, UNSEEN_TOLD, notes, broken)


def _told(run: Run, admin: Person, words: tuple[str, ...]) -> float | None:
    """Wait until the board says so; return when."""
    is_told = wait_until(lambda: _is_told(run, admin, words), TOLD_SECONDS, every=0.5)
    return time.monotonic() if is_told else None


def _note(
    part: str,
    told: float | None,
    began: float,
    back: float,
    run: Run,
    admin: Person,
    words: tuple[str, ...],
    notes: list[str],
    broken: list[str],
) -> None:
    if told is None:
        broken.append(f"not told within {TOLD_SECONDS} s: the {part}")
    else:
        notes.append(f"{part} told after {told - began:.0f} s")
    if wait_until(lambda: not _is_told(run, admin, words), BACK_SECONDS, every=0.5):
        notes.append(f"{part} no longer told {time.monotonic() - back:.0f} s after its return")
    else:
        broken.append(f"still told {BACK_SECONDS} s after its return: the {part}")


def _is_told(run: Run, admin: Person, words: tuple[str, ...]) -> bool:
    return any(each in line for each in words for line in alarms(run.system.url, admin))
