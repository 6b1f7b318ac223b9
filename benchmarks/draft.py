"""How soon a patient reads whether a photo can be used, from the end of its upload.

A drawn photo of 12 MP is uploaded to a draft of a patient who consented to AI, and its state is read every 100 ms: first
the decoder's verdict (prepared: dark, blurred or small), then "good" or what to do (checked: skin and lesion). Web, storage, decoder,
networks and results are the real ones. Then the same while submitted photos wait, which go first: there a check
may come late, and the page says that the photo arrived.
"""

from __future__ import annotations

import argparse
import time
from typing import Any, NamedTuple

from benchmarks.frame import Goal, Section, Table, median, number, percentile
from benchmarks.own_system import own_system
from drills.client import App, Clients, wait_until

DECODED_SECONDS = 2  # the decoder's verdict: dark, blurred, small
IN_TIME_SECONDS = 6  # the skin check
PATIENCE_SECONDS = 120
PAUSE_SECONDS = 0.1
SIDES = (4000, 3000)  # px
WARM_UP = 4
GRAIN = 8  # of 255; so much noise that the file has the size of a phone's


class Judged(NamedTuple):
    """Seconds from the end of an upload; `checked` is None if the photo was not checked in time to wait for it."""

    prepared: float
    checked: float | None


def add_arguments(parser: Any) -> None:
    parser.add_argument(
        "--draft-photos", type=int, default=40, help="photos on an idle system; a quarter of it on a busy one"
    )
    parser.add_argument(
        "--draft-waiting", type=int, default=60, help="submitted photos that wait on the busy system"
    )


def run(options: argparse.Namespace) -> Section:
    with own_system() as system:
        from drills.people import patients

        clients = Clients(system.url, patients(8))
        photos = [drawn(seed) for seed in range(4)]
        for photo in photos[:WARM_UP]:
            upload_and_wait(clients, photo)
        idle = [upload_and_wait(clients, photos[turn % len(photos)]) for turn in range(options.draft_photos)]
        clients.send(options.draft_waiting)
        busy = [
            upload_and_wait(clients, photos[turn % len(photos)])
            for turn in range(max(1, options.draft_photos // 4))
        ]
    return section(idle, busy, options.draft_waiting, len(photos[0]))


def drawn(seed: int) -> bytes:
    """Return a drawn photo of SIDES as JPEG, with grain: about 3 MB."""
    import cv2
    import numpy as np

    from training import phantom

    scene = phantom.draw(seed, condition="AD", long_side=1000)
    photo = cv2.resize(scene.photo, SIDES, interpolation=cv2.INTER_CUBIC)
    grain = np.random.default_rng(seed).normal(0, GRAIN, photo.shape[:2])
    photo = np.clip(photo + grain[..., None], 0, 255).astype(np.uint8)
    return cv2.imencode(".jpg", photo[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 85])[1].tobytes()


def upload_and_wait(clients: Clients, photo: bytes) -> Judged:
    """Upload a photo to a draft of its own and wait until its patient could read how it stands."""
    person = clients.people[len(clients.opened) % len(clients.people)]
    app = App(clients, person)
    draft = app.open()
    app.add_photo(draft, photo)
    began, seen = time.monotonic(), {}

    def is_checked() -> bool:
        time.sleep(PAUSE_SECONDS)
        answer = app.ask("GET", f"submissions/{draft}")
        answer.raise_for_status()
        (own,) = answer.json()["photos"]
        if own["state"] != "stored":
            seen.setdefault("prepared", time.monotonic() - began)
        if own["state"] not in {"stored", "ready"} or own["advice"] or own["state_text"] == "good":
            seen.setdefault("checked", time.monotonic() - began)
        return "checked" in seen

    wait_until(is_checked, PATIENCE_SECONDS)
    return Judged(seen["prepared"], seen.get("checked"))


def section(idle: list[Judged], busy: list[Judged], waiting: int, size: int) -> Section:
    rows = [
        _row(f"{name}, {what}", values)
        for name, side in (("idle", idle), (f"{waiting} photos wait", busy))
        for what, values in (
            ("prepared", [one.prepared for one in side]),
            ("checked", [one.checked for one in side]),
        )
    ]
    checked = [one.checked if one.checked is not None else PATIENCE_SECONDS for one in idle]
    return Section(
        "draft",
        "A draft's photo, from the end of its upload to what its patient reads",
        f"{len(idle)} drawn photos of {SIDES[0]} × {SIDES[1]} px and {number(size / 1e6)} MB, one after another, then {len(busy)} while "
        f"{waiting} submitted photos wait. Read by the API every {PAUSE_SECONDS * 1000:g} ms; the page asks less often.",
        [
            Goal("idle: dark, blurred or small, p50", median([one.prepared for one in idle]), "s", 1.0),
            Goal(
                "idle: dark, blurred or small, p95",
                percentile([one.prepared for one in idle], 95),
                "s",
                DECODED_SECONDS,
            ),
            Goal("idle: what to do about the photo, or that it is good, p50", median(checked), "s", 1.0),
            Goal("idle: the same, p95", percentile(checked, 95), "s", IN_TIME_SECONDS),
            Goal(f"idle: share judged within {IN_TIME_SECONDS} s", _in_time(idle), "", 0.95, at_least=True),
        ],
        [
            Table(
                "Seconds after the upload",
                ["", "photos", "p50", "p95", "longest", f"within {IN_TIME_SECONDS} s"],
                rows,
            )
        ],
    )


def _in_time(side: list[Judged]) -> float:
    return sum(one.checked is not None and one.checked <= IN_TIME_SECONDS for one in side) / len(side)


def _row(name: str, values: list[float | None]) -> list[Any]:
    known = [value if value is not None else PATIENCE_SECONDS for value in values]
    share = sum(value <= IN_TIME_SECONDS for value in known) / len(known)
    return [
        name,
        len(known),
        *(number(figure) for figure in (median(known), percentile(known, 95), max(known), share)),
    ]
