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
from teleder.cases import intake
from teleder.cases.models import Job, Photo
from teleder.pipeline import results
from tests.conftest import MODEL, send_for_test

pytestmark = pytest.mark.django_db
WORDS = {
    PhotoAdvice.NO_SKIN: ("Skin cannot be made out", "肌がよく見えません"),
    PhotoAdvice.TOO_FAR: ("from too far away", "遠"),
    PhotoAdvice.TOO_NEAR: ("from too near", "近"),
    PhotoAdvice.LESION_NOT_FOUND: ("Put the spot in the middle", "真ん中"),
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
    assert ("Better taken again", "とり直しがおすすめです")[which] in html
    assert ("You may also send it as it is.", "このまま送ることもできます。")[which] in html
    assert reverse("web:send", args=[prepared.submission_id]) in html and "data-poll" not in html


@LANGUAGES
def test_a_checked_photo_without_advice_is_good(client, prepared, language, which):
    check(prepared, None)
    assert ("✓ Good", "✓ 良好")[which] in tiles(client, prepared, language)


@LANGUAGES
def test_a_check_is_waited_for_and_then_the_photo_has_arrived(client, prepared, language, which):
    html = tiles(client, prepared, language)
    assert ("Being checked", "確認中")[which] in html and "data-poll" in html
    waited = timezone.now() - timedelta(seconds=settings.CHECK_PATIENCE_SECONDS + 1)
    Job.objects.filter(stage=Stage.CHECK).update(created_at=waited)
    html = tiles(client, prepared, language)
    assert ("✓ Arrived", "✓ 届きました")[which] in html and "data-poll" in html
    Job.objects.filter(stage=Stage.CHECK).update(created_at=waited - timedelta(minutes=1))
    assert "data-poll" not in tiles(client, prepared, language)


def test_without_consent_the_photo_has_arrived_at_once(client, alice, alices_draft, analyse):
    intake.withdraw_consent(alice, Purpose.AI)
    analyse(alices_draft.photos.get())
    html = tiles(client, alices_draft.photos.get())
    assert "✓ Arrived" in html and "Good" not in html and "data-poll" not in html


def test_the_last_step_says_the_same(client, prepared):
    client.force_login(prepared.submission.patient)
    page = reverse("web:send", args=[prepared.submission_id])
    assert "Overview · arrived".lower() not in client.get(page).content.decode()
    assert "Close-up · arrived" in client.get(page).content.decode()
    check(prepared, PhotoAdvice.TOO_FAR)
    assert "Close-up · better taken again" in client.get(page).content.decode()


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
