"""Everything the record holds of a person, as a ZIP that is made while it is sent: nothing of it lies on a disk.

`export.schema.json` describes data.json; docs/api.md says what is in the file and what is not.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from django.core.exceptions import ValidationError
from django.core.serializers.json import DjangoJSONEncoder
from django.http import StreamingHttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _

from contract.encryption import LockedOriginalError
from contract.storage import StorageUnavailableError
from teleder.accounts.guardians import children_of
from teleder.accounts.models import User
from teleder.audit.models import Entry, Verb
from teleder.cases import files, originals, stored_files
from teleder.cases.models import Case, EventKind, Photo, Review, StoredFile, Submission
from teleder.cases.triage import Urgency
from teleder.notifications.models import Channel, Message, Preference
from teleder.privacy.models import Erasure

FORMAT = "teleder-export/1"
SCHEMA = Path(__file__).parent / "export.schema.json"
# Steps that tell of the patient's case. What the AI did, raised or failed at is the clinic's (intended use), jobs are internal.
TOLD = frozenset(EventKind) - {
    EventKind.URGENCY_RAISED,
    EventKind.AI_DONE,
    EventKind.AI_UNAVAILABLE,
    EventKind.AI_SEEN_FIRST,
    EventKind.CROP_DRAWN,
    EventKind.JOB_QUARANTINED,
    EventKind.JOB_REQUEUED,
    EventKind.JOB_CANCELLED,
}
ENDINGS = {b"\xff\xd8\xff": "jpg", b"\x89PNG": "png", b"RIFF": "webp", b"GIF8": "gif"}


def answer(person: User) -> StreamingHttpResponse:
    """Return the ZIP as an attachment whose name says nothing of the person. Raises `ValidationError` for staff."""
    if not person.is_patient:
        raise ValidationError(_("Only patients' data is exported, erased or held."))
    data, photos = record_of(person), _photos(person)
    name = f'attachment; filename="teleder-{timezone.localdate():%Y-%m-%d}.zip"'
    headers = files.HEADERS | {"Content-Disposition": name}
    return StreamingHttpResponse(pack(data, photos), content_type="application/zip", headers=headers)


# --- The file ---------------------------------------------------------------------------------------------
class Sink:
    """What zipfile writes into: bytes that are handed on as soon as they are there."""

    def __init__(self) -> None:
        self.waiting: list[bytes] = []

    def write(self, content: bytes) -> int:
        self.waiting.append(bytes(content))
        return len(content)

    def flush(self) -> None:
        """Nothing to do; zipfile asks for it."""

    def take(self) -> bytes:
        taken, self.waiting = b"".join(self.waiting), []
        return taken


def pack(data: dict[str, Any], photos: list[Photo]) -> Iterator[bytes]:
    """Yield the ZIP in pieces of at most one photo; data.json comes last and says of each file what came of it."""
    sink, written = Sink(), {}
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr(
            "README.txt",
            _(
                "This is what teleder holds of you.\n\n"
                "data.json: everything in words and numbers; schema.json describes it.\n"
                "photos/: of each photo the original as you sent it, and the copy that the clinic looks at.\n\n"
                "An original may hold what your phone wrote into it, for example where and when it was taken. "
                "The copy holds the picture alone: give that one away if you give one away.\n"
            ),
        )
        archive.writestr("schema.json", SCHEMA.read_text())
        for photo in photos:
            written[str(photo.pk)] = []
            for name, content in _files_of(photo):
                written[str(photo.pk)].append(_put(archive, name, content))
                yield sink.take()
        _name_files(data, written)
        text = json.dumps(data, cls=DjangoJSONEncoder, ensure_ascii=False, indent=1)
        archive.writestr("data.json", text, zipfile.ZIP_DEFLATED)
    yield sink.take()


def _put(archive: zipfile.ZipFile, name: str, content: bytes | None) -> dict[str, Any]:
    """Write one file; where it could not be read, say so in its place."""
    if content is None:
        return {"name": name, "missing": True}
    archive.writestr(name, content)
    return {"name": name, "bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}


def _files_of(photo: Photo) -> Iterator[tuple[str, bytes | None]]:
    folder = f"photos/{photo.submission.case.number}/{photo.pk}"
    original = _read(lambda: originals.read(photo.pk, photo.original_key))
    if original is None:
        stored_files.note_damage(photo.pk, StoredFile.ORIGINAL)
    head = (original or b"")[:8]
    heif = "heic" if head[4:] == b"ftyp" else "bin"
    ending = next((ending for magic, ending in ENDINGS.items() if head.startswith(magic)), heif)
    yield f"{folder}/original.{ending}", original
    if photo.display_key:
        yield f"{folder}/copy.jpg", _read(lambda: _copy(photo, StoredFile.DISPLAY))
    if photo.full_key:
        yield f"{folder}/full.jpg", _read(lambda: _copy(photo, StoredFile.FULL))


def _copy(photo: Photo, name: StoredFile) -> bytes:
    key, sha256 = (getattr(photo, f"{name}_{part}") for part in ("key", "sha256"))
    return stored_files.read_file(photo.pk, name, key, sha256)


def _read(opened: Any) -> bytes | None:
    try:
        return opened()
    except StorageUnavailableError:  # the download breaks off: the file is not missing
        raise
    except (OSError, LockedOriginalError):
        return None


def _name_files(data: dict[str, Any], written: dict[str, list]) -> None:
    for case in data["cases"]:
        for submission in case["submissions"]:
            for photo in submission["photos"]:
                photo["files"] = written.get(photo["id"], [])


# --- What is in it ----------------------------------------------------------------------------------------
def record_of(person: User) -> dict[str, Any]:
    """Return all of it but the photos' bytes, as export.schema.json has it."""
    # A child's messages went to the guardian.
    messages = Message.objects.filter(event__submission__case__patient=person, channel__in=Channel.values)
    messages = messages.select_related("event")
    return {
        "format": FORMAT,
        "made_at": timezone.now(),
        "person": _person(person),
        "consents": list(
            person.consents.order_by("given_at").values(
                "purpose", "version", "language", "text", "relation", "given_at", "withdrawn_at"
            )
        ),
        "cases": [_case(case) for case in Case.objects.filter(patient=person).order_by("opened_at")],
        "messages": [
            {"title": row.title, **_fields(row, "channel", "created_at", "sent_at", "read_at")}
            for row in messages.order_by("created_at")
        ],
        "looks_at_photos": _looks(person),
        "erasure": Erasure.objects.filter(person=person).values("why", "asked_at", "due_at").first(),
    }


