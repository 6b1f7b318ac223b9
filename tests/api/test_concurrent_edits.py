"""Two devices edit one draft or one profile: with If-Match no edit overwrites another unnoticed."""

from __future__ import annotations

import threading

import pytest
from django.db import connection
from rest_framework.test import APIClient

from teleder.cases import intake
from tests.api.conftest import API
from tests.api.test_clinic_flow import HERPES

pytestmark = pytest.mark.django_db


@pytest.fixture
def draft(alices_draft) -> str:
    return f"{API}/submissions/{alices_draft.pk}"


def test_the_second_device_is_refused_and_reads_again(caller, alice, draft):
    phone, tablet = caller(alice), caller(alice, "ja")
    seen = {device: device.get(draft).headers["ETag"] for device in (phone, tablet)}
    assert seen[phone] == seen[tablet]  # the language does not change the version
    changed = phone.patch(draft, {"history": {"itch": 7}}, headers={"If-Match": seen[phone]})
    assert changed.status_code == 200
    assert changed.headers["ETag"] == phone.get(draft).headers["ETag"] != seen[phone]
    late = tablet.patch(draft, {"history": {"itch": 2}}, headers={"If-Match": seen[tablet]})
    assert (late.status_code, late.json()["code"]) == (412, "precondition_failed")
    assert phone.get(draft).data["history"] == {"itch": 7}
    again = {"If-Match": tablet.get(draft).headers["ETag"]}
    assert tablet.patch(draft, {"history": {"itch": 2}}, headers=again).status_code == 200


def test_a_body_site_changed_by_another_draft_of_the_case_is_detected(as_alice, alice, alices_draft, draft):
    etag = as_alice.get(draft).headers["ETag"]
    sibling = intake.start(patient=alice, answers=alices_draft.answers, case=alices_draft.case)
    intake.describe(sibling, body_site="hand")
    late = as_alice.patch(draft, {"body_site": "knee"}, headers={"If-Match": etag})
    assert late.status_code == 412


def test_the_analysis_of_a_photo_is_not_a_conflict(as_alice, alices_draft, draft, analyse):
    etag = as_alice.get(draft).headers["ETag"]
    analyse(alices_draft.photos.get(), probabilities=HERPES)
    assert as_alice.patch(draft, {"history": {}}, headers={"If-Match": etag}).status_code == 200


@pytest.mark.parametrize(
    ("form", "status"),
    [
        ("{etag}", 200),
        ('"other", {etag}', 200),
        ("*", 200),
        ('"other"', 412),
        ('W/"other"', 412),
        ("W/{etag}", 412),  # a weak tag never matches (RFC 9110, 13.1.1)
        ("other", 400),
        ("", 400),
    ],
)
def test_each_form_of_if_match_has_its_answer(as_alice, draft, form, status):
    value = form.format(etag=as_alice.get(draft).headers["ETag"])
    answer = as_alice.patch(draft, {"history": {"itch": 3}}, headers={"If-Match": value})
    assert answer.status_code == status
    assert status != 400 or answer.data["errors"][0]["field"] == "If-Match"
    assert (as_alice.get(draft).data["history"] == {"itch": 3}) == (status == 200)


def test_without_if_match_the_change_is_made_as_before(as_alice, draft):
    assert as_alice.patch(draft, {"history": {"itch": 3}}).status_code == 200


def test_a_draft_that_was_sent_in_the_meantime_is_a_conflict(as_alice, alice, alices_draft, draft):
    etag = as_alice.get(draft).headers["ETag"]
    intake.submit(alices_draft, by=alice)
    assert as_alice.patch(draft, {"history": {}}, headers={"If-Match": etag}).status_code == 412
    assert as_alice.patch(draft, {"history": {}}).status_code == 409


def test_the_profile_accepts_if_match_as_well(as_alice, as_dana):
    for client in (as_alice, as_dana):
        etag = client.get(f"{API}/me").headers["ETag"]
        headers = {"If-Match": etag}
        assert client.patch(f"{API}/me", {"language": "ja"}, headers=headers).status_code == 200
        late = client.patch(f"{API}/me", {"email_messages": False}, headers=headers)
        assert (late.status_code, client.get(f"{API}/me").data["email_messages"]) == (412, True)


@pytest.mark.django_db(transaction=True)
def test_only_one_of_eight_devices_with_the_same_version_can_write(alice, alices_draft, as_alice, draft):
    etag = as_alice.get(draft).headers["ETag"]
    statuses: dict[int, int] = {}
    together = threading.Barrier(8)

    def write(itch: int) -> None:
        client = APIClient()
        client.force_authenticate(alice)
        together.wait()
        try:
            answer = client.patch(draft, {"history": {"itch": itch}}, headers={"If-Match": etag})
            statuses[itch] = answer.status_code
        finally:
            connection.close()

    threads = [
        threading.Thread(target=write, args=(itch,)) for itch in (0, 1, 2, 3, 4, 6, 7, 8)
    ]  # 5 is there: it would change nothing
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses.values()) == [200] + [412] * 7
    (winner,) = [itch for itch, status in statuses.items() if status == 200]
    assert as_alice.get(draft).data["history"] == {"itch": winner}
