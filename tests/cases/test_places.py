"""Left and right, several places of a case, and which of them a photo shows."""

from __future__ import annotations

import pytest
from django.core.exceptions import ValidationError
from django.urls import reverse

from teleder.cases import intake, missing_photos, training
from teleder.cases.body_places import LATERALITY_CODES, PAIRED_SITES, SNOMED_CODES, BodyPlace, clean_places
from teleder.cases.models import PhotoView, Submission
from teleder.cases.questionnaire import BodySite
from tests.conftest import CALM

BOTH_HANDS = ["hand.left", "hand.right"]


@pytest.fixture
def draft(alice):
    return intake.start(patient=alice, answers=CALM)


def describe(draft, places: list[str]) -> None:
    intake.describe(draft, places=places)
    draft.refresh_from_db()


def places_of(draft) -> list[str]:
    draft.case.refresh_from_db()
    return [str(place) for place in draft.case.body_places]


# --- Codes ------------------------------------------------------------------------------------------------
def check_digit_is_right(code: str) -> bool:
    """Verhoeff's check, as SNOMED CT writes its identifiers."""
    times = [
        [int(digit) for digit in row]
        for row in (
            *("0123456789", "1234067895", "2340178956", "3401289567", "4012395678"),
            *("5987604321", "6598710432", "7659821043", "8765932104", "9876543210"),
        )
    ]
    turn = [1, 5, 7, 6, 2, 8, 3, 0, 9, 4]
    found = 0
    for place, digit in enumerate(reversed(code)):
        value = int(digit)
        for _ in range(place % 8):
            value = turn[value]
        found = times[found][value]
    return found == 0


@pytest.mark.parametrize("code", [*SNOMED_CODES.values(), *LATERALITY_CODES.values()])
def test_codes_are_well_formed_concepts(code):
    assert check_digit_is_right(code) and code[-3:-1] == "00"
    assert not check_digit_is_right(code[:-1] + str((int(code[-1]) + 1) % 10))


def test_no_two_sites_share_a_code_and_two_sites_have_none():
    assert len(set(SNOMED_CODES.values())) == len(SNOMED_CODES)
    assert set(BodySite) - set(SNOMED_CODES) == {BodySite.GROIN, BodySite.WIDESPREAD}


@pytest.mark.django_db
def test_site_side_and_codes_are_stored(draft):
    describe(draft, places=["elbow_crease.left", "neck"])
    draft.case.refresh_from_db()
    assert draft.case.places == [
        {"site": "elbow_crease", "side": "left", "snomed": "17957002", "laterality": "7771000"},
        {"site": "neck", "side": "", "snomed": "43081002", "laterality": ""},
    ]
    assert draft.case.body_site == "elbow_crease"
    assert draft.case.place_names == "inside of the elbow (left), neck"


def test_a_side_belongs_to_paired_sites_only():
    for site in BodySite:
        if site in PAIRED_SITES:
            assert clean_places([f"{site}.left"]) == [BodyPlace(site, "left")]
            assert clean_places([f"{site}.both"]) == [BodyPlace(site, "both")]
        else:
            for side in ("left", "both"):
                with pytest.raises(ValidationError):
                    clean_places([f"{site}.{side}"])


def test_a_side_is_left_out_where_both_are_chosen():
    """Without JavaScript all three can be ticked; two single sides stay two places."""
    chosen = ["hand.left", "knee.right", "hand.both", "hand.right", "knee.left"]
    assert [str(place) for place in clean_places(chosen)] == ["knee.right", "hand.both", "knee.left"]


@pytest.mark.django_db
def test_both_sides_are_one_place_with_the_code_of_both(draft, photo_file):
    describe(draft, places=["hand.left"])
    photo = intake.add_photo(draft, view="overview", upload=photo_file())
    describe(draft, places=["hand.both"])
    photo.refresh_from_db()
    assert draft.case.places == [
        {"site": "hand", "side": "both", "snomed": "33712006", "laterality": "51440002"}
    ]
    assert (draft.case.place_names, photo.place) == ("hand (both)", "hand.both")


@pytest.mark.parametrize(
    "bad",
    [None, "hand", [], [None], ["neck.both"], ["hand.all"], ["hand."] * 2 + ["x"], ["neck"] * 7, [["hand"]]],
)
def test_other_places_are_refused(bad):
    with pytest.raises(ValidationError):
        clean_places(bad)


# --- Rules for any of the places --------------------------------------------------------------------------
@pytest.mark.django_db
def test_a_child_sends_no_photo_if_any_place_is_intimate(draft, alice):
    alice.patient.birth_year = 2020
    alice.patient.save()
    with pytest.raises(intake.RefusedError):
        describe(draft, places=["hand.left", "buttocks"])


@pytest.mark.django_db
def test_flags_of_face_and_eyes_come_from_any_place(draft, alice, photo_file):
    describe(draft, places=["hand.left", "face", "around_eyes.right"])
    for place in ("hand.left", "face", "around_eyes.right"):
        intake.add_photo(draft, view="close_up", place=place, upload=photo_file())
    sent = intake.submit(draft, by=alice, missing_photo="other")
    assert {flag["code"] for flag in sent.flags} >= {"face", "eye_region"}
    assert not sent.case.is_intimate


