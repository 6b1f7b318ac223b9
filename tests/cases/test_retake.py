"""A new photo in the place of an old one, the same file again, and a photo that is sent as it is."""

from __future__ import annotations

import pytest
from django.core.exceptions import ValidationError

from contract import messages
from contract.messages import Stage
from contract.photos import PhotoAdvice
from teleder.cases import intake
from teleder.cases.models import PHOTOS_PER_SUBMISSION, Photo
from teleder.cases.transitions import IllegalMoveError
from teleder.pipeline import results
from tests.conftest import MODEL, send_for_test

pytestmark = pytest.mark.django_db


def test_a_retake_removes_the_photo_it_replaces_even_of_six(alice, draft_of, photo_file):
    draft = draft_of(alice, photos=PHOTOS_PER_SUBMISSION)
    old = draft.photos.first()
    with pytest.raises(intake.RefusedError):
        intake.add_photo(draft, view="close_up", upload=photo_file())
    new = intake.add_photo(draft, view="close_up", upload=photo_file(), replaces=str(old.pk))
    assert not new.is_repeat
    assert new in draft.current_photos() and old not in draft.current_photos()
    assert draft.current_photos().count() == PHOTOS_PER_SUBMISSION


def test_the_same_file_as_retake_keeps_the_photo(alices_draft, photo_file):
    content = photo_file().read()
    first = intake.add_photo(alices_draft, view="overview", upload=photo_file(content=content))
    again = intake.add_photo(
        alices_draft, view="overview", upload=photo_file(content=content), replaces=str(first.pk)
    )
    assert again == first and again.is_repeat
    assert first in alices_draft.current_photos()


def test_alice_cannot_replace_bobs_photo(alices_draft, bob, draft_of, photo_file):
    his = draft_of(bob).photos.get()
    intake.add_photo(alices_draft, view="overview", upload=photo_file(), replaces=str(his.pk))
    his.refresh_from_db()
    assert his.removed_at is None


def test_what_is_no_id_is_refused_before_anything_is_stored(alices_draft, photo_file):
    with pytest.raises(ValidationError):
        intake.add_photo(alices_draft, view="overview", upload=photo_file(), replaces="x")
    assert alices_draft.photos.count() == 1


def test_nothing_is_replaced_after_sending(alices_submission, photo_file):
    old = alices_submission.photos.get()
    intake.add_photo(alices_submission, view="overview", upload=photo_file(), replaces=str(old.pk))
    assert old in alices_submission.current_photos()
    with pytest.raises(IllegalMoveError):
        intake.remove_photo(old)


@pytest.mark.parametrize(
    ("advice", "is_kept"), [(PhotoAdvice.TOO_FAR, True), (PhotoAdvice.NO_SKIN, True), (None, False)]
)
def test_a_photo_that_should_be_taken_again_may_be_sent_as_it_is(alices_draft, analyse, advice, is_kept):
    photo = alices_draft.photos.get()
    analyse(photo)
    job, attempt = send_for_test(photo, Stage.CHECK)
    outcome = messages.Checked(advice=advice, skin=0.05, largest=0.04, lesion=0.01, model=MODEL)
    assert results.record(job=job, attempt=attempt, worker="w", outcome=outcome)
    intake.send_anyway(photo)
    assert Photo.objects.get(pk=photo.pk).sent_anyway == is_kept
