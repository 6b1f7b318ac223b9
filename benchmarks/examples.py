"""Submissions made by the product's own functions, one of each kind: what `benchmarks.fill` multiplies.

Django must be set up, on a database with its tables and a storage of its own.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from contract import messages
from contract.alarms import Alarm, Condition, Figure
from contract.distance import SCALES, DistanceReport, Look, alarm_verdict
from contract.messages import Abstention, Stage

if TYPE_CHECKING:
    from teleder.cases.models import Photo, Submission

JPEG_HEAD = b"\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00"
ORIGINAL_BYTES = 2000  # nobody looks at it
NO_PICTURE = b"made for a benchmark " * 40
HASH = hashlib.sha256(NO_PICTURE).hexdigest()
MODEL = messages.ModelRef(name="benchmark", version="1", sha256="0" * 64)
ECZEMA = {"AD": 0.9, "HI": 0.02, "IM": 0.03, "MF": 0.01, "OTHER": 0.04}
HERPES = {"AD": 0.5, "HI": 0.4, "IM": 0.05, "MF": 0.01, "OTHER": 0.04}
SHARES = Figure(value=0.7, low=0.59, high=0.79, n=91)
RATIO = Figure(value=5.4, low=3.1, high=9.4, n=402)
HISTORY = {"duration": "years", "symptoms": ["itch"], "itch": 6}
TEXT = (
    "Thank you for your photos. This looks like a flare of your eczema. Please go on with the moisturiser and the cream "
    "that you were given. If pain, blisters or fever come, or if it spreads quickly, see a doctor the same day."
)


@dataclass(frozen=True)
class Example:
    """One kind of submission: how often it is met (`weight`, within open or within done), and how it is made."""

    name: str
    weight: float
    is_open: bool
    make: Callable[[], Submission]


class Maker:
    """Makes submissions of one patient; `reader` answers them."""

    def __init__(self) -> None:
        from drills.people import create
        from teleder.notifications.models import Preference

        self.patient = create("example.patient@example.org", "patient", name="Example Patient")
        self.reader = create("example.reader@example.org", "dermatologist", name="Example Reader")
        Preference.objects.create(
            person=self.patient, email=False
        )  # half the messages: they are many as it is
        self.made = 0

    def draft(self, photos: int = 1, **answers: str) -> Submission:
        from django.core.files.uploadedfile import SimpleUploadedFile

        from drills.client import calm
        from teleder.cases import intake

        submission = intake.start(patient=self.patient, answers=calm() | answers)
        intake.describe(submission, body_site="elbow_crease", history=HISTORY)
        for _ in range(photos):
            self.made += 1
            content = JPEG_HEAD + self.made.to_bytes(4) * (ORIGINAL_BYTES // 4)
            intake.add_photo(submission, view="close_up", upload=SimpleUploadedFile("photo.jpg", content))
        return submission

    def sent(self, photos: int = 1, **answers: str) -> Submission:
        from teleder.cases import intake

        return intake.submit(self.draft(photos, **answers), by=self.patient, missing_photo="other")

    def read(
        self, photos: int = 1, found: dict | None = None, abstention: str | None = None, **answers: str
    ) -> Submission:
        """A submission that the AI has read."""
        submission = self.sent(photos, **answers)
        for photo in submission.current_photos():
            analyse(photo, found or ECZEMA, abstention)
        submission.refresh_from_db()
        return submission

    def stopped(self) -> Submission:
        """A submission that the AI could not read: its photo was prepared, and the jobs that follow were cancelled."""
        return unread(self.sent())

    def claimed(self, **more) -> Submission:
        from teleder.cases import reviews

        submission = self.read(**more)
        reviews.claim(submission, by=self.reader)
        return submission

    def answered(self, *, close: bool = False, impression: str = "AD", **more) -> Submission:
        from teleder.cases import reviews

        submission = self.claimed(**more)
        urgent = submission.urgency
        reviews.sign(
            submission,
            by=self.reader,
            at_once=True,
            impression=impression,
            disposition="today" if urgent else "self_care",
            text=TEXT,
        )
        if close:
            reviews.close(submission, by=self.reader)
        return submission

    def asked(self) -> Submission:
        from teleder.cases import reviews

        submission = self.claimed()
        reviews.request_photos(submission, by=self.reader, reason="blurred")
        return submission

    def withdrawn(self) -> Submission:
        from teleder.cases import withdrawal

        submission = unread(self.sent())
        withdrawal.withdraw(submission, by=self.patient)
        return submission

    def examples(self) -> list[Example]:
        """One in ten submissions has two photos."""
        make = self.read
        return [
            Example("routine", 0.54, True, make),
            Example("routine, two photos", 0.1, True, lambda: make(photos=2)),
            Example("inconclusive", 0.1, True, lambda: make(abstention=Abstention.UNCERTAIN)),
            Example("herpes alarm", 0.03, True, lambda: make(found=HERPES)),
            Example("fever and blisters", 0.02, True, lambda: make(fever="yes", grouped_blisters="yes")),
            Example("lasting patch", 0.1, True, lambda: make(lasting_patch="yes")),
            Example("waiting for the AI", 0.002, True, self.sent),
            Example("AI stopped", 0.028, True, self.stopped),
            Example("claimed", 0.03, True, self.claimed),
            Example("photos asked for", 0.05, True, self.asked),
            Example("answered", 0.3, False, self.answered),
            Example("answered, two photos", 0.1, False, lambda: self.answered(photos=2)),
            Example("closed", 0.5, False, lambda: self.answered(close=True)),
            Example("closed, urgent", 0.07, False, lambda: self.answered(found=HERPES, close=True)),
            Example("withdrawn", 0.015, False, self.withdrawn),
            Example("draft", 0.015, False, lambda: unread(self.draft())),
        ]


def unread(submission: Submission) -> Submission:
    """Prepare its photos and cancel the jobs that follow."""
    from teleder.pipeline import recovery

    for photo in submission.current_photos():
        prepare(photo)
        for job in photo.jobs.exclude(stage=Stage.PREPARE):
            recovery.cancel(job, by=None)
    submission.refresh_from_db()
    return submission


def analyse(photo: Photo, found: dict[str, float], abstention: str | None) -> None:
    """Record what a worker would report of one photo, by the product's own functions, with files."""
    prepare(photo)
    box = messages.Box(x=10, y=10, width=200, height=200, skin=0.95, lesion=0.4)
    mask = file_of(photo, Stage.ANALYSE, "mask.png")
    segmented = messages.Segmented(
        mask_key=mask, mask_sha256=HASH, skin=0.8, lesion=0.2, boxes=(box,), signs=(), model=MODEL
    )
    alarms = tuple(
        Alarm(
            condition=Condition(name),
            score=found[name],
            threshold=line,
            sensitivity=SHARES,
            likelihood_ratio=RATIO,
            likelihood_ratio_ad=RATIO,
        )
        for name, line in (("HI", 0.2), ("IM", 0.5), ("MF", 0.5))
    )
    top = max(found, key=found.get)
    drawn = file_of(photo, Stage.ANALYSE, "attribution.png")
    classified = messages.Classified(
        probabilities=found,
        views=(messages.View(box=None, probabilities=found), messages.View(box=0, probabilities=found)),
        thresholds={"AD": 0.6, "HI": 0.2, "IM": 0.5, "MF": 0.5},
        top=None if abstention else top,
        abstention=abstention,
        model=MODEL,
        attribution=messages.Attribution(key=drawn, sha256=HASH, condition=top, box=0),
        alarms=alarms,
        demonstration=False,
    )
    record(photo, Stage.ANALYSE, messages.Analysed(segmented=segmented, classified=classified))
    if photo.jobs.filter(stage=Stage.DISTANCE).exists():  # of a photo whose alarm rings
        record(photo, Stage.DISTANCE, from_other_distances(found["HI"], box))


