"""A dermatologist looks first; then the AI's opinion opens to them, and to nobody else."""

from __future__ import annotations

import pytest

from teleder.accounts.models import User
from teleder.cases import ai_opinion, intake, reviews, withdrawal
from teleder.cases.models import EventKind, FirstImpression, Submission
from teleder.cases.originals import RefusedError
from teleder.cases.transitions import IllegalMoveError
from teleder.privacy import export
from teleder.privacy.belongings import delete_submissions

pytestmark = pytest.mark.django_db
ANSWER = {"impression": "AD", "disposition": "self_care", "text": "Go on.", "reason": "Seen."}
HERPES = {"AD": 0.1, "HI": 0.8, "IM": 0.05, "MF": 0.03, "OTHER": 0.02}


@pytest.fixture
def read(alices_submission, analyse) -> Submission:
    analyse(alices_submission.photos.get(), probabilities=HERPES)
    alices_submission.refresh_from_db()
    return alices_submission


@pytest.fixture
def erik(person) -> User:
    return person("erik", "dermatologist")


def test_an_impression_opens_it_to_its_reader_alone(read, dana, erik, adam, alice):
    assert not ai_opinion.is_open(read, dana)
    ai_opinion.choose(read, by=dana, impression="AD")
    ai_opinion.choose(read, by=dana, impression="HI")
    row = FirstImpression.objects.get()
    assert (row.independent, row.latest, row.saw_ai_first) == ("AD", "HI", False)
    assert ai_opinion.is_open(read, dana) and not ai_opinion.is_open(read, erik)
    assert ai_opinion.is_open(read, adam) and not ai_opinion.is_open(read, alice)


def test_seeing_it_first_is_recorded_once_and_is_no_impression(read, dana):
    ai_opinion.see_first(read, by=dana)
    ai_opinion.see_first(read, by=dana)
    ai_opinion.choose(read, by=dana, impression="HI")
    row = FirstImpression.objects.get()
    assert (row.independent, row.latest, row.saw_ai_first) == ("", "HI", True)
    (event,) = read.events.filter(kind=EventKind.AI_SEEN_FIRST)
    assert event.actor == dana


def test_its_patient_is_not_told_that_it_was_seen_first(read, dana, alice):
    ai_opinion.see_first(read, by=dana)
    assert EventKind.AI_SEEN_FIRST not in str(export.record_of(alice))


def test_in_a_blind_clinic_it_opens_when_the_answer_is_signed(read, dana, settings):
    settings.AI_OPINION = "blind"
    with pytest.raises(ai_opinion.NotOpenError):
        ai_opinion.see_first(read, by=dana)
    ai_opinion.choose(read, by=dana, impression="AD")
    assert not ai_opinion.is_open(read, dana)
    reviews.claim(read, by=dana)
    reviews.sign(read, by=dana, **ANSWER)
    assert ai_opinion.is_open(read, dana) and FirstImpression.objects.get().independent == "AD"


def test_where_it_is_always_open_no_impression_counts_as_independent(read, dana, settings):
    settings.AI_OPINION = "always"
    assert ai_opinion.is_open(read, dana)
    assert ai_opinion.choose(read, by=dana, impression="AD").independent == ""


def test_a_signed_case_is_open_to_the_clinic_and_reopened_only_to_who_has_looked(read, dana, erik, adam):
    reviews.claim(read, by=dana)
    reviews.sign(read, by=dana, **ANSWER)
    assert ai_opinion.is_open(read, erik)
    with pytest.raises(IllegalMoveError):
        ai_opinion.choose(read, by=erik, impression="AD")
    reviews.reopen(read, by=adam)
    assert ai_opinion.is_open(read, dana) and not ai_opinion.is_open(read, erik)


def test_a_withdrawn_case_takes_no_impression(read, alice, dana):
    withdrawal.withdraw(read, by=alice)
    with pytest.raises(IllegalMoveError):
        ai_opinion.choose(read, by=dana, impression="AD")


@pytest.fixture
def one_more(photo_file):
    return lambda submission: intake.add_photo(submission, view="other", upload=photo_file())


def test_a_later_photo_closes_it_until_its_reader_has_looked_again(read, dana, erik, adam, one_more):
    for reader in (dana, erik):
        ai_opinion.choose(read, by=reader, impression="AD")
    one_more(read)
    read = Submission.objects.get()
    assert not ai_opinion.is_open(read, dana) and not ai_opinion.is_open(read, erik)
    assert ai_opinion.impression_of(read, dana) is None and ai_opinion.is_open(read, adam)
    ai_opinion.choose(read, by=dana, impression="AD")
    read = Submission.objects.get()
    assert ai_opinion.is_open(read, dana) and not ai_opinion.is_open(read, erik)
    row = FirstImpression.objects.get(reader=dana)
    assert (row.independent, row.latest, row.saw_ai_first) == ("AD", "AD", False)


def test_the_same_photo_again_and_a_refused_one_close_nothing(read, dana, photo_file):
    content = photo_file().read()
    intake.add_photo(read, view="other", upload=photo_file(content=content))
    ai_opinion.choose(read, by=dana, impression="AD")
    intake.add_photo(read, view="other", upload=photo_file(content=content))
    with pytest.raises(RefusedError):
        intake.add_photo(read, view="other", upload=photo_file(content=b"GIF89a" + bytes(50)))
    assert ai_opinion.is_open(Submission.objects.get(), dana)


def test_asked_for_photos_close_it_and_seeing_it_first_is_recorded_again(
    alices_submission, analyse, alice, dana, one_more
):
    read = alices_submission
    analyse(read.photos.get())
    ai_opinion.see_first(read, by=dana)
    reviews.claim(read, by=dana)
    reviews.request_photos(read, by=dana, reason="blurred")
    one_more(read)
    intake.submit(Submission.objects.get(), by=alice)
    read = Submission.objects.get()
    assert not ai_opinion.is_open(read, dana)
    ai_opinion.see_first(read, by=dana)
    assert ai_opinion.is_open(read, dana)
    assert read.events.filter(kind=EventKind.AI_SEEN_FIRST).count() == 2


def test_flags_of_the_model_are_one_that_names_no_condition(read, dana):
    assert ai_opinion.shown_flags(read, dana) == [{"origin": "model", "code": "sooner", "level": 3}]
    ai_opinion.choose(read, by=dana, impression="AD")
    assert [flag["code"] for flag in ai_opinion.shown_flags(read, dana)] == ["HI"]


def test_a_list_knows_what_is_open_without_further_queries(read, dana, django_assert_num_queries):
    ai_opinion.choose(read, by=dana, impression="AD")
    (row,) = ai_opinion.with_impressions(Submission.objects.all(), dana)
    with django_assert_num_queries(0):
        assert ai_opinion.is_open(row, dana)
    FirstImpression.objects.update(has_newer_photos=True)
    (row,) = ai_opinion.with_impressions(Submission.objects.all(), dana)
    with django_assert_num_queries(0):
        assert not ai_opinion.is_open(row, dana)


def test_impressions_are_erased_with_their_submission(read, dana):
    ai_opinion.choose(read, by=dana, impression="AD")
    delete_submissions([read.pk])
    assert not FirstImpression.objects.exists()
