"""Overview and close-up are both asked for; where one is missing, the dermatologist reads why."""

from __future__ import annotations

import pytest
from django.urls import reverse

from teleder.cases import intake, reviews
from teleder.cases.models import MissingPhoto

pytestmark = pytest.mark.django_db


@pytest.fixture
def alices_draft(alice, draft_of, photo_file):
    """With a close-up, and no word about an overview."""
    draft = draft_of(alice, photos=0)
    intake.add_photo(draft, view="close_up", upload=photo_file())
    return draft


@pytest.fixture
def alices(client, alice):
    client.force_login(alice)
    return client


def at(name: str, draft) -> str:
    return reverse(f"web:{name}", args=[draft.pk])


def next_of(alices, draft) -> str:
    html = alices.get(at("photos", draft)).content.decode()
    return html.partition('data-next="')[2].partition('"')[0]


def offered(page: str) -> list[str]:
    return [value for value in MissingPhoto if f'name="because" value="{value}"' in page]


def test_only_of_a_child_it_is_said_that_it_does_not_keep_still(alices, sora, draft_of, photo_file):
    draft = draft_of(sora, photos=0)
    intake.add_photo(draft, view="close_up", upload=photo_file())
    assert offered(alices.get(at("missing_photo", draft)).content.decode()) == list(MissingPhoto)


def test_one_photo_leads_to_the_question_and_both_lead_on(alices, alices_draft, photo_file):
    assert next_of(alices, alices_draft) == at("missing_photo", alices_draft)
    page = alices.get(at("missing_photo", alices_draft)).content.decode()
    assert "There is no photo from a distance yet" in page
    assert offered(page) == [value for value in MissingPhoto if value != MissingPhoto.STILL]
    intake.add_photo(alices_draft, view="overview", upload=photo_file())
    assert next_of(alices, alices_draft) == at("send", alices_draft)
    assert alices.get(at("missing_photo", alices_draft)).url == at("send", alices_draft)


def test_the_reason_leads_on_and_the_dermatologist_reads_it(alices, alice, alices_draft, dana, client):
    reply = alices.post(at("missing_photo", alices_draft), {"because": "reach"})
    assert reply.url == at("send", alices_draft) == next_of(alices, alices_draft)
    alices_draft.refresh_from_db()
    intake.submit(alices_draft, by=alice)
    reviews.claim(alices_draft, by=dana)
    client.force_login(dana)
    page = client.get(reverse("web:review", args=[alices_draft.pk])).content.decode()
    assert "<dt>Photo missing</dt>" in page and "I can&#x27;t reach it" in page


@pytest.mark.parametrize(
    ("language", "asked", "other", "review", "for_dana"),
    [
        (
            "en",
            "There is no photo of this place yet: neck",
            "Another reason<",
            "neck: no photo (Another reason)",
            "neck: no photo<br>Another reason",
        ),
        (
            "ja",
            "この場所の写真が、まだありません：首",
            "ほかの理由<",
            "首：写真なし（ほかの理由）",
            "neck: no photo<br>Another reason",
        ),
    ],
)
def test_a_place_without_a_photo_is_named_with_the_reason(
    alices, alice, draft_of, photo_file, dana, client, language, asked, other, review, for_dana
):
    alice.language = language
    alice.save(update_fields=["language"])
    draft = draft_of(alice, photos=0)
    intake.describe(draft, places=["elbow_crease.left", "neck"])
    for view in ("overview", "close_up"):
        intake.add_photo(draft, view=view, place="elbow_crease.left", upload=photo_file())
    page = alices.get(at("missing_photo", draft)).content.decode()
    assert f"<h1>{asked}</h1>" in page and other in page
    assert "from a distance yet" not in page and "one photo" not in page and "1枚" not in page
    assert alices.post(at("missing_photo", draft), {"because": "other"}).url == at("send", draft)
    assert review in alices.get(at("send", draft)).content.decode()
    intake.submit(draft, by=alice)
    reviews.claim(draft, by=dana)
    client.force_login(dana)
    page = client.get(reverse("web:review", args=[draft.pk])).content.decode()
    assert for_dana in page and "Overview or close-up missing" not in page


def test_a_photo_taken_after_the_reason_is_not_said_to_be_missing(alices, alices_draft, photo_file):
    alices.post(at("missing_photo", alices_draft), {"because": "reach"})
    assert "Missing: overview" in alices.get(at("send", alices_draft)).content.decode()
    intake.add_photo(alices_draft, view="overview", upload=photo_file())
    assert "Missing:" not in alices.get(at("send", alices_draft)).content.decode()


@pytest.mark.parametrize("because", ["", "none", "x" * 99])
def test_a_reason_that_does_not_exist_is_refused(alices, alices_draft, because):
    reply = alices.post(at("missing_photo", alices_draft), {"because": because})
    assert reply.status_code == 422 and "choose a reason" in reply.content.decode()
    alices_draft.refresh_from_db()
    assert alices_draft.missing_photo == ""


def test_it_cannot_be_sent_around_the_question(alices, alices_draft, alice):
    """The rule holds for pages and API alike; test_patient_flow.py asks the API."""
    assert alices.post(at("send", alices_draft)).url == at("photos", alices_draft)
    with pytest.raises(intake.RefusedError, match="say why"):
        intake.submit(alices_draft, by=alice)
    assert intake.submit(alices_draft, by=alice, missing_photo="focus").missing_photo == "focus"


@pytest.mark.parametrize("answers", [{"very_ill": "yes"}, {"near_eye": "yes"}])
def test_it_is_never_a_barrier_where_the_answers_mean_today(alices, alice, draft_of, answers):
    draft = draft_of(alice, **answers)
    assert next_of(alices, draft) == at("send", draft)


def test_it_is_not_asked_when_a_dermatologist_wants_another_photo(alices, alices_submission, dana):
    reviews.claim(alices_submission, by=dana)
    reviews.request_photos(alices_submission, by=dana, reason="blurred")
    assert next_of(alices, alices_submission) == at("send", alices_submission)


def test_without_any_photo_it_leads_back_to_the_photos(alices, alice, draft_of):
    draft = draft_of(alice, photos=0)
    assert alices.get(at("missing_photo", draft)).url == at("photos", draft)


def test_after_sending_no_reason_is_taken(alices, alices_submission):
    reply = alices.post(at("missing_photo", alices_submission), {"because": "reach"})
    assert reply.url == alices_submission.get_absolute_url()
    with pytest.raises(intake.IllegalMoveError):
        intake.explain_missing_photo(alices_submission, "reach")
