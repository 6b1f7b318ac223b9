"""What was measured of a rash: for dermatologists in numbers and words, never for patients."""

from __future__ import annotations

import re

import pytest
from django.urls import reverse
from django.utils import translation

from contract.signs import MeasuredSign, SignName
from teleder.web.clinician.signs import NAMES, shown_signs

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("ai_is_open")]
ROWS = {
    SignName.LESION_SHARE: (0.256, 0.04),
    SignName.REDNESS: (6.34, 1.2),
    SignName.YELLOW_CRUST: (0.02, 0.03),
    SignName.DARK_CRUST: (0.0, 0.0),
    SignName.LESIONS: (12.0, 2.0),
    SignName.LESION_SIZE: (0.0123, 0.001),
    SignName.EDGE: (14.2, 0.6),
}
SIGNS = tuple(MeasuredSign(name=name, value=value, error=error) for name, (value, error) in ROWS.items())


def stored(*names: SignName) -> list[dict]:
    return [vars(sign) for sign in SIGNS if sign.name in names]


def text_of(page: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page))


@pytest.fixture
def review_page(client, dana, alices_submission, analyse):
    def read(signs=SIGNS, language="en") -> str:
        dana.language = language
        dana.save(update_fields=["language"])
        analyse(alices_submission.photos.get(), signs=signs)
        client.force_login(dana)
        return text_of(client.get(reverse("web:review", args=[alices_submission.pk])).content.decode())

    return read


def test_dana_reads_the_signs_with_their_errors_and_what_they_mean(review_page):
    page = review_page()
    assert "Lesion, share of all visible skin 26% ± 4% part of the skin shown" in page
    assert "Redness beside own skin 6.3 a* ± 1.2 a* redder than own skin" in page
    assert "Dark crust, share of the lesion below 1% hardly any" in page
    assert "Number of lesions 12 ± 2 many" in page
    assert "Colour step at the edge 14 ΔE ± 0.6 ΔE sharp edge" in page
    assert "No sign proves or rules out a condition." in page


def test_dana_reads_them_in_japanese(review_page):
    page = review_page(language="ja")
    assert "病変の計測" in page and "周囲の皮膚と比べた赤み 6.3 a* ± 1.2 a* 周囲の皮膚より赤い" in page


def test_a_sign_whose_error_is_over_half_of_it_is_called_uncertain():
    yellow, dark, redness = shown_signs(
        stored(SignName.YELLOW_CRUST, SignName.DARK_CRUST, SignName.REDNESS)[::-1]
    )[1:] + shown_signs(stored(SignName.REDNESS))
    assert yellow.is_uncertain and not dark.is_uncertain and not redness.is_uncertain
    assert (yellow.value, yellow.error) == ("2%", "3%")


def test_without_signs_the_page_says_nothing_of_them(review_page):
    assert "Measured on the lesion" not in review_page(signs=())


def test_every_sign_has_a_name_and_words_in_both_languages():
    for language in ("en", "ja"):
        with translation.override(language):
            shown = shown_signs(stored(*SignName))
            assert [sign.name for sign in shown] == [str(NAMES[name]) for name in SignName]
            assert all(sign.words for sign in shown)


def test_clinicians_read_the_signs_by_api_and_patients_do_not(
    client, dana, alice, alices_submission, analyse
):
    analyse(alices_submission.photos.get(), signs=SIGNS)
    address = f"/api/v1/submissions/{alices_submission.pk}"
    client.force_login(dana)
    (analysis,) = client.get(f"{address}/findings").json()
    assert {row["name"]: (row["value"], row["error"]) for row in analysis["signs"]} == ROWS
    client.force_login(alice)
    assert client.get(f"{address}/findings").status_code in (403, 404)
    for path in (address, reverse("web:submission", args=[alices_submission.pk])):
        answer = client.get(path)
        assert answer.status_code == 200
        text = answer.content.decode().lower().replace("redness or bumps around an eye", "")  # a warning sign
        assert "redness" not in text and "12.0" not in text


def test_a_stored_sign_that_cannot_be_read_counts_as_none(client, dana, alices_submission, analyse):
    photo = alices_submission.photos.get()
    analyse(photo, signs=SIGNS)
    photo.analyses.update(signs=[{"name": "redness", "value": "much"}])
    client.force_login(dana)
    page = client.get(reverse("web:review", args=[alices_submission.pk]))
    assert page.status_code == 200 and "Measured on the lesion" not in page.content.decode()
