"""Dana and Adam use the API, and what Alice must not see."""

from __future__ import annotations

import json

import pytest
from django.core import signing

from teleder.cases import intake, reviews
from teleder.cases.answers import record_answer
from teleder.cases.models import Job, JobState, Precedence, Submission
from tests.api.conftest import API

pytestmark = pytest.mark.django_db
ANSWER = {"impression": "HI", "disposition": "today", "text": "Please see a doctor today."}
HERPES = {"AD": 0.1, "HI": 0.8, "IM": 0.05, "MF": 0.02, "OTHER": 0.03}


@pytest.fixture
def read(alices_submission, analyse):
    """Alice's submission, read by the AI: herpes over its threshold."""
    analyse(alices_submission.photos.get(), probabilities=HERPES)
    alices_submission.refresh_from_db()
    return alices_submission


def test_dana_sees_it_on_the_worklist_while_the_ai_still_reads(as_dana, alices_submission):
    (row,) = as_dana.get(f"{API}/worklist").data["results"]
    assert (row["id"], row["ai_status"], row["claimed_by"]) == (str(alices_submission.pk), "waiting", None)


def test_the_worklist_is_paginated_by_urgency_then_due_time(as_dana, alice, bob, submission_of, monkeypatch):
    monkeypatch.setattr("teleder.api.pagination.PAGE_ROWS", 2)
    calm = [submission_of(alice) for _ in range(4)]
    urgent = submission_of(bob, fever="yes")
    seen, address = [], f"{API}/worklist"
    while address:
        page = as_dana.get(address).data
        seen += [row["id"] for row in page["results"]]
        address = page["next"]
    assert seen == [str(row.pk) for row in (urgent, *calm)]


def test_the_pages_keep_inconclusive_cases_before_the_others(as_dana, alice, submission_of):
    made = [submission_of(alice) for _ in range(4)]
    Submission.objects.filter(pk__in=[made[0].pk, made[2].pk]).update(ai_precedence=Precedence.NONE)
    seen, address = [], f"{API}/worklist?page_size=1"
    while address:
        page = as_dana.get(address).data
        seen += [row["id"] for row in page["results"]]
        address = page["next"]
    assert seen == [str(made[number].pk) for number in (1, 3, 0, 2)]


EARLIER_CURSOR = signing.dumps([0, "2026-11-28T00:00:00+00:00", "x"], compress=True)


@pytest.mark.parametrize("cursor", ["abc", EARLIER_CURSOR], ids=["forged", "of an earlier version"])
def test_a_forged_cursor_and_one_of_an_earlier_version_are_refused(as_dana, cursor):
    answer = as_dana.get(f"{API}/worklist", {"cursor": cursor})
    assert (answer.status_code, answer.data["errors"][0]["field"]) == (400, "cursor")


def test_dana_completes_a_review(as_dana, as_alice, dana, read):
    address = f"{API}/submissions/{read.pk}"
    assert as_dana.post(f"{address}/claim").data["claimed_by"]["id"] == str(dana.pk)
    assert as_dana.post(f"{address}/claim").status_code == 200  # a repeat
    assert as_dana.post(f"{address}/keep-claim").status_code == 204
    assert as_dana.get(f"{address}/findings").status_code == 409
    kept = as_dana.post(f"{address}/impression", {"impression": "HI"})
    assert (kept.status_code, kept.data["independent"], kept.data["ai_is_open"]) == (200, "HI", True)
    (analysis,) = as_dana.get(f"{address}/findings").data
    # A demonstration model names nothing: no probability of a condition, and no condition of its heat map.
    assert (analysis["findings"], analysis["views"], analysis["thresholds"]) == ([], [], {})
    assert (analysis["top"], analysis["attribution_condition"], analysis["attribution_box"]) == ("", "", None)
    assert [row["condition"] for row in analysis["alarms"]] == ["HI"]
    assert analysis["classification_model"]["version"] and analysis["boxes"]
    signed = as_dana.post(f"{address}/reviews", ANSWER)
    assert (signed.status_code, signed.data["impression"]) == (201, "HI")
    changed = as_dana.post(f"{address}/amendments", ANSWER | {"text": "Corrected."})
    assert (changed.status_code, str(changed.data["amends"])) == (201, signed.data["id"])
    assert [row["text"] for row in as_alice.get(f"{address}/reviews").data] == [
        "Corrected.",
        ANSWER["text"],
    ]
    assert as_dana.post(f"{address}/close").data["status"] == "closed"


