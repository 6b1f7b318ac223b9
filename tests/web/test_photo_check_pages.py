"""What the photo step and the API say of a photo before, during and after the check."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.conf import settings
from django.urls import reverse
from django.utils import timezone
from rest_framework.test import APIClient

from contract import messages
from contract.messages import Stage
from contract.photos import PhotoAdvice
from teleder.accounts.models import Purpose
from teleder.cases import consents
from teleder.cases.models import Job, Photo
from teleder.pipeline import results
from tests.conftest import MODEL, send_for_test

pytestmark = pytest.mark.django_db
WORDS = {
    PhotoAdvice.NO_SKIN: ("make out skin in this photo", "肌がよく見えません"),
    PhotoAdvice.TOO_FAR: ("from too far away", "遠"),
    PhotoAdvice.TOO_NEAR: ("too close", "近"),
    PhotoAdvice.LESION_NOT_FOUND: ("Put the spot in the middle", "まん中"),
}
SHORT = {
    PhotoAdvice.NO_SKIN: ("No skin in view", "肌が写っていません"),
    PhotoAdvice.TOO_FAR: ("Too far away", "遠すぎます"),
    PhotoAdvice.TOO_NEAR: ("Too close", "近すぎます"),
    PhotoAdvice.LESION_NOT_FOUND: ("Not in the middle", "まん中にありません"),
}
LANGUAGES = pytest.mark.parametrize(("language", "which"), [("en", 0), ("ja", 1)])


@pytest.fixture
def prepared(alices_draft, analyse) -> Photo:
    photo = alices_draft.photos.get()
    analyse(photo)
    return photo


def check(photo: Photo, advice: PhotoAdvice | None) -> None:
    job, attempt = send_for_test(photo, Stage.CHECK)
    outcome = messages.Checked(advice=advice, skin=0.05, largest=0.04, lesion=0.01, model=MODEL)
    assert results.record(job=job, attempt=attempt, worker="w", outcome=outcome)


def tiles(client, photo: Photo, language: str = "en") -> str:
    patient = photo.submission.patient
    patient.language = language
    patient.save()
    client.force_login(patient)
    return client.get(reverse("web:tiles", args=[photo.submission_id])).content.decode()


@LANGUAGES
@pytest.mark.parametrize("advice", PhotoAdvice)
def test_the_tile_gives_the_remedy_and_leaves_the_choice(client, prepared, advice, language, which):
    check(prepared, advice)
    html = tiles(client, prepared, language)
    assert WORDS[advice][which] in html
    assert SHORT[advice][which] in html
    # To take it again comes first, then to send it as it is.
    retake, anyway = (">Retake<", ">とり直す<")[which], ("Send it anyway", "このまま送る")[which]
    assert 0 < html.index(retake) < html.index(anyway)
    assert "data-onward" in html and "data-poll" not in html
    client.post(reverse("web:send_photo_anyway", args=[prepared.pk]))
    html = tiles(client, prepared, language)
    assert ("Sent as it is", "このまま送ります")[which] in html and SHORT[advice][which] not in html


@LANGUAGES
def test_a_checked_photo_without_advice_is_good(client, prepared, language, which):
    check(prepared, None)
    assert ("Looks clear", "見やすいです")[which] in tiles(client, prepared, language)


@LANGUAGES
def test_a_check_is_waited_for_and_then_the_photo_has_arrived(client, prepared, language, which):
    html = tiles(client, prepared, language)
    assert ("Being checked", "確認中")[which] in html and "data-poll" in html
    waited = timezone.now() - timedelta(seconds=settings.CHECK_PATIENCE_SECONDS + 1)
    Job.objects.filter(stage=Stage.CHECK).update(created_at=waited)
    html = tiles(client, prepared, language)
    assert ("Arrived", "届きました")[which] in html and "data-poll" in html
    Job.objects.filter(stage=Stage.CHECK).update(created_at=waited - timedelta(minutes=1))
    assert "data-poll" not in tiles(client, prepared, language)


def test_without_consent_the_photo_has_arrived_at_once(client, alice, alices_draft, analyse):
    consents.withdraw_consent(alice, Purpose.AI)
    analyse(alices_draft.photos.get())
    html = tiles(client, alices_draft.photos.get())
    assert "Arrived" in html and "Looks clear" not in html and "data-poll" not in html


def test_the_last_step_says_the_same(client, prepared):
    client.force_login(prepared.submission.patient)
    page = reverse("web:send", args=[prepared.submission_id])
    assert "From a distance · arrived".lower() not in client.get(page).content.decode()
    assert "Close up · Being checked …" in client.get(page).content.decode()
    check(prepared, PhotoAdvice.TOO_FAR)
    assert "Close up · better taken again" in client.get(page).content.decode()


def test_the_api_tells_the_advice_with_its_remedy(prepared):
    check(prepared, PhotoAdvice.TOO_FAR)
    app = APIClient()
    app.force_login(prepared.submission.patient)
    [photo] = app.get(reverse("api:photos", args=[prepared.submission_id])).json()
    assert (photo["state"], photo["advice"], photo["state_text"]) == (
        "ready",
        "too_far",
        "better taken again",
    )
    assert "30 cm" in photo["remedy"]
    [light] = app.get(reverse("api:submission-status", args=[prepared.submission_id])).json()["photos"]
    assert (light["advice"], light["remedy"]) == (photo["advice"], photo["remedy"])


@LANGUAGES
def test_a_photo_that_nobody_has_looked_at_for_six_seconds_has_arrived(client, alices_draft, language, which):
    photo = alices_draft.photos.get()
    assert ("Being checked", "確認中")[which] in tiles(client, photo, language)
    waited = timezone.now() - timedelta(seconds=settings.CHECK_PATIENCE_SECONDS + 1)
    Photo.objects.update(created_at=waited)
    html = tiles(client, photo, language)
    assert ("A doctor looks at it.", "医師が確認します。")[which] in html
    assert ("Being checked", "確認中")[which] not in html and "data-poll" in html


def test_the_fault_of_a_photo_is_named_in_its_slot(client, alices_draft, analyse):
    photo = alices_draft.photos.get()
    analyse(photo, fault="too_dark", reason="poor_quality")
    html = tiles(client, photo)
    slot = html[html.index(f'data-photo="{photo.pk}"') :].partition("</li>")[0]
    assert "Too dark" in slot and "near a window" in slot and ">Retake<" in slot
