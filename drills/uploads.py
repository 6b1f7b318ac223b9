"""R12: a bad connection. Uploads are cut anywhere and resumed by asking which photos arrived; some are abandoned."""

from __future__ import annotations

import functools
import hashlib
import os
import random
import socket
import struct
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import requests

from drills import clock
from drills.client import Accepted, App, Clients, GaveUpError, wait_until
from drills.oracle import Figures, settle
from drills.people import Person
from drills.run import SETTLE_SECONDS, Run, drill

ABANDONED_HOURS = 25
PHOTOS_PER_APP = 3
CUTS_PER_PHOTO = 2, 10  # maximum: in the short form, in the long form
CUT_BYTES = 8 * 1024 * 1024
COLLECT_SECONDS = 30
RESET = struct.pack("ii", 1, 0)  # SO_LINGER: close with a reset, as a broken connection
# The team's own corpus, if this machine has it; otherwise only drawn photos.
CORPUS = (
    Path(os.environ.get("TELEDER_CORPUS", Path(__file__).parents[2] / "shared/data/corpus")) / "must_accept"
)


@drill("R12", "uploads cut anywhere and resumed by hash", guard="seen-by-hash")
def cut_uploads(run: Run) -> Figures:
    clients, apps = run.clients(), run.few_or_many(8, 50)
    most = run.few_or_many(*CUTS_PER_PHOTO)
    lines = [BadConnection(clients, person, run.rng.random(), most) for person in (run.people * apps)[:apps]]
    files = corpus_photos(run, CUT_BYTES)
    numbers = [range(app * PHOTOS_PER_APP, (app + 1) * PHOTOS_PER_APP) for app in range(apps)]
    photos = [[_photo(number, files) for number in own] for own in numbers]  # all different
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda line, own: line.send_all(own), lines, photos))
    drafts, sent = lines[::4], [line for number, line in enumerate(lines) if number % 4]
    for line in sent:
        with suppress(GaveUpError):
            seconds = line.submit(line.submission)
            clients.accepted.append(Accepted(line.submission, tuple(line.photos), seconds))
    found = run.finish(clients, bound=float("inf"))
    found.broken += [fault for line in lines for fault in line.faults]
    found.broken += _triaged([line.submission for line in drafts], run) + _changed(lines)
    found.broken += _abandoned_files_stay(run, clients)
    sends, cuts = sum(line.sends.total() for line in lines), sum(line.cuts for line in lines)
    twice = sum(times > 1 for line in lines for times in line.complete.values())
    found.notes.append(
        f"{cuts} cuts in {sends} sends of {apps * PHOTOS_PER_APP} photos, {twice} sent completely more than once"
    )
    found.notes.append(f"{len(drafts)} drafts abandoned")
    return found


def corpus_photos(run: Run, limit: int) -> list[bytes]:
    """Return the corpus photos of at most `limit` bytes that must be accepted; none in the short form."""
    files = [] if run.short else sorted(file for file in CORPUS.rglob("*") if file.is_file())
    return [file.read_bytes() for file in files if file.stat().st_size <= limit]


def _photo(number: int, files: list[bytes]) -> bytes:
    return files[number] if number < len(files) else drawn(number)


@functools.cache
def drawn(number: int) -> bytes:
    """Return a drawn photo (JPEG, 0.1 to 2 MB), a different one for each number."""
    import cv2
    import numpy as np

    rng = np.random.default_rng(number)
    side = int(rng.integers(400, 1600))
    return cv2.imencode(".jpg", rng.normal(128, 40, (side, side, 3)).clip(0, 255).astype(np.uint8))[
        1
    ].tobytes()