def test_dana_reads_which_answer_was_corrected(as_dana, alice, alices_draft):
    for value in ("yes", "no"):
        record_answer(alices_draft, question="fever", value=value)
    intake.submit(alices_draft, by=alice)
    read = as_dana.get(f"{API}/submissions/{alices_draft.pk}").data
    (change,) = read["answer_changes"]
    assert (change["question"], change["was"], read["answers"]["fever"]) == ("fever", "yes", "no")
    assert "level" not in change and read["rule_urgency"] == "days_2"


def test_a_milder_answer_needs_a_reason(as_dana, dana, alice, submission_of):
    submission = submission_of(alice, fever="yes")
    reviews.claim(submission, by=dana)
    refused = as_dana.post(
        f"{API}/submissions/{submission.pk}/reviews", ANSWER | {"disposition": "self_care"}
    )
    assert (refused.status_code, refused.data["errors"][0]["field"]) == (400, "reason")


def test_only_the_claiming_dermatologist_can_sign_and_release(caller, person, dana, alices_submission):
    reviews.claim(alices_submission, by=dana)
    other = caller(person("dora", "dermatologist"))
    address = f"{API}/submissions/{alices_submission.pk}"
    for verb, body in (("reviews", ANSWER), ("claim", {}), ("release", {}), ("keep-claim", {})):
        answer = other.post(f"{address}/{verb}", body)
        assert (answer.status_code, answer.data["code"]) == (409, "illegal_move"), verb
    assert caller(dana).post(f"{address}/release").data["status"] == "submitted"


def test_photos_can_be_requested_except_for_same_day_cases(as_dana, as_alice, dana, alice, submission_of):
    calm, urgent = submission_of(alice), submission_of(alice, fever="yes")
    for submission in (calm, urgent):
        reviews.claim(submission, by=dana)
    asked = as_dana.post(f"{API}/submissions/{calm.pk}/request-photos", {"reason": "blurred"})
    assert asked.data["status"] == "needs_photos"
    assert "blurred" in as_alice.get(f"{API}/submissions/{calm.pk}").data["photos_wanted_text"]
    refused = as_dana.post(f"{API}/submissions/{urgent.pk}/request-photos", {"reason": "blurred"})
    assert (refused.status_code, refused.data["code"]) == (409, "same_day")


def test_no_ai_result_reaches_alice(as_alice, as_dana, read, stored):
    assert read.urgency > read.rule_urgency  # the AI raised it
    stored(read.photos.get())
    photo = read.photos.get().pk
    texts = [
        json.dumps(as_alice.get(f"{API}{path}").json())
        for path in (
            f"/submissions/{read.pk}",
            f"/submissions/{read.pk}/status",
            f"/submissions/{read.pk}/photos",
            f"/submissions/{read.pk}/reviews",
            f"/photos/{photo}",
            f"/cases/{read.case_id}",
            "/submissions",
            "/cases",
        )
    ]
    said = " ".join(texts)
    words = [
        "finding",
        "probabilit",
        "mask",
        "attribution",
        "flags",
        "analysis",
        "quality",
        "threshold",
        "impression",
        "abstention",
        "verdict",
        "alarm",
        "spot_check",
        "inconclusive",
        '"HI"',  # a case number may hold the letters
        "herpes",
        ": 0.8",  # a time may hold the digits
        "demonstration",
        "boxes",
        "lesion",
    ]
    assert [word for word in words if word in said] == []
    assert as_alice.get(f"{API}/submissions/{read.pk}").data["urgency"] == "routine"
    assert as_alice.get(f"{API}/submissions/{read.pk}/findings").status_code == 403
    assert as_alice.get(f"{API}/photos/{photo}/mask").status_code == 404
    assert as_alice.get(f"{API}/photos/{photo}/attribution").status_code == 404
    as_dana.post(f"{API}/submissions/{read.pk}/impression", {"impression": ""})
    shown = as_dana.get(f"{API}/submissions/{read.pk}").data
    assert (shown["urgency"], shown["flags"][0]["code"]) == ("same_day", "HI")
    assert {"mask", "attribution"} < shown["photos"][0]["files"].keys()


