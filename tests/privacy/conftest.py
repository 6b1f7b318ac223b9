"""A patient, Carol, with data everywhere: rows in every table, files, messages in the broker, sessions, notes."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import redis
from allauth.account.models import EmailConfirmation
from allauth.mfa.models import Authenticator
from django.contrib.auth.models import Group
from django.contrib.sessions.models import Session
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from django.db import connection
from django.db.models import F
from django.db.models.functions import Now
from django.test import Client
from rest_framework.test import APIClient

from teleder.accounts import people
from teleder.accounts.models import Invitation, Purpose, Role, User
from teleder.cases import asking_back, intake, reviews, sharing
from teleder.cases.models import AnswerDraft, AnswerReading, HeldAnswer, Review, Submission
from teleder.notifications import outbox
from teleder.notifications.models import Preference, UrgentCall
from teleder.privacy import erasure, holds
from teleder.privacy.models import Erasure, Why
from teleder.privacy.policy import retention_policy
from tests.conftest import CALM, JPEG_HEAD, PASSWORD, rewrite
from tests.drawn import draw, reanalysed
from tests.drawn import record as record_drawn_crop

CANARY = "TELEDER-CANARY-7f3a"
PHOTO = JPEG_HEAD + f"{CANARY}-pixels".encode() * 20
ADDRESS = "carol.canary@example.com"
# What identifies carol: her texts, names, numbers, and the hash of her photo.
TRACES = {
    "name": "Carola Kanarienvogel",
    "address": ADDRESS,
    "written, sent, answered or drawn": CANARY,
    "photo": sha256(PHOTO).hexdigest(),
    "secret": "JBSWY3DPEHPK3PXP",
    "group": "carols-group-row",
}


@pytest.fixture
def carol(person, dana, adam, noel, analyse, stored, mailoutbox) -> User:
    """A patient with one row of each kind, one case answered and one draft, logged in by page and by token."""
    carol = person("carol.canary")
    carol.name = TRACES["name"]
    carol.save(update_fields=["name"])
    submission = _sent(carol)
    photo = submission.photos.first()
    analyse(photo)
    stored(photo)
    for path in Path(photo_folder(photo)).rglob("*"):
        if path.is_file() and "original" not in path.parts:
            path.write_text(f"{CANARY}-{path.name}")
    reviews.claim(submission, by=dana)
    answer = {"impression": "AD", "disposition": "today", "text": f"{CANARY}-answer"}
    reviews.sign(submission, by=dana, **answer)
    asking_back.ask_back(submission, by=carol, text=f"{CANARY}-question")
    sharing.share(submission, days=7, with_photos=True)
    _sent(carol, send=False)
    _beside_the_answer(submission, dana)
    outbox.queue_messages()
    outbox.deliver()
    _account_of(carol, adam, noel)
    _logs_in(carol)
    return carol


def _sent(patient: User, *, send: bool = True) -> Any:
    submission = intake.start(patient=patient, answers=CALM, key=f"{CANARY}-key")
    submission = submission if send else intake.start(patient=patient, answers=CALM, key=f"{CANARY}-draft")
    intake.describe(submission, body_site="elbow_crease", history={"different": f"{CANARY}-history"})
    upload = SimpleUploadedFile(f"{CANARY}-IMG.jpg", PHOTO)
    intake.add_photo(submission, view="close_up", upload=upload)
    return intake.submit(submission, by=patient, missing_photo="other") if send else submission


def _beside_the_answer(submission: Submission, dana: User) -> None:
    AnswerDraft.objects.create(submission=submission, author=dana, typed={"text": f"{CANARY}-typed"})
    submission.second_opinions.create(asked_by=dana, colleague=dana, question=f"{CANARY}-opinion")
    submission.hand_over_notes.create(author=dana, to=dana, text=f"{CANARY}-hand-over")
    AnswerReading.objects.create(review=submission.reviews.get())
    photo = submission.photos.get()
    draw(photo, dana)
    record_drawn_crop(photo, reanalysed(photo))
    sent = submission.events.get(kind="submitted")
    UrgentCall.objects.create(event=sent, submission=submission, acknowledged_at=Now(), acknowledged_by=dana)


def hold_an_answer(carol: User, dana: User) -> None:
    """Store an answer that waits to be sent; what carol does next would stop it."""
    submission = Review.objects.get(submission__case__patient=carol).submission
    answer = {"impression": "AD", "disposition": "today", "text": f"{CANARY}-held", "reason": ""}
    HeldAnswer.objects.create(
        submission=submission,
        author=dana,
        answer=answer | {"today": [], "this_week": [], "next_photo_on": None},
        triage_urgency=submission.urgency,
        send_at=Now() + timedelta(days=1),
    )


def photo_folder(photo: Any) -> Path:
    from django.conf import settings

    return Path(settings.MEDIA_ROOT) / "photos" / str(photo.pk)


def _account_of(carol: User, adam: User, noel: User) -> None:
    Preference.objects.create(person=carol)
    people.give_consent(carol, Purpose.TRAINING)
    people.end_consent(carol, Purpose.TRAINING)
    Authenticator.objects.create(user=carol, type="recovery_codes", data={"seed": TRACES["secret"]})
    EmailConfirmation.objects.create(email_address=carol.emailaddress_set.get(), key=f"{CANARY}-confirm")
    carol.groups.add(Group.objects.create(name="made-up"))
    people.deactivate(carol, by=adam)
    people.activate(carol, by=adam)
    Invitation.issue(email=ADDRESS, role=Role.ADMIN, by=noel)
    holds.set_hold(carol, reason=f"{CANARY}-court", by=adam)
    holds.lift_hold(carol, by=adam)


def _logs_in(carol: User) -> None:
    Authenticator.objects.filter(user=carol).delete()
    client = Client()
    assert client.post("/accounts/login/", {"login": ADDRESS, "password": PASSWORD}).status_code == 302
    client.get("/messages/")
    api = APIClient()
    token = api.post("/api/v1/tokens", {"email": ADDRESS, "password": PASSWORD}).json()["token"]
    api.credentials(HTTP_AUTHORIZATION=f"Token {token}")
    assert api.get("/api/v1/me").status_code == 200
    Authenticator.objects.create(user=carol, type="recovery_codes", data={"seed": TRACES["secret"]})
    asking = Client()
    asking.post("/accounts/password/reset/", {"email": ADDRESS})


def request_erasure_and_wait(carol: User, why: Why = Why.REQUEST, **more: Any) -> None:
    """Request the erasure and move its date into the past."""
    erasure.ask(carol, why=why, **more)
    Erasure.objects.filter(person=carol).update(due_at=Now() - timedelta(seconds=1))
    reviews = Review.objects.filter(submission__case__patient=carol)
    rewrite(reviews, signed_at=F("signed_at") - timedelta(days=retention_policy().cooling_off_days))


def sweep() -> None:
    call_command("sweep", once=True)


# --- Searching everything ---------------------------------------------------------------------------------
def database() -> Iterator[tuple[str, str]]:
    """Yield (table, row as JSON) of every row of every table, and the decoded content of sessions."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT schemaname, tablename FROM pg_tables WHERE schemaname !~ '^(pg_|information)'")
        for schema, table in cursor.fetchall():
            cursor.execute(f'SELECT row_to_json(t)::text FROM "{schema}"."{table}" t')
            yield from ((table, row) for (row,) in cursor.fetchall())
    yield from (("django_session", json.dumps(row.get_decoded())) for row in Session.objects.all())


