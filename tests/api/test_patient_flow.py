"""The patient's flow through the API: questions, advice, photos, sending, answer."""

from __future__ import annotations

import hashlib
import threading

import pytest
from django.db import connection
from rest_framework.test import APIClient

from contract.messages import QualityFault, Reason
from teleder.cases import reviews
from teleder.cases.models import Job, Status, Submission
from teleder.notifications import outbox
from tests.api.conftest import API
from tests.conftest import CALM

pytestmark = pytest.mark.django_db
ANSWER = {"impression": "MF", "disposition": "appointment", "text": "I would like to examine a patch."}


def post_photo(client, submission, upload, view="close_up"):
    address = f"{API}/submissions/{submission}/photos"
    return client.post(address, {"view": view, "file": upload}, format="multipart")


def test_alice_completes_the_whole_flow(as_alice, as_dana, photo_file, analyse):
    opened = as_alice.post(f"{API}/submissions", {"answers": CALM})
    assert (opened.status_code, opened.data["urgency"]) == (201, "routine")
    pk = opened.data["id"]
    described = as_alice.patch(
        f"{API}/submissions/{pk}", {"body_site": "elbow_crease", "history": {"itch": 6, "symptoms": ["itch"]}}
    )
    assert described.data["body_site"] == "elbow_crease"
    assert described.data["history"] == {"itch": 6, "symptoms": ["itch"]}
    photo = post_photo(as_alice, pk, photo_file())
    assert (photo.status_code, photo.data["state"]) == (201, "stored")
    refused = as_alice.post(f"{API}/submissions/{pk}/submit", {})
    assert (refused.status_code, refused.json()["code"]) == (409, "photo_reason_missing")
    assert as_alice.post(f"{API}/submissions/{pk}/submit", {"missing_photo": "none"}).status_code == 400
    sent = as_alice.post(f"{API}/submissions/{pk}/submit", {"missing_photo": "reach"})
    assert (sent.status_code, sent.data["status"]) == (202, "submitted")
    assert sent.data["due_at"] and sent.data["case_number"] == opened.data["case_number"]
    assert sent.headers["Location"].endswith(f"{API}/submissions/{pk}/status")
    assert int(sent.headers["Retry-After"]) > 0
    assert "emergencies" in sent.data["receipt"]["title"]

    assert as_dana.post(f"{API}/submissions/{pk}/claim").status_code == 200
    assert as_dana.post(f"{API}/submissions/{pk}/reviews", ANSWER).status_code == 201
    seen = as_alice.get(f"{API}/submissions/{pk}").data
    assert (seen["status"], seen["reviews"][0]["text"]) == ("answered", ANSWER["text"])
    assert seen["reviews"][0]["signed_by"] == {"name": "Dana", "title": "MD", "licence_number": "123456"}


@pytest.mark.parametrize("language,words", [("en", "Get help now"), ("ja", "今すぐ")])
def test_the_emergency_text_is_in_the_response_without_any_worker(caller, alice, settings, language, words):
    settings.REDIS_URL = "redis://127.0.0.1:1/0"  # no server listens there
    opened = caller(alice, language).post(f"{API}/submissions", {"answers": CALM | {"eye_symptoms": "yes"}})
    assert (opened.status_code, opened.data["urgency"]) == (201, "emergency")
    assert words in opened.data["advice"]["title"]
    assert opened.data["advice"]["phone"] == "119"
    assert not Job.objects.exists()


def test_the_questions_are_in_the_language_of_the_request(caller, alice):
    asked = {lang: caller(alice, lang).get(f"{API}/questionnaire").data for lang in ("en", "ja")}
    assert len(asked["en"]["red_flags"]) == 12
    assert asked["en"]["red_flags"][0]["text"].isascii()
    assert not asked["ja"]["red_flags"][0]["text"].isascii()
    assert not any(site["text"].isascii() for site in asked["ja"]["body_sites"])
    assert [q["id"] for q in asked["en"]["history"]][:2] == ["duration", "symptoms"]


def test_the_default_language_is_that_of_the_person(alice):
    alice.language = "ja"
    alice.save()
    client = APIClient()
    client.force_authenticate(alice)
    answer = client.get(f"{API}/questionnaire")
    assert not answer.data["receipt"]["title"].isascii()
    assert answer.headers["Content-Language"] == "ja"


def test_a_repeat_with_the_same_key_is_the_same_submission(as_alice):
    first, second = (
        as_alice.post(f"{API}/submissions", {"answers": CALM}, headers={"Idempotency-Key": "k1"})
        for _ in "ab"
    )
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.data == second.data
    other = as_alice.post(
        f"{API}/submissions", {"answers": CALM | {"fever": "yes"}}, headers={"Idempotency-Key": "k1"}
    )
    assert (other.status_code, other.data["code"]) == (422, "key_reused")


