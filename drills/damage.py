"""R22: stored files change by themselves: bits of a copy and of an original, and two copies are exchanged."""

from __future__ import annotations

import io
import time
import zipfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import requests

from drills.client import App, photo, wait_until
from drills.oracle import Figures, settle
from drills.people import Person, create, with_token
from drills.run import SETTLE_SECONDS, Run, drill
from drills.system import System

if TYPE_CHECKING:
    from teleder.cases.models import Photo

PATIENT, PASSWORD = "damage-patient@example.com", "correct-horse-battery"
TOLD_SECONDS, MAILED_SECONDS, WHOLE_SECONDS = 15, 60, 60
COPIES_TOLD = ("copy of a photo was damaged", "copies of photos were damaged")
ORIGINALS_TOLD = ("photo is damaged in the storage", "photos are damaged in the storage")


@drill("R22", "a damaged or exchanged file is told, never shown, and made again", guard="whole-file")
def damaged_files(run: Run) -> Figures:
    """The oracle asks by HTTP and reads mail. Tables are read only to find the files to damage."""
    from teleder.accounts.models import User
    from teleder.cases.models import Photo

    clients, system = run.clients(), run.system
    admin = with_token("damage-admin@example.com", "admin")
    people = [*run.people[:3], _patient_with_password()]
    sent = [clients.send_one(person, (photo(seed=40 + n),)) for n, person in enumerate(people)]
    settle(clients, SETTLE_SECONDS)
    photos = [Photo.objects.get(submission=each.submission) for each in sent if each]
    shown = {row.pk: _shown(App(clients, person), row) for person, row in zip(people, photos, strict=True)}
    flipped, one, other, original = photos
    _flip(system.media / flipped.display_key, 2000)
    _exchange(system.media / one.display_key, system.media / other.display_key)
    whole_original = (system.media / original.original_key).read_bytes()
    _flip(system.media / original.original_key, 8)
    found, began = Figures(), time.monotonic()

    def wrong() -> int:
        answers = {row.pk: _shown(App(clients, who), row) for who, row in zip(people, photos, strict=True)}
        return sum(content not in (None, shown[pk]) for pk, content in answers.items())

    if seen := wrong():
        found.broken.append(f"{seen} people were shown a damaged photo or another person's")
    told = _seconds_until(lambda: _is_told(system, admin, COPIES_TOLD), began, TOLD_SECONDS)
    read = time.monotonic()
    if any("original" in name for name in _exported_files(App(clients, people[3]))):
        found.broken.append("a damaged original was handed out")
    told_original = _seconds_until(lambda: _is_told(system, admin, ORIGINALS_TOLD), read, TOLD_SECONDS)
    # An earlier drill of this system may have made admins, too.
    admins = list(User.objects.filter(role="admin", is_active=True).values_list("email", flat=True))
    mailed = _seconds_until(lambda: all(map(system.mailbox.mails_to, admins)), read, MAILED_SECONDS)

    def all_whole() -> bool:
        return all(
            _shown(App(clients, who), row) == shown[row.pk] for who, row in zip(people, photos, strict=True)
        )

    whole = _seconds_until(all_whole, began, WHOLE_SECONDS)
    if seen := wrong():
        found.broken.append(f"{seen} people were shown another photo after it was made again")
    (system.media / original.original_key).write_bytes(whole_original)
    back = time.monotonic()
    ended = _seconds_until(lambda: not _is_told(system, admin, ORIGINALS_TOLD), back, WHOLE_SECONDS)
    times = {
        "copies told": told,
        "original told": told_original,
        "original mailed": mailed,
        "copies whole": whole,
        "alarm ended after the backup": ended,
    }
    for email in admins:
        system.mailbox.forget(email)  # no message of a case: the oracle would call it a second one
    faults = [name for name, seconds in times.items() if seconds is None]
    known = [f"{name} after {seconds:.1f} s" for name, seconds in times.items() if seconds is not None]
    finished = run.finish(clients, bound=float("inf"))
    finished.notes += known
    finished.broken += [*found.broken, *(f"not in time: {name}" for name in faults)]
    return finished


def _flip(file: Path, count: int) -> None:
    """Change so many bytes in the middle of a file, as a failing disk does: its length and name stay."""
    content = bytearray(file.read_bytes())
    middle = len(content) // 2
    for place in range(middle, min(middle + count, len(content))):
        content[place] ^= 0xFF
    file.write_bytes(bytes(content))


def _exchange(one: Path, other: Path) -> None:
    first, second = one.read_bytes(), other.read_bytes()
    one.write_bytes(second)
    other.write_bytes(first)


def _shown(app: App, row: Photo) -> bytes | None:
    """Return the photo as its patient's app gets it; none where it is not shown."""
    answer = app.ask("GET", f"photos/{row.pk}/display")
    return answer.content if answer.ok else None


def _is_told(system: System, admin: Person, words: tuple[str, ...]) -> bool:
    return any(each in line for each in words for line in alarms(system.url, admin))


def alarms(url: str, admin: Person, seconds: float = 5) -> list[str]:
    """Return what the board tells an admin to look at; nothing while it does not answer."""
    headers = {"Authorization": f"Token {admin.token}", "Accept-Language": "en"}
    with suppress(requests.RequestException):
        answer = requests.get(f"{url}/status", headers=headers, timeout=seconds)
        return [alarm["words"] for alarm in answer.json()["alarms"]] if answer.ok else []
    return []


def _patient_with_password() -> Person:
    from teleder.accounts.models import User

    if not User.objects.filter(email=PATIENT).exists():
        create(PATIENT, "patient", PASSWORD)
    return with_token(PATIENT, "patient")


def _exported_files(app: App) -> list[str]:
    """Download all of a patient's data, which reads the originals; return the names of the files in it."""
    answer = app.ask("POST", "me/data/export", json={"password": PASSWORD})
    answer.raise_for_status()
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        return archive.namelist()


def _seconds_until(true, began: float, seconds: float) -> float | None:
    return time.monotonic() - began if wait_until(true, began + seconds - time.monotonic()) else None
