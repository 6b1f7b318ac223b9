"""Of Sora, 5, no photo of an intimate place is taken; the clinic's phone is offered before any photo."""

from __future__ import annotations

import pytest
from django.urls import reverse

from teleder.accounts.clinic_texts import TextKind, put_in_force, save_draft
from teleder.cases import intake
from teleder.cases.originals import RefusedError
from tests.conftest import CALM

pytestmark = pytest.mark.django_db
PHONE = "[03-1234-5678](tel:0312345678), 9:00-18:00"
OFFER = {
    "en": "Please send no photos of these places. Call the clinic first",
    "ja": "この場所の写真は送らず、先にクリニックに電話してください",
}


def at(name: str, *args) -> str:
    return reverse(f"web:{name}", args=args)


@pytest.fixture
def alices(client, alice, adam):
    text = save_draft(clinic=alice.clinic, kind=TextKind.CONTACT, ja=PHONE, en=PHONE, by=adam)
    put_in_force(text, by=adam)
    client.force_login(alice)
    return client


@pytest.fixture
def draft(sora):
    return intake.start(patient=sora, answers=CALM)


@pytest.mark.parametrize("language", ["en", "ja"])
def test_the_clinics_phone_is_offered_before_the_place_is_chosen(alices, alice, draft, language):
    type(alice).objects.filter(pk=alice.pk).update(language=language)
    page = alices.get(at("about", draft.pk)).content.decode()
    assert OFFER[language] in page and 'href="tel:0312345678"' in page
    assert page.index("tel:0312345678") < page.index('value="groin"')


def test_a_refused_place_keeps_the_phone_in_view(alices, draft):
    answer = alices.post(at("about", draft.pk), {"places": ["groin"]})
    assert answer.status_code == 422
    page = answer.content.decode()
    assert "Under 18, please send no photos of this place." in page and "tel:0312345678" in page


def test_there_is_no_photo_before_the_place(alices, draft, photo_file):
    """A photo without a place may be of any."""
    assert alices.get(at("photos", draft.pk)).url == at("about", draft.pk)
    with pytest.raises(RefusedError) as refused:
        intake.add_photo(draft, view="close_up", upload=photo_file())
    assert refused.value.code == "body_site_missing" and not draft.photos.exists()


def test_the_photo_page_of_a_child_says_so_too_and_that_of_a_grown_up_does_not(
    alices, alice, draft, draft_of
):
    intake.describe(draft, body_site="widespread")
    assert OFFER["en"] in alices.get(at("photos", draft.pk)).content.decode()
    grown = draft_of(alice, photos=0)
    for name in ("about", "photos"):
        assert OFFER["en"] not in alices.get(at(name, grown.pk)).content.decode()


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("en", "Show only the skin that worries you, and cover the rest."),
        ("ja", "気になる所だけをうつし、ほかは服やタオルでかくしてください。"),
    ],
)
def test_a_grown_up_reads_how_to_photograph_a_private_place_and_that_there_is_another_way(
    alices, alice, language, words
):
    type(alice).objects.filter(pk=alice.pk).update(language=language)
    own = intake.start(patient=alice, answers=CALM)
    intake.describe(own, body_site="groin")
    page = alices.get(at("photos", own.pk)).content.decode()
    assert words in page and at("clinic_text", "contact") in page
    intake.describe(own, body_site="elbow_crease")
    assert words not in alices.get(at("photos", own.pk)).content.decode()