def from_other_distances(score: float, box: messages.Box) -> DistanceReport:
    """Return a report by which the alarm for herpes rings at every distance."""
    looks = tuple(
        Look(scale=scale, boxes=(box,), verdict=alarm_verdict([Condition.HI]), scores={"HI": score})
        for scale in SCALES
    )
    return DistanceReport(
        looks=looks,
        x=0.5,
        y=0.5,
        thresholds={"HI": 0.2},
        segmentation_model=MODEL,
        classification_model=MODEL,
        seconds=7.0,
    )


def prepare(photo: Photo, copy: bytes = NO_PICTURE) -> None:
    """Record that the photo was prepared; each of its copies is `copy`."""
    names = ("display", "analysis", "thumbnail", "veiled")
    hashes = {f"{name}_sha256": hashlib.sha256(copy).hexdigest() for name in names}
    keys = {f"{name}_key": file_of(photo, Stage.PREPARE, f"{name}.jpg", copy) for name in names}
    sizes = {"width": 800, "height": 600, "analysis_width": 800, "analysis_height": 600}
    record(photo, Stage.PREPARE, messages.Prepared(**keys, **hashes, **sizes, quality={"sharpness": 100.0}))


def file_of(photo: Photo, stage: Stage, name: str, content: bytes = NO_PICTURE) -> str:
    """Write a file where the next attempt at this stage leaves its files; return its key."""
    from django.conf import settings

    key = f"photos/{photo.pk}/{stage}/{photo.jobs.get(stage=stage).attempt + 1}/{name}"
    path = settings.PHOTO_STORAGE.root / key
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return key


def record(photo: Photo, stage: Stage, outcome: messages.Outcome) -> None:
    """Put the photo's job of this stage under way, as dispatch would, and record its result."""
    from django.utils import timezone

    from teleder.pipeline import results

    job, now = photo.jobs.get(stage=stage), timezone.now()
    job.state, job.attempt, job.sent_at = "sent", job.attempt + 1, now
    job.deadline = now + timedelta(minutes=1)
    job.save()
    if not results.record(job=str(job.pk), attempt=job.attempt, worker="benchmark", outcome=outcome):
        raise RuntimeError(f"the result of {stage} was refused")
