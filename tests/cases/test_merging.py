"""Two cases of one patient become one: nothing that was sent is lost, and the earlier due time holds."""

from __future__ import annotations

from datetime import timedelta
from threading import Thread

import pytest
from django.db import connection, transaction

from drills.client import calm
from teleder.audit.models import Entry
from teleder.cases import intake, invariants, merging, reviews
from teleder.cases.models import Case, EventKind, Photo, Submission
from teleder.cases.originals import RefusedError
from teleder.privacy import erasure

pytestmark = pytest.mark.django_db
ANSWER = {"impression": "AD", "disposition": "self_care", "text": "It looks like a flare of your eczema."}


@pytest.fixture
def twice(alice, submission_of) -> tuple[Submission, Submission]:
    """Alice sent the same concern twice: two photos, then one; the second is due earlier."""
    first, second = submission_of(alice, photos=2), submission_of(alice)
    Submission.objects.filter(pk=second.pk).update(due_at=first.due_at - timedelta(hours=3))
    second.refresh_from_db()
    return first, second


def test_both_sets_of_photos_stay_and_the_earlier_due_time_holds(twice, adam):
    first, second = twice
    photos, answers = set(Photo.objects.values_list("pk", flat=True)), [first.answers, second.answers]
    merging.merge(second.case, into=first.case, by=adam)
    assert set(Photo.objects.filter(submission__case=first.case).values_list("pk", flat=True)) == photos
    assert len(photos) == 3
    rows = list(first.case.submissions.order_by("created_at"))
    assert [row.due_at for row in rows] == [second.due_at] * 2
    assert [row.answers for row in rows] == answers
    assert list(invariants.cases_that_were_merged_are_empty_and_lead_to_one_in_force()) == []


def test_a_later_due_time_does_not_delay_the_earlier_one(twice, adam):
    first, second = twice
    merging.merge(first.case, into=second.case, by=adam)
    assert set(Submission.objects.values_list("due_at", flat=True)) == {second.due_at}


def test_what_was_answered_keeps_its_due_time_and_hastens_nothing(twice, adam, dana):
    first, second = twice
    reviews.claim(second, by=dana)
    reviews.sign(second, by=dana, **ANSWER)
    merging.merge(second.case, into=first.case, by=adam)
    due = dict(Submission.objects.values_list("pk", "due_at"))
    assert due == {first.pk: first.due_at, second.pk: second.due_at}
    assert second.reviews.get().text == ANSWER["text"]


def test_the_record_names_both_cases_and_who_merged_them(twice, adam):
    first, second = twice
    merging.merge(second.case, into=first.case, by=adam)
    moved, kept = second.events.get(kind=EventKind.MERGED), first.events.get(kind=EventKind.MERGED)
    assert (moved.actor, moved.detail["from"], moved.detail["into"]) == (
        adam,
        second.case.number,
        first.case.number,
    )
    assert kept.detail["due_before"] == first.due_at.isoformat()  # its due time moved
    assert "due_before" not in moved.detail


def test_the_case_has_the_places_of_both_and_each_photo_its_own(twice, adam):
    first, second = twice
    for each, site, side in ((first, "hand", "left"), (second, "neck", "")):
        places = [{"site": site, "side": side}]
        Case.objects.filter(pk=each.case_id).update(body_site=site, places=places)
    Photo.objects.update(place="")  # as a case with one place had them
    merging.merge(second.case, into=first.case, by=adam)
    case = Case.objects.get(pk=first.case_id)
    assert [str(place) for place in case.body_places] == ["hand.left", "neck"]
    shown = set(Photo.objects.values_list("submission", "place"))
    assert shown == {(first.pk, "hand.left"), (second.pk, "neck")}


def test_cases_of_two_people_are_never_merged(alice, bob, adam, submission_of):
    one, other = submission_of(alice), submission_of(bob)
    with pytest.raises(RefusedError, match="same patient"):
        merging.merge(one.case, into=other.case, by=adam)
    assert {one.case.submissions.count(), other.case.submissions.count()} == {1}


def test_a_case_is_merged_once_and_not_into_itself(twice, alice, adam, submission_of):
    first, second = twice
    merging.merge(second.case, into=first.case, by=adam)
    third = submission_of(alice)
    for case, into in ((second.case, third.case), (third.case, second.case), (third.case, third.case)):
        with pytest.raises(RefusedError):
            merging.merge(Case.objects.get(pk=case.pk), into=Case.objects.get(pk=into.pk), by=adam)


def test_the_number_of_a_merged_case_leads_to_the_last_one(twice, alice, adam, submission_of):
    first, second = twice
    third = submission_of(alice)
    merging.merge(second.case, into=first.case, by=adam)
    merging.merge(first.case, into=third.case, by=adam)
    for person in (alice, adam):
        for pk in (first.case_id, second.case_id, third.case_id):
            assert Case.objects.visible_to(person).known_as(pk).get() == third.case
    assert list(Case.objects.visible_to(alice)) == [third.case]
    assert list(invariants.cases_that_were_merged_are_empty_and_lead_to_one_in_force()) == []


def test_a_follow_up_to_a_merged_case_is_one_to_the_other(twice, alice, adam):
    first, second = twice
    merging.merge(second.case, into=first.case, by=adam)
    follow_up = intake.start(patient=alice, answers=calm(), case=second.case)
    assert follow_up.case == first.case


@pytest.mark.django_db(transaction=True)
def test_a_follow_up_that_starts_during_the_merge_is_not_left_behind(twice, alice, adam):
    first, second = twice

    def follow_up() -> None:
        try:
            intake.start(patient=alice, answers=calm(), case=second.case)
        finally:
            connection.close()

    other = Thread(target=follow_up)
    with transaction.atomic():
        merging.merge(second.case, into=first.case, by=adam)
        other.start()
        other.join(0.5)
        assert other.is_alive()  # it waits for the merge
    other.join(10)
    assert first.case.submissions.count() == 3
    assert list(invariants.cases_that_were_merged_are_empty_and_lead_to_one_in_force()) == []


def test_a_submission_left_in_a_merged_case_is_found(twice, adam):
    first, second = twice
    merging.merge(second.case, into=first.case, by=adam)
    Submission.objects.filter(pk=second.pk).update(case=second.case)
    found = list(invariants.cases_that_were_merged_are_empty_and_lead_to_one_in_force())
    assert found == [str(second.case_id)]


def test_who_looked_at_a_merged_case_stays_in_the_log_of_the_other(twice, client, adam, dana):
    first, second = twice
    client.force_login(dana)
    client.get(f"/review/{second.pk}/")
    looked = Entry.objects.of_case(second.case).get(person=dana.pk)
    merging.merge(second.case, into=first.case, by=adam)
    assert looked in Entry.objects.of_case(first.case)


def test_a_merged_case_is_erased_with_its_patient_and_with_the_other_case(twice, alice, adam):
    first, second = twice
    merging.merge(second.case, into=first.case, by=adam)
    with transaction.atomic():
        erasure.erase_submissions(Submission.objects.filter(case=first.case))
        erasure.erase_empty(Case.objects.filter(pk=first.case_id))
    assert not Case.objects.exists()