def test_clinicians_read_the_verdict_and_patients_never(as_alice, as_dana, caller, adam, read):
    address = f"{API}/submissions/{read.pk}"
    as_dana.post(f"{address}/impression", {"impression": "AD"})
    for clinician in (as_dana, caller(adam)):
        verdict = clinician.get(address).data["verdict"]
        assert (verdict["kind"], verdict["reason"], verdict["named"]) == ("cannot_rule_out", "", None)
        (alarm,) = verdict["alarms"]
        assert (alarm["condition"], alarm["level"], alarm["estimate"]["n"]) == ("HI", "same_day", 402)
        assert verdict["chip"] == "sooner" and alarm["false_alarms"]["n"] > 0
        assert verdict["sentence"] == "The AI cannot rule out herpesvirus infection."
    assert "verdict" not in as_alice.get(address).data
    (analysis,) = as_dana.get(f"{address}/findings").data
    assert [row["condition"] for row in analysis["alarms"]] == ["HI"] and analysis["plausible"] == []


def test_files_have_our_content_type_and_are_not_cached(as_alice, as_dana, as_bob, read, stored):
    photo = read.photos.get()
    stored(photo)
    as_dana.post(f"{API}/submissions/{read.pk}/impression", {"impression": "AD"})
    for client, kind, content, media in (
        (as_alice, "display", b"display", "image/jpeg"),
        (as_alice, "thumbnail", b"thumbnail", "image/jpeg"),
        (as_dana, "mask", b"mask", "image/png"),
        (as_dana, "attribution", b"attribution", "image/png"),
    ):
        answer = client.get(f"{API}/photos/{photo.pk}/{kind}")
        assert (answer.status_code, b"".join(answer.streaming_content)) == (200, content)
        assert answer.headers["Content-Type"] == media
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert "no-store" in answer.headers["Cache-Control"]
        assert answer.headers["Content-Security-Policy"] == "default-src 'none'; sandbox"
    for accepted in ("image/*", "image/jpeg", "image/avif,image/webp,*/*;q=0.8"):
        asked = client.get(f"{API}/photos/{photo.pk}/mask", headers={"Accept": accepted})
        assert asked.status_code == 200
        refused = as_bob.get(f"{API}/photos/{photo.pk}/mask", headers={"Accept": accepted})
        assert (refused.status_code, refused.headers["Content-Type"]) == (404, "application/problem+json")
    for kind in ("mask", "attribution"):
        assert as_alice.get(f"{API}/photos/{photo.pk}/{kind}").status_code == 404
    for kind in ("display", "mask", "attribution", "original", "analysis"):
        assert as_bob.get(f"{API}/photos/{photo.pk}/{kind}").status_code == 404
    assert as_dana.get(f"{API}/photos/{photo.pk}/original").status_code == 404


@pytest.mark.parametrize("key", ["../../secret.jpg", "/etc/hostname", "", "photos/no.jpg", "photos/x.svg"])
def test_a_key_never_leads_outside_the_storage(as_alice, alices_submission, settings, key):
    settings.MEDIA_ROOT.mkdir(parents=True, exist_ok=True)
    (settings.MEDIA_ROOT.parent.parent / "secret.jpg").write_bytes(b"secret")
    photo = alices_submission.photos.get()
    type(photo).objects.filter(pk=photo.pk).update(display_key=key)
    assert as_alice.get(f"{API}/photos/{photo.pk}/display").status_code == 404