@pytest.mark.django_db(transaction=True)
def test_fifty_taps_open_one_submission(alice):
    statuses = []

    def tap() -> None:
        client = APIClient()
        client.force_authenticate(alice)
        try:
            headers = {"Idempotency-Key": "tap"}
            statuses.append(client.post(f"{API}/submissions", {"answers": CALM}, headers=headers).status_code)
        finally:
            connection.close()

    threads = [threading.Thread(target=tap) for _ in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses == [201] * 50
    assert Submission.objects.count() == 1


def test_a_second_submit_gets_the_same_response(as_alice, alices_draft):
    address = f"{API}/submissions/{alices_draft.pk}/submit"
    first, second = as_alice.post(address, {}), as_alice.post(address, {})
    assert (first.status_code, second.status_code) == (202, 202)
    assert first.data == second.data
    assert alices_draft.events.filter(kind="submitted").count() == 1


@pytest.mark.django_db(transaction=True)
def test_ten_simultaneous_submits_submit_once(alice, alices_draft):
    statuses = []

    def send() -> None:
        client = APIClient()
        client.force_authenticate(alice)
        try:
            statuses.append(client.post(f"{API}/submissions/{alices_draft.pk}/submit", {}).status_code)
        finally:
            connection.close()

    threads = [threading.Thread(target=send) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses == [202] * 10
    assert alices_draft.events.filter(kind="submitted").count() == 1


def test_a_poor_photo_has_one_remedy_and_can_be_sent_anyway(as_alice, alices_draft, analyse):
    photo = alices_draft.photos.get()
    analyse(photo, reason=Reason.POOR_QUALITY, fault=QualityFault.TOO_DARK)
    seen = as_alice.get(f"{API}/submissions/{alices_draft.pk}/photos").data[0]
    assert (seen["state"], seen["fault"]) == ("poor", "too_dark")
    assert "window" in seen["remedy"]
    refused = as_alice.post(f"{API}/submissions/{alices_draft.pk}/submit", {})
    assert (refused.status_code, refused.data["code"]) == (409, "poor_photo")
    kept = as_alice.post(f"{API}/photos/{photo.pk}/send-anyway")
    assert (kept.status_code, kept.data["sent_anyway"]) == (200, True)
    assert as_alice.post(f"{API}/submissions/{alices_draft.pk}/submit", {}).status_code == 202


def test_the_same_file_twice_is_one_photo(as_alice, alices_draft, photo_file):
    same = photo_file().read()
    first = post_photo(as_alice, alices_draft.pk, photo_file(content=same))
    second = post_photo(as_alice, alices_draft.pk, photo_file(content=same))
    assert first.data["id"] == second.data["id"]
    assert alices_draft.current_photos().count() == 2


def test_an_app_sees_by_the_hash_which_photos_have_arrived(as_alice, alices_draft, photo_file):
    sent = photo_file().read()
    post_photo(as_alice, alices_draft.pk, photo_file(content=sent))
    rows = as_alice.get(f"/api/v1/submissions/{alices_draft.pk}/photos").json()
    assert hashlib.sha256(sent).hexdigest() in [row["sha256"] for row in rows]


def test_a_photo_can_be_removed(as_alice, alices_draft):
    photo = alices_draft.photos.get()
    for _ in "ab":
        assert as_alice.delete(f"{API}/photos/{photo.pk}").status_code == 204
    assert as_alice.get(f"{API}/submissions/{alices_draft.pk}/photos").data == []


def test_an_unchanged_status_is_answered_with_304(as_alice, alices_submission, dana):
    address = f"{API}/submissions/{alices_submission.pk}/status"
    first = as_alice.get(address)
    assert first.data["status"] == "submitted"
    again = as_alice.get(address, headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    reviews.claim(alices_submission, by=dana)
    changed = as_alice.get(address, headers={"If-None-Match": first.headers["ETag"]})
    assert (changed.status_code, changed.data["status"]) == (200, "in_review")


def test_alice_withdraws_a_submission_and_sends_it_again(as_alice, alices_submission):
    address = f"{API}/submissions/{alices_submission.pk}"
    assert as_alice.post(f"{address}/withdraw").data["status"] == "withdrawn"
    assert as_alice.post(f"{address}/submit", {}).status_code == 409
    assert as_alice.post(f"{address}/restore").data["status"] == "draft"
    assert as_alice.post(f"{address}/submit", {}).status_code == 202


def test_alice_follows_up(as_alice, alices_submission):
    case = alices_submission.case_id
    opened = as_alice.post(f"{API}/cases/{case}/submissions", {"answers": CALM})
    assert (opened.status_code, opened.data["case"]) == (201, str(case))
    seen = as_alice.get(f"{API}/cases/{case}").data["submissions"]
    assert seen == [opened.data["id"], str(alices_submission.pk)]


def test_lists_are_filtered_and_paginated(as_alice, alice, alices_submission, draft_of):
    drafts = [str(draft_of(alice, photos=0).pk) for _ in range(3)]
    narrowed = as_alice.get(f"{API}/submissions?status=submitted").data["results"]
    assert [row["id"] for row in narrowed] == [str(alices_submission.pk)]
    by_case = as_alice.get(f"{API}/submissions?case={alices_submission.case_id}").data["results"]
    assert [row["id"] for row in by_case] == [str(alices_submission.pk)]
    seen, address = [], f"{API}/submissions?page_size=2"
    while address:
        page = as_alice.get(address).data
        seen += [row["id"] for row in page["results"]]
        address = page["next"]
    assert seen == [*reversed(drafts), str(alices_submission.pk)]


def test_news_is_in_the_inbox(as_alice, as_bob, alices_submission):
    outbox.queue_messages()
    news = as_alice.get(f"{API}/inbox").data["results"]
    assert [row["submission"] for row in news] == [str(alices_submission.pk)]
    assert news[0]["read_at"] is None
    assert as_bob.get(f"{API}/inbox").data["results"] == []
    assert as_alice.post(f"{API}/inbox/read").status_code == 204
    assert as_alice.get(f"{API}/inbox").data["results"][0]["read_at"]


def test_red_flags_and_history_are_stored_unchanged(as_alice, alices_draft):
    assert alices_draft.status == Status.DRAFT
    reported = {"treatment": "ステロイド <b>塗り薬</b>", "duration": "years", "itch": 0}
    answer = as_alice.patch(f"{API}/submissions/{alices_draft.pk}", {"history": reported})
    assert answer.data["history"] == reported


def test_a_list_of_the_history_takes_one_entry_a_line(as_alice, alices_draft):
    reply = as_alice.patch(
        f"{API}/submissions/{alices_draft.pk}", {"history": {"medicines": " pill \n\n inhaler"}}
    )
    assert reply.json()["history"] == {"medicines": "pill\ninhaler"}
    asked = {row["id"]: row for row in as_alice.get(f"{API}/questionnaire").json()["history"]}
    assert asked["medicines"]["kind"] == "list" and asked["medicines"]["suggestions"]
    assert asked["different"]["kind"] == "text" and "suggestions" not in asked["different"]


def test_places_have_sides_and_codes_and_each_photo_names_its_own(
    as_alice, as_dana, alice, draft_of, photo_file
):
    draft = draft_of(alice, photos=0)
    address = f"{API}/submissions/{draft.pk}"
    asked = as_alice.get(f"{API}/questionnaire").json()
    hand = next(row for row in asked["body_sites"] if row["value"] == "hand")
    assert hand == {"value": "hand", "text": "hand", "has_sides": True, "snomed": "33712006"}
    described = as_alice.patch(address, {"places": ["hand.left", "neck"]}).json()
    assert described["body_site"] == "hand"
    assert described["places"] == [
        {
            "id": "hand.left",
            "body_site": "hand",
            "side": "left",
            "text": "hand (left)",
            "snomed": "33712006",
            "laterality": "7771000",
        },
        {
            "id": "neck",
            "body_site": "neck",
            "side": "",
            "text": "neck",
            "snomed": "43081002",
            "laterality": "",
        },
    ]
    both = as_alice.patch(address, {"places": ["hand.both", "neck"]}).json()["places"][0]
    assert (both["id"], both["text"], both["laterality"]) == ("hand.both", "hand (both)", "51440002")
    upload = {"view": "overview", "file": photo_file()}
    refused = as_alice.post(f"{address}/photos", upload, format="multipart")
    assert refused.status_code == 400
    assert refused.json()["errors"][0]["field"] == "place"
    upload = {"view": "overview", "place": "neck", "file": photo_file()}
    kept = as_alice.post(f"{address}/photos", upload, format="multipart")
    assert (kept.status_code, kept.json()["place"]) == (201, "neck")
    sent = as_alice.post(f"{address}/submit", {"missing_photo": "other"})
    assert sent.status_code == 202
    seen = as_dana.get(address).json()
    assert [place["id"] for place in seen["places"]] == ["hand.both", "neck"]
    assert seen["photos"][0]["place"] == "neck"