class BadConnection(App):
    """An app whose connection breaks in most uploads. It asks which photos arrived before it repeats one."""

    def __init__(self, clients: Clients, person: Person, seed: float, most_cuts: int) -> None:
        super().__init__(clients, person)
        self.most_cuts = most_cuts
        self.rng = random.Random(seed)
        self.submission = self.open()
        self.photos: list[str] = []
        self.sends: Counter[str] = Counter()
        self.complete: Counter[str] = Counter()  # sends whose last byte was sent
        self.cuts = 0
        self.faults: list[str] = []

    def send_all(self, photos: list[bytes]) -> None:
        for data in photos:
            digest = hashlib.sha256(data).hexdigest()
            self.photos.append(digest)
            cuts = self.rng.randint(0, self.most_cuts)
            while digest not in self.shown() and self.sends[digest] <= cuts:
                self._send(digest, data, cut=self.sends[digest] < cuts)
        if sorted(self.shown()) != sorted(self.photos):
            self.faults.append("the photos shown are not the photos sent")

    def shown(self) -> set[str]:
        """Return the hashes of the photos that the server lists."""
        return {row["sha256"] for row in self.insist("GET", f"submissions/{self.submission}/photos").json()}

    def _send(self, digest: str, data: bytes, *, cut: bool) -> None:
        self.sends[digest] += 1
        if cut:
            self._send_a_part(digest, data)
        else:
            self.complete[digest] += 1
            self.add_photo(self.submission, data)
            if digest not in self.shown():
                self.faults.append("an accepted photo is not shown")

    def _send_a_part(self, digest: str, data: bytes) -> None:
        """Send up to a random place, possibly the end, and close the connection without reading the answer."""
        request = self._request(data)
        length = len(request.body)
        end = self.rng.choice([self.rng.randrange(length), self.rng.randrange(length), length])
        self.cuts += 1
        self.complete[digest] += end == length
        host, port = self.clients.url.removeprefix("http://").split(":")
        with suppress(OSError), socket.create_connection((host, int(port)), timeout=10) as line:
            line.sendall(_head(request) + request.body[:end])
            time.sleep(self.rng.uniform(0, 0.3))
            line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)

    def _request(self, data: bytes) -> requests.PreparedRequest:
        address = f"{self.clients.url}/api/v1/submissions/{self.submission}/photos"
        files = {"file": ("photo.jpg", data, "image/jpeg")}
        return requests.Request(
            "POST", address, headers=self.headers, data={"view": "close_up"}, files=files
        ).prepare()


def _head(request: requests.PreparedRequest) -> bytes:
    host = request.url.split("/")[2]
    lines = [f"POST {request.path_url} HTTP/1.1", f"Host: {host}"]
    lines += [f"{name}: {value}" for name, value in request.headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def _triaged(drafts: list[str], run: Run) -> list[str]:
    """Return a fault if a draft was treated as complete: in the record, by the AI, or for a dermatologist."""
    from contract.messages import Stage
    from teleder.cases.models import AIStatus, Job, Status, Submission

    rows = Submission.objects.filter(pk__in=drafts)
    untouched = rows.filter(status=Status.DRAFT, due_at=None, submitted_at=None, ai_status=AIStatus.NOT_USED)
    read = Job.objects.filter(photo__submission__in=drafts).exclude(stage__in=(Stage.PREPARE, Stage.CHECK))
    dermatologist = App(run.clients(), run.dermatologists[0])
    seen = [each for each in drafts if dermatologist.ask("GET", f"submissions/{each}").status_code != 404]
    return ["a draft was triaged as complete"] if untouched.count() != len(drafts) or read or seen else []


def _changed(lines: list[BadConnection]) -> list[str]:
    """Return a fault if a stored original, also of a draft, is not byte for byte what its app sent."""
    from teleder.cases import originals
    from teleder.cases.models import Photo

    wanted = {(line.submission, digest) for line in lines for digest in line.photos}
    photos = Photo.objects.current().filter(submission__in=[line.submission for line in lines])
    kept = {
        (str(photo.submission_id), hashlib.sha256(originals.read(photo.pk, photo.original_key)).hexdigest())
        for photo in photos
    }
    return [] if kept == wanted and photos.count() == len(wanted) else ["stored bytes are not what was sent"]


def _abandoned_files_stay(run: Run, clients: Clients) -> list[str]:
    """Crash the web between file and row, and run the nightly collection a day and an hour later."""
    from teleder.cases.leftovers import leftovers
    from teleder.celery import app

    armed = run.system.arm("upload.after_file")
    line = BadConnection(clients, run.people[0], run.rng.random(), 0)
    line.add_photo(line.submission, drawn(10**6))  # repeated after the crash and accepted
    settle(clients, SETTLE_SECONDS)  # finish all writes: the clock moves next
    parts = {run.system.media / key for key in leftovers(0) if "/original/" in key}
    if armed.exists() or not parts:
        return ["no partial file was left behind: the drill proves nothing"]
    file = run.system.armed / clock.FILE
    file.write_text(str(ABANDONED_HOURS * 3600))
    app.send_task("teleder.collect_leftovers")
    wait_until(lambda: not any(part.exists() for part in parts), COLLECT_SECONDS)
    file.unlink()
    stayed = [part for part in parts if part.exists()]
    return ["an abandoned file is still there after a day"] if stayed else []