@pytest.mark.django_db
def test_training_leaves_out_a_case_with_any_intimate_place(draft):
    for places, is_left_out in ((["hand.left"], False), (["hand.left", "groin"], True)):
        describe(draft, places=places)
        found = Submission.objects.exclude(training._is_intimate())
        assert found.filter(pk=draft.pk).exists() != is_left_out


# --- Photos -----------------------------------------------------------------------------------------------
@pytest.mark.django_db
def test_a_photo_belongs_to_one_of_the_places(draft, photo_file):
    describe(draft, places=BOTH_HANDS)
    with pytest.raises(ValidationError, match="which place"):
        intake.add_photo(draft, view="overview", upload=photo_file())
    with pytest.raises(ValidationError, match="which place"):
        intake.add_photo(draft, view="overview", place="neck", upload=photo_file())
    photo = intake.add_photo(draft, view="overview", place="hand.right", upload=photo_file())
    assert photo.body_place == BodyPlace(BodySite.HAND, "right")


@pytest.mark.django_db
def test_with_one_place_it_need_not_be_named(draft, photo_file):
    early = intake.add_photo(draft, view="overview", upload=photo_file())
    describe(draft, places=["hand.left"])
    later = intake.add_photo(draft, view="close_up", upload=photo_file())
    for photo in (early, later):
        photo = type(photo).objects.get(pk=photo.pk)
        assert str(photo.body_place) == "hand.left"


@pytest.mark.django_db
def test_a_corrected_side_takes_its_photos_along(draft, photo_file):
    describe(draft, places=["hand.left", "neck"])
    photo = intake.add_photo(draft, view="overview", place="hand.left", upload=photo_file())
    describe(draft, places=["hand.right", "neck"])
    photo.refresh_from_db()
    assert photo.place == "hand.right"


@pytest.mark.django_db
def test_a_side_that_is_added_to_a_place_keeps_its_photos(draft, photo_file):
    describe(draft, places=["hand", "neck"])
    photo = intake.add_photo(draft, view="overview", place="hand", upload=photo_file())
    describe(draft, places=["neck", "hand.left", "face"])
    photo.refresh_from_db()
    assert photo.place == "hand.left"


@pytest.mark.django_db
def test_a_place_with_photos_is_not_taken_away(draft, photo_file):
    describe(draft, places=["hand.left", "neck"])
    photo = intake.add_photo(draft, view="overview", place="neck", upload=photo_file())
    with pytest.raises(ValidationError, match="photos of this place: neck"):
        describe(draft, places=["hand.left"])
    assert places_of(draft) == ["hand.left", "neck"]
    intake.remove_photo(photo)
    describe(draft, places=["hand.left"])
    assert places_of(draft) == ["hand.left"]


@pytest.mark.django_db
def test_each_place_is_asked_for_a_photo(draft, photo_file, alice):
    describe(draft, places=BOTH_HANDS)
    overview, close_up = PhotoView.OVERVIEW, PhotoView.CLOSE_UP
    left, right = BOTH_HANDS
    assert missing_photos.missing_photos(draft) == [(left, overview), (left, close_up), (right, overview)]
    for view in (overview, close_up):
        intake.add_photo(draft, view=view, place="hand.left", upload=photo_file())
    assert missing_photos.missing_photos(draft) == [(right, overview)]
    with pytest.raises(intake.RefusedError, match="say why"):
        intake.submit(draft, by=alice)
    intake.add_photo(draft, view=close_up, place="hand.right", upload=photo_file())
    assert missing_photos.missing_photos(draft) == []


# --- Pages and API ----------------------------------------------------------------------------------------
@pytest.mark.django_db
def test_the_page_has_slots_for_each_place_and_the_dermatologist_sees_them(
    client, draft, alice, dana, photo_file
):
    describe(draft, places=BOTH_HANDS)
    client.force_login(alice)
    address = reverse("web:add_photo", args=[draft.pk])
    for place in BOTH_HANDS:
        client.post(address, {"view": "close_up", "place": place, "photo": photo_file()})
    page = client.get(reverse("web:photos", args=[draft.pk])).content.decode()
    assert page.count('class="place"') == 2 and "Hand (left)" in page and "Hand (right)" in page
    assert {photo.place for photo in draft.current_photos()} == set(BOTH_HANDS)
    intake.submit(draft, by=alice, missing_photo="focus")
    sent = client.get(draft.get_absolute_url()).content.decode()
    assert "hand (left), hand (right)" in sent
    client.force_login(dana)
    review = client.get(reverse("web:review", args=[draft.pk])).content.decode()
    assert "hand (left), hand (right)" in review and "· hand (left)" in review
    assert "hand (left), hand (right)" in client.get(reverse("web:worklist")).content.decode()


@pytest.mark.django_db
def test_a_case_from_before_there_were_places_reads_as_one(alices_submission, alice):
    case = alices_submission.case
    type(case).objects.filter(pk=case.pk).update(places=[])
    alices_submission.photos.update(place="")
    case.refresh_from_db()
    assert case.place_names == "inside of the elbow"
    assert alices_submission.photos.get().body_place == BodyPlace(BodySite.ELBOW_CREASE)
    follow_up = intake.start(patient=alice, answers=CALM, case=case)
    intake.describe(follow_up, places=["elbow_crease"])
    with pytest.raises(ValidationError, match="same place"):
        intake.describe(follow_up, places=["elbow_crease", "neck"])
