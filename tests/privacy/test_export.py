"""Carol's export is complete and documented, has only her own data, and has no result of the AI."""

from __future__ import annotations

import io
import json
import zipfile
from hashlib import sha256

import jsonschema
import pytest
from django.test import RequestFactory

from teleder.accounts.models import Purpose
from teleder.accounts.people import give_consent
from teleder.cases import consents, intake
from teleder.cases.answers import record_answer
from teleder.cases.files import serve
from teleder.cases.models import Photo, Submission
from teleder.cases.originals import RefusedError
from teleder.privacy import erasure, export
from teleder.privacy.models import Why
from tests.privacy.conftest import CANARY, PHOTO, photo_folder

pytestmark = pytest.mark.django_db


def opened(person) -> tuple[zipfile.ZipFile, dict]:
    content = b"".join(export.answer(person).streaming_content)
    archive = zipfile.ZipFile(io.BytesIO(content))
    assert archive.testzip() is None
    return archive, json.loads(archive.read("data.json"))


def test_the_data_match_the_schema(carol):
    erasure.ask(carol, why=Why.REQUEST)
    archive, data = opened(carol)
    schema = json.loads(archive.read("schema.json"))
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(data, schema, format_checker=jsonschema.FormatChecker())
    assert data["erasure"]["why"] == "request"


def test_a_corrected_answer_is_in_the_export_and_fits_the_schema(carol):
    draft = Submission.objects.get(case__patient=carol, status="draft")
    for value in ("yes", "no"):
        record_answer(draft, question="fever", value=value)
    archive, data = opened(carol)
    jsonschema.validate(data, json.loads(archive.read("schema.json")))
    (change,) = data["cases"][1]["submissions"][0]["answer_changes"]
    assert (change["question"], change["was"]) == ("fever", "yes")


def test_the_export_contains_all_her_data(carol, client, dana):
    photo = Photo.objects.filter(submission__case__patient=carol).order_by("created_at").first()
    client.force_login(dana)
    assert client.get(f"/photos/{photo.pk}/display/").status_code == 200
    archive, data = opened(carol)
    first, second = (each["submissions"][0] for each in data["cases"])
    assert data["person"]["email"] == carol.email
    assert {row["purpose"] for row in data["consents"]} == {"care", "ai", "training"}
    assert [row["withdrawn_at"] is None for row in data["consents"]].count(False) == 1
    assert first["signed_answers"][0]["text"] == f"{CANARY}-answer"
    assert first["signed_answers"][0]["signed_by"] == {
        "name": "Dana",
        "title": "MD",
        "licence_number": "123456",
    }
    assert [row["text"] for row in first["questions"]] == [f"{CANARY}-question"]
    assert [row["with_photos"] for row in first["share_links"]] == [True]
    kinds = ["opened", "submitted", "claimed", "signed", "asked_back"]
    assert [event["kind"] for event in first["events"]] == kinds
    assert second["status"] == "draft"
    assert f"{CANARY}-history" in str(first["history"])
    assert len(data["messages"]) == 4  # two events by inbox and by mail
    assert [(row["by"], row["photo"]) for row in data["looks_at_photos"]] == [
        ("dermatologist", str(photo.pk))
    ]
    files = {file["name"]: file for file in first["photos"][0]["files"]}
    original = next(name for name in files if name.endswith("original.jpg"))
    assert archive.read(original) == PHOTO
    assert files[original]["sha256"] == sha256(PHOTO).hexdigest()
    assert archive.read(original.replace("original", "copy")) == f"{CANARY}-display.jpg".encode()
    assert "phone wrote into it" in archive.read("README.txt").decode()


def test_the_export_contains_no_data_of_other_people_and_no_ai_results(carol, bob, adam, noel, submission_of):
    submission_of(bob)
    archive, data = opened(carol)
    text = json.dumps(data)
    for other in (bob, adam, noel):
        assert str(other.pk) not in text
        assert other.email not in text
    assert str(data).count("Dana") == 1
    for word in (
        "probabilit",
        "threshold",
        "mask",
        "attribution",
        "urgency_raised",
        "ai_done",
        "HI",
        "-court",
    ):
        assert word not in text, word
    assert not [name for name in archive.namelist() if "mask" in name or "attribution" in name]


def test_a_missing_photo_file_is_named_and_does_not_stop_the_export(carol):
    photo = Photo.objects.filter(submission__case__patient=carol).first()
    for path in photo_folder(photo).rglob("copy*"):
        path.unlink()
    next(path for path in photo_folder(photo).glob("original/*")).unlink()
    archive, data = opened(carol)
    files = [file for case in data["cases"] for file in case["submissions"][0]["photos"][0]["files"]]
    assert sum("missing" in file for file in files) == 1


def test_a_hostile_file_name_is_never_used_as_a_path(alice, draft_of, photo_file):
    submission = draft_of(alice, photos=0)
    intake.add_photo(submission, view="other", upload=photo_file())
    Photo.objects.update(original_name="../../etc/passwd")
    archive, data = opened(alice)
    assert data["cases"][0]["submissions"][0]["photos"][0]["original_name"] == "../../etc/passwd"
    assert not [name for name in archive.namelist() if ".." in name]


def test_each_photo_is_kept_in_memory_only_while_it_is_written(alice, draft_of, monkeypatch):
    submission = draft_of(alice, photos=6)
    pieces = [len(piece) for piece in export.pack(export.record_of(alice), export._photos(alice))]
    assert len(pieces) == 6 + 1
    assert submission.photos.count() == 6


# --- Consent that is withdrawn ----------------------------------------------------------------------------
def test_after_withdrawn_consent_to_ai_only_people_read_the_photos(alice, submission_of):
    submission = submission_of(alice)
    consents.withdraw_consent(alice, Purpose.AI)
    submission.refresh_from_db()
    assert (submission.ai_status, submission.status) == ("not_used", "submitted")
    give_consent(alice, Purpose.AI)
    assert alice.consents.count() == 3


def test_after_withdrawn_consent_to_care_alice_can_still_read_and_download(
    alice, submission_of, stored, analyse
):
    submission = submission_of(alice)
    analyse(submission.photos.get())
    stored(submission.photos.get())
    consents.withdraw_consent(alice, Purpose.CARE)
    request = RequestFactory().get("/")
    request.user = alice
    assert serve(request, submission.photos.get().pk, "display").status_code == 200
    assert opened(alice)[1]["consents"][0]["withdrawn_at"]
    with pytest.raises(RefusedError):
        intake.start(patient=alice, answers=submission.answers)