def valkey() -> Iterator[tuple[str, str]]:
    """Yield (key, value) of everything in Valkey, and the decoded base64 parts of messages."""
    from django.conf import settings

    client = redis.Redis.from_url(settings.REDIS_URL)
    read = {b"string": client.get, b"list": lambda k: client.lrange(k, 0, -1), b"hash": client.hgetall}
    read |= {b"set": client.smembers, b"zset": lambda k: client.zrange(k, 0, -1)}
    for key in client.scan_iter():
        text = repr(read[client.type(key)](key))
        yield key.decode(), text + "".join(_decoded(text))


def _decoded(text: str) -> Iterator[str]:
    for part in text.split('"body": "')[1:]:
        yield base64.b64decode(part.partition('"')[0]).decode(errors="replace")


def media(root: Path) -> Iterator[tuple[str, str]]:
    for path in root.rglob("*"):
        yield (
            str(path.relative_to(root)),
            path.read_bytes().decode(errors="replace") if path.is_file() else "",
        )


@pytest.fixture
def found(settings, caplog) -> Callable[..., set[tuple[str, str]]]:
    """Return (where, which trace) for each trace that is found anywhere."""
    caplog.set_level("INFO")

    def search(traces: dict[str, str] = TRACES) -> set[tuple[str, str]]:
        listed = Path(settings.ERASED_LIST)
        everything = [
            *database(),
            *(("valkey", f"{key} {value}") for key, value in valkey()),
            *(("media", f"{name} {content}") for name, content in media(Path(settings.MEDIA_ROOT))),
            *(("log", record.getMessage()) for record in caplog.records),
            ("list", listed.read_text() if listed.exists() else ""),
        ]
        return {
            (where, what)
            for where, text in everything
            for what, trace in traces.items()
            if trace.lower() in text.lower()
        }

    return search
