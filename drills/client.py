"""Patients' apps: they send, repeat what was not answered, and remember what the server accepted."""

from __future__ import annotations

import functools
import hashlib
import itertools
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import uuid4

import requests

from drills.people import Person

PATIENCE_SECONDS = 90  # if an app gives up, nothing is lost: nothing was accepted
TRY_SECONDS = 15
PHOTO_SIDE = 320


@functools.cache
def photo(condition: str = "AD", seed: int = 7, long_side: int = PHOTO_SIDE) -> bytes:
    """Return a drawn photo (JPEG), a small one if `long_side` (px) is not given."""
    import cv2

    from training import phantom

    scene = phantom.draw(seed, condition=condition, long_side=long_side)
    return cv2.imencode(".jpg", scene.photo[..., ::-1])[1].tobytes()


@dataclass(frozen=True)
class Accepted:
    """A submission that the server accepted; every drill compares the record with these."""

    submission: str
    photos: tuple[str, ...]  # sha256
    answered_in: float  # seconds from the first attempt to submit until the answer


@dataclass(frozen=True)
class Unsure:
    """A request to open a submission that was answered 5xx or not at all, so that its outcome is unknown."""

    key: str
    at: datetime  # when the answer came or the app stopped waiting


@dataclass
class Clients:
    """Many apps at once; `accepted` grows while they send."""

    url: str
    people: list[Person]
    accepted: list[Accepted] = field(default_factory=list)
    given_up: int = 0
    server_errors: list[str] = field(default_factory=list)  # the request and the answer of each 500
    opened: dict[str, str] = field(default_factory=dict)  # idempotency key: id of the submission
    unsure: list[Unsure] = field(default_factory=list)
    refusals: Counter[int] = field(default_factory=Counter)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def send(self, count: int, photos: tuple[bytes, ...] | None = None, threads: int = 4) -> None:
        """Send `count` submissions and return when each is accepted or given up."""
        people = itertools.cycle(self.people)
        with ThreadPoolExecutor(threads) as pool:
            list(
                pool.map(
                    lambda person: self.send_one(person, photos or (photo(),)),
                    [next(people) for _ in range(count)],
                )
            )

    def sending(self, count: int, **options) -> threading.Thread:
        """Send in the background."""
        thread = threading.Thread(target=self.send, args=(count,), kwargs=options, daemon=True)
        thread.start()
        return thread

    def pace(self, per_second: float, seconds: float) -> None:
        """Start `per_second` submissions a second for `seconds`; return when each is accepted or given up."""
        people, began = itertools.cycle(self.people), time.monotonic()
        with ThreadPoolExecutor(8) as pool:
            for number in range(int(per_second * seconds)):
                time.sleep(max(0.0, began + number / per_second - time.monotonic()))
                pool.submit(self.send_one, next(people), (photo(),))

    def send_one(self, person: Person, photos: tuple[bytes, ...]) -> Accepted | None:
        """Send one submission as an app does: repeat each step until it is answered."""
        session = App(self, person)
        try:
            opened = session.open()
            for data in photos:
                session.add_photo(opened, data)
            seconds = session.submit(opened)
        except GaveUpError:
            with self.lock:
                self.given_up += 1
            return None
        done = Accepted(opened, tuple(hashlib.sha256(data).hexdigest() for data in photos), seconds)
        with self.lock:
            self.accepted.append(done)
        return done


class GaveUpError(Exception):
    """No answer for PATIENCE_SECONDS, or a refusal."""


class App:
    """One person's app with one submission."""

    def __init__(self, clients: Clients, person: Person) -> None:
        self.clients = clients
        self.headers = {"Authorization": f"Token {person.token}"}
        self.key = str(uuid4())

    def open(self) -> str:
        headers = {"Idempotency-Key": self.key}
        answer = self.insist("POST", "submissions", json={"answers": calm()}, headers=headers)
        submission = self.clients.opened[self.key] = answer.json()["id"]
        self.insist("PATCH", f"submissions/{submission}", json={"body_site": "elbow_crease"})
        return submission

    def add_photo(self, submission: str, data: bytes) -> None:
        files = {"file": ("photo.jpg", data, "image/jpeg")}
        self.insist("POST", f"submissions/{submission}/photos", data={"view": "close_up"}, files=files)

    def submit(self, submission: str) -> float:
        """Return the seconds until it was accepted, failed attempts included."""
        began = time.monotonic()
        self.insist(
            "POST", f"submissions/{submission}/submit", json={"send_anyway": True, "missing_photo": "other"}
        )
        return time.monotonic() - began

    def answer(self, submission: str) -> None:
        """Claim and sign it as its dermatologist."""
        self.insist("POST", f"submissions/{submission}/claim")
        words = {
            "impression": "AD",
            "disposition": "self_care",
            "text": "Continue with the cream.",
        }
        self.insist("POST", f"submissions/{submission}/reviews", json=words | {"reason": "a drill"})

    def insist(self, method: str, path: str, **parts) -> requests.Response:
        """Repeat until answered; raises `GaveUpError`. A 409 means that an earlier attempt succeeded."""
        limit = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < limit:
            with suppress(requests.RequestException):
                answer = self.ask(method, path, **parts)
                if answer.ok or answer.status_code == 409:
                    return answer
                if answer.status_code < 500 and answer.status_code != 429:
                    raise GaveUpError(answer.status_code)
                with self.clients.lock:
                    if answer.status_code == 500:
                        self.clients.server_errors.append(f"{method} {path}: {answer.text[:300]}")
                    self.clients.refusals[answer.status_code] += 1
            if parts.get("headers"):
                self.clients.unsure.append(Unsure(self.key, datetime.now(UTC)))
            time.sleep(0.5)
        raise GaveUpError

    def ask(self, method: str, path: str, headers: dict | None = None, **parts) -> requests.Response:
        address = f"{self.clients.url}/api/v1/{path}"
        return requests.request(
            method, address, headers=self.headers | (headers or {}), timeout=TRY_SECONDS, **parts
        )


@functools.cache
def calm() -> dict[str, str]:
    """Return answers without a red flag."""
    from teleder.cases import triage

    return {question["id"]: "no" for question in triage.policy().questions}


def wait_until(true: Callable[[], bool], seconds: float, *, every: float = 0.1) -> bool:
    """Wait until `true` returns true, asked `every` so many seconds; return whether it did so in time."""
    limit = time.monotonic() + seconds
    while not (found := true()) and time.monotonic() < limit:
        time.sleep(every)
    return found


def at_once(work: list[Callable[[], object]]) -> list[object]:
    """Call all functions at the same moment, each in a thread; return their results."""
    gate = threading.Barrier(len(work))

    def do(each: Callable[[], object]) -> object:
        gate.wait()
        return each()

    with ThreadPoolExecutor(len(work)) as pool:
        return list(pool.map(do, work))
