"""Lists filter by time, and refuse unknown parameters instead of ignoring them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from django.db import connection
from django.utils import timezone as clock

from contract.messages import QualityFault, Reason
from teleder.cases import intake, reviews
from teleder.cases.models import Photo, Review, Submission
from tests.api.conftest import API
from tests.conftest import rewrite

pytestmark = pytest.mark.django_db
ANSWER = {"impression": "AD", "disposition": "today", "text": "Please see a doctor today."}
TOKYO = timezone(timedelta(hours=9))


def database_time() -> datetime:
    with connection.cursor() as cursor:  # a test is one transaction, in which `now()` is constant
        cursor.execute("SELECT clock_timestamp()")
        return cursor.fetchone()[0]


def ids(client, path: str, **query) -> list[str]:
    answer = client.get(f"{API}/{path}", query)
    assert answer.status_code == 200, answer.content
    return [row["id"] for row in answer.data["results"]]


def test_every_step_of_a_submission_is_an_update(
    as_alice, as_dana, alice, dana, alices_draft, analyse, photo_file
):
    """Each step separately: a client that asks for updates may miss none."""
    photos = alices_draft.photos

    def poor() -> None:
        analyse(photos.first(), reason=Reason.POOR_QUALITY, fault=QualityFault.TOO_DARK)

    steps = {
        "history": lambda: intake.describe(alices_draft, history={"itch": 1}),
        "place": lambda: intake.describe(alices_draft, body_site="hand"),
        "photo checked": poor,
        "sent anyway": lambda: intake.send_anyway(photos.first()),
        "photo added": lambda: intake.add_photo(alices_draft, view="other", upload=photo_file()),
        "photo removed": lambda: intake.remove_photo(photos.last()),
        "submitted": lambda: intake.submit(alices_draft, by=alice),
        "claimed": lambda: reviews.claim(alices_draft, by=dana),
        "kept": lambda: reviews.keep_claim(alices_draft, by=dana),
        "signed": lambda: reviews.sign(alices_draft, by=dana, **ANSWER),
        "amended": lambda: reviews.amend(alices_draft, by=dana, **ANSWER),
        "closed": lambda: reviews.close(alices_draft, by=dana),
    }
    missed = []
    for name, step in steps.items():
        since = database_time()
        assert ids(as_alice, "submissions", updated_since=since.isoformat()) == []
        step()
        found = ids(as_alice, "submissions", updated_since=since.isoformat())
        missed += [name] if found != [str(alices_draft.pk)] else []
        cases = ids(as_alice, "cases", updated_since=since.isoformat())
        missed += [f"{name}, by case"] if cases != [str(alices_draft.case_id)] else []
    assert missed == []


def test_findings_are_an_update_and_new_keys_are_not(as_dana, alices_submission, analyse):
    since = database_time().isoformat()
    Photo.objects.update(sealed_by="new")
    assert ids(as_dana, "worklist", updated_since=since) == []
    analyse(alices_submission.photos.get())
    assert ids(as_dana, "worklist", updated_since=since) == [str(alices_submission.pk)]
    (row,) = as_dana.get(f"{API}/worklist").data["results"]
    assert row["updated_at"] > since


def test_answered_since_finds_signed_and_amended_answers(as_dana, as_alice, dana, alice, submission_of):
    waiting, old, new = (submission_of(alice) for _ in range(3))
    for submission in (old, new):
        reviews.claim(submission, by=dana)
        reviews.sign(submission, by=dana, **ANSWER)
    rewrite(Review.objects.filter(submission=old), signed_at=clock.now() - timedelta(days=2))
    yesterday = (clock.now() - timedelta(days=1)).isoformat()
    for client in (as_dana, as_alice):
        assert ids(client, "submissions", answered_since=yesterday) == [str(new.pk)]
        assert ids(client, "cases", answered_since=yesterday) == [str(new.case_id)]
    assert ids(as_dana, "worklist", answered_since=yesterday) == []
    reviews.amend(old, by=dana, **ANSWER)
    assert ids(as_dana, "submissions", answered_since=yesterday) == [str(new.pk), str(old.pk)]
    assert ids(as_dana, "submissions", answered_since=yesterday, status="submitted") == []
    assert str(waiting.pk) in ids(as_dana, "submissions")


def test_bob_cannot_find_alices_submissions_by_time(as_bob, alices_submission):
    assert ids(as_bob, "submissions", updated_since="2000-01-01T00:00:00Z") == []
    assert ids(as_bob, "cases", updated_since="2000-01-01T00:00:00Z") == []


def test_pages_keep_their_filter_while_rows_change(as_alice, alice, submission_of):
    rows = [submission_of(alice) for _ in range(5)]
    page = as_alice.get(f"{API}/submissions", {"updated_since": "2000-01-01T00:00:00Z", "page_size": 2}).data
    seen = [row["id"] for row in page["results"]]
    while page["next"]:
        assert "updated_since" in page["next"]
        Submission.objects.filter(pk=rows[0].pk).update(
            photos_wanted=""
        )  # the update does not change the order
        page = as_alice.get(page["next"]).data
        seen += [row["id"] for row in page["results"]]
    assert seen == [str(row.pk) for row in reversed(rows)]


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-28T09:00:00Z",
        "2026-11-28T18:00:00+09:00",
        "2026-11-28t09:00:00.000000z",
        "2026-11-28T09:00:00.0000000001Z",
        "2026-11-27T21:00:00-12:00",
    ],
)
def test_a_time_is_accepted_in_each_format(as_alice, alices_submission, text):
    moment = datetime(2026, 11, 28, 9, tzinfo=UTC)
    assert moment.astimezone(TOKYO).hour == 18
    workflow_time = {"submission": alices_submission, "author": alices_submission.patient, **REVIEW}
    Review.objects.create(**workflow_time, signed_at=moment)
    assert ids(as_alice, "submissions", answered_since=text) == [str(alices_submission.pk)]
    rewrite(Review.objects.all(), signed_at=moment - timedelta(microseconds=1))
    assert ids(as_alice, "submissions", answered_since=text) == []


REVIEW = {"impression": "AD", "disposition": "today", "text": "x", "triage_urgency": 0, "urgency": 3}


@pytest.mark.parametrize("name", ["updated_since", "answered_since"])
@pytest.mark.parametrize(
    "text",
    [
        "",
        "yesterday",
        "2026-11-28",
        "2026-11-28T09:00:00",  # of which place?
        "2026-11-28T18:00:00 09:00",  # a plus sign that was not written %2B
        "2026-11-28 09:00:00Z",
        "2026-02-30T09:00:00Z",
        "2026-11-28T24:00:01Z",
        "20261128T090000Z",
        "2026-W48-6T09:00:00Z",
        "1795856400",
        "２０２６-11-28T09:00:00Z",
        "0000-01-01T00:00:00Z",
        "2026-11-28T09:00:00+99:00",
    ],
)
def test_an_invalid_time_is_refused_by_name(as_alice, name, text):
    answer = as_alice.get(f"{API}/submissions", {name: text})
    assert (answer.status_code, answer.data["errors"][0]["field"]) == (400, name)


@pytest.mark.parametrize("text", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00"])
def test_extreme_times_cause_no_error(as_alice, text):
    assert as_alice.get(f"{API}/submissions", {"updated_since": text}).status_code == 200


LISTS = {
    "cases": "answered_since, cursor, page_size, updated_since",
    "submissions": "answered_since, case, cursor, page_size, status, updated_since",
    "submissions/{pk}/photos": "–",
    "submissions/{pk}/reviews": "–",
    "submissions/{pk}/findings": "–",
    "inbox": "cursor, page_size",
    "worklist": "answered_since, cursor, page_size, snoozed, updated_since",
    "jobs": "cursor, page_size, stage, state",
    "queues": "–",
    "consents": "–",
}


@pytest.mark.parametrize("path", LISTS)
@pytest.mark.parametrize("query", ["updated=1", "Status=draft", "%E7%9A%AE=1", "page%5Fsize%20=1"])
def test_a_list_refuses_unknown_parameters_and_names_the_known_ones(
    as_alice, as_adam, alices_submission, path, query
):
    client = as_alice if path == "consents" else as_adam
    address = f"{API}/{path.format(pk=alices_submission.pk)}"
    assert client.get(address).status_code == 200
    refused = client.get(f"{address}?{query}")
    assert refused.status_code == 400
    assert refused.data["errors"][0]["message"].endswith(f"Allowed here: {LISTS[path]}.")


@pytest.mark.parametrize(
    "query",
    [
        "status=draft&status=closed",
        "cursor=a&cursor=b",
        "status=",
        "status=Draft",
        "case=",
        "case=1",
        "page_size=x",
    ],
)
def test_an_invalid_or_repeated_value_is_refused_by_name(as_alice, query):
    refused = as_alice.get(f"{API}/submissions?{query}")
    assert (refused.status_code, refused.data["errors"][0]["field"]) == (400, query.partition("=")[0])