def test_only_the_patient_sees_a_draft(as_dana, as_adam, alices_draft):
    for client in (as_dana, as_adam):
        assert client.get(f"{API}/submissions/{alices_draft.pk}").status_code == 404
        assert client.get(f"{API}/submissions").data["results"] == []
        assert client.get(f"{API}/cases").data["results"] == []


def test_adam_sees_jobs_and_requeues_or_cancels_them(as_adam, alices_submission):
    (job,) = as_adam.get(f"{API}/jobs?state=queued&stage=prepare").data["results"]
    assert job["submission"] == str(alices_submission.pk)
    assert as_adam.post(f"{API}/jobs/{job['id']}/requeue").status_code == 409
    assert as_adam.post(f"{API}/jobs/{job['id']}/cancel").data["state"] == "cancelled"
    assert as_adam.post(f"{API}/jobs/{job['id']}/cancel").status_code == 409
    assert as_adam.post(f"{API}/jobs/{job['id']}/requeue").data["state"] == "queued"
    assert as_adam.get(f"{API}/jobs?state=nonsense").status_code == 400


def test_adam_sees_the_size_and_age_of_the_backlog(as_adam, alices_submission):
    queues = {row["stage"]: row for row in as_adam.get(f"{API}/queues").data}
    assert queues["prepare"]["jobs"][JobState.QUEUED] == 1
    assert queues["prepare"]["oldest"] is not None
    assert queues["analyse"]["oldest"] is None
    assert Job.objects.count() == 1


def test_adam_assigns_it_to_dana_and_reopens_it(as_adam, as_dana, dana, alice, alices_submission):
    address = f"{API}/submissions/{alices_submission.pk}"
    refused = as_adam.post(f"{address}/reassign", {"to": str(alice.pk)})
    assert (refused.status_code, refused.data["code"]) == (422, "not_a_dermatologist")
    assert as_adam.post(f"{address}/reassign", {"to": str(dana.pk)}).data["claimed_by"]["id"] == str(dana.pk)
    assert as_dana.post(f"{address}/reviews", ANSWER).status_code == 201
    assert as_adam.post(f"{address}/reopen").data["status"] == "submitted"
    assert as_adam.post(f"{address}/withdraw").data["status"] == "withdrawn"
    assert Submission.objects.get().events.last().actor.role == "admin"


def test_a_snoozed_case_is_off_the_list_and_in_a_list_of_its_own(as_dana, alices_submission):
    address = f"{API}/submissions/{alices_submission.pk}/snooze"
    row = as_dana.post(address, {"length": "hour", "reason": "phoning"}).data
    assert row["snoozed_until"] and row["snooze_reason"] == "phoning" and not row["overdue"]
    assert as_dana.get(f"{API}/worklist").data["results"] == []
    (found,) = as_dana.get(f"{API}/worklist", {"snoozed": "true"}).data["results"]
    assert found["id"] == str(alices_submission.pk)
    assert as_dana.delete(address).data["snoozed_until"] is None
    assert as_dana.delete(address).status_code == 409


def test_an_urgent_case_is_not_snoozed(as_dana, alice, submission_of):
    urgent = submission_of(alice, fever="yes", grouped_blisters="yes")
    given = {"length": "hour", "reason": "time"}
    refused = as_dana.post(f"{API}/submissions/{urgent.pk}/snooze", given)
    assert (refused.status_code, refused.data["code"]) == (409, "same_day")


def test_dana_gives_a_free_case_to_erik_but_not_what_another_has(as_dana, person, alice, submission_of):
    erik, mori = person("erik", "dermatologist"), person("mori", "dermatologist")
    free, theirs = submission_of(alice), submission_of(alice)
    reviews.claim(theirs, by=mori)
    given = {"to": str(erik.pk)}
    assert as_dana.post(f"{API}/submissions/{free.pk}/reassign", given).data["claimed_by"]["id"] == str(
        erik.pk
    )
    refused = as_dana.post(f"{API}/submissions/{theirs.pk}/reassign", given)
    assert (refused.status_code, refused.data["code"]) == (409, "claimed_by_another")