def _person(person: User) -> dict[str, Any]:
    profile = getattr(person, "patient", None)
    wish = Preference.objects.filter(person=person).first()
    addresses = EmailAddress.objects.filter(user=person).order_by("pk")
    factors = Authenticator.objects.filter(user=person).order_by("pk")
    return {
        "id": person.pk,
        "name": person.name,
        "reading": person.reading,
        "guardians": [{"name": row.guardian.name, "relation": row.relation} for row in person.guardians],
        "children": [
            {"id": child.pk, "name": child.name, "relation": child.relation} for child in children_of(person)
        ],
        "email": person.email,
        "addresses": list(addresses.values("email", "verified", "primary")),
        "language": person.language,
        "time_zone": person.time_zone or person.device_time_zone,
        "clinic": person.clinic.name,
        "birth_year": profile and profile.birth_year,
        "birth_date": profile and profile.birth_date,
        "skin_type": profile and profile.skin_type,
        "joined_at": person.date_joined,
        "last_login_at": person.last_login,
        "told_by_email": wish.email if wish else True,
        "second_factors": list(factors.values("type", "created_at", "last_used_at")),
    }


def _case(case: Case) -> dict[str, Any]:
    rows = case.submissions.order_by("created_at").select_related("case")
    return {
        "id": case.pk,
        "number": case.number,
        "body_site": case.body_site,
        "places": [place.as_json() for place in case.body_places],
        "opened_at": case.opened_at,
        "submissions": [_submission(row) for row in rows],
    }


def _submission(row: Submission) -> dict[str, Any]:
    events = row.events.filter(kind__in=TOLD).select_related("actor")
    return {
        **_fields(
            row, "kind", "status", "written_by", "created_at", "submitted_at", "due_at", "answers", "history"
        ),
        "id": row.pk,
        "answer_changes": [
            {key: change[key] for key in ("question", "was", "until")} for change in row.answer_changes
        ],
        "urgency_by_answers": Urgency(row.rule_urgency).code,
        **_fields(row, "photos_wanted", "photos_wanted_place", "photos_wanted_words"),
        "paused_at": row.paused_at,
        "missing_photo": row.missing_photo,
        "photos": [_photo(photo) for photo in row.photos.all()],
        "signed_answers": [
            _answer(review) for review in row.reviews.sent().select_related("author__dermatologist")
        ],
        "questions": [
            {
                **_fields(question, "text", "asked_at", "due_at", "reply", "replied_at"),
                "replied_by": question.replied_by and question.replied_by.name,
            }
            for question in row.questions.select_related("replied_by")
        ],
        "share_links": list(
            row.share_links.values(
                *("with_photos", "created_at", "expires_at", "revoked_at", "times_opened", "last_opened_at")
            )
        ),
        "events": [
            {"kind": event.kind, "at": event.at, "by": event.actor.role if event.actor else "system"}
            for event in events
        ],
    }


def _photo(photo: Photo) -> dict[str, Any]:
    told = (
        "view",
        "place",
        "state",
        "reason",
        "fault",
        "advice",
        "sent_anyway",
        "size",
        "sha256",
        "original_name",
    )
    return {
        "id": str(photo.pk),
        **_fields(photo, *told, "width", "height", "created_at", "removed_at"),
        "files": [],
        # What a dermatologist marked; what the AI says of it stays with the clinic.
        "drawn_crops": list(photo.drawn_crops.values("at", "x", "y", "width", "height", "lesion")),
    }


def _answer(review: Review) -> dict[str, Any]:
    """Return the answer and who signed it, not the reason beside it: that may repeat what the AI said."""
    profile = getattr(review.author, "dermatologist", None)
    return {
        **_fields(
            review,
            "id",
            "impression",
            "diagnosis",
            "icd10",
            "snomed",
            "confidence",
            "disposition",
            "text",
            "today",
            "this_week",
            "next_photo_on",
            "signed_at",
        ),
        "amends": review.corrects,
        "signed_by": {
            "name": review.author.name,
            "title": profile.title if profile else "",
            "licence_number": profile.licence_number if profile else "",
        },
    }


def _looks(person: User) -> list[dict[str, Any]]:
    """Return other people's looks at the photos, by role: who it was is told on the page of each consultation."""
    cases = list(Case.objects.filter(patient=person).values_list("pk", flat=True))
    rows = Entry.objects.filter(cases__overlap=cases, kind="photo", verb=Verb.READ)
    rows = rows.exclude(person__in=[person.pk, *(reader.pk for reader in person.readers)])
    return [{"at": row.at, "by": row.role, "photo": row.object} for row in rows.order_by("number").iterator()]


def _photos(person: User) -> list[Photo]:
    rows = Photo.objects.filter(submission__case__patient=person).select_related("submission__case")
    return list(rows.order_by("created_at", "pk"))


def _fields(row: Any, *names: str) -> dict[str, Any]:
    return {name: getattr(row, name) for name in names}
