"""Pages are compressed, but not those that show a secret, and nothing else."""

from __future__ import annotations

import gzip

import pytest
from django.urls import reverse

pytestmark = pytest.mark.django_db
GZIP = {"Accept-Encoding": "gzip, deflate, br"}


def test_a_page_is_compressed_for_a_browser_that_reads_it(client, alice, alices_draft):
    client.force_login(alice)
    path = reverse("web:photos", args=[alices_draft.pk])
    plain, packed = client.get(path), client.get(path, headers=GZIP)
    assert "Content-Encoding" not in plain.headers and packed["Content-Encoding"] == "gzip"
    assert "Accept-Encoding" in packed["Vary"] and "no-store" in packed["Cache-Control"]
    assert b"photo-form" in gzip.decompress(packed.content)
    assert len(packed.content) < len(plain.content) / 2


def test_a_poll_is_still_answered_304(client, alice, alices_draft):
    client.force_login(alice)
    path = reverse("web:tiles", args=[alices_draft.pk])
    first = client.get(path, headers=GZIP)
    assert first["Content-Encoding"] == "gzip"
    again = client.get(path, headers=GZIP | {"If-None-Match": first["ETag"]})
    assert again.status_code == 304


@pytest.mark.parametrize("name", ["mfa_activate_totp", "mfa_index", "api:me"])
def test_what_may_show_a_secret_is_sent_as_it_is(client, alice, name):
    client.force_login(alice)
    answer = client.get(reverse(name), headers=GZIP)
    assert answer.status_code == 200 and "Content-Encoding" not in answer.headers


def test_a_photo_is_sent_as_it_is(client, alice, alices_submission, analyse, stored):
    photo = alices_submission.photos.get()
    analyse(photo)
    stored(photo)
    client.force_login(alice)
    answer = client.get(reverse("web:photo", args=[photo.pk, "display"]), headers=GZIP)
    assert answer.status_code == 200 and "Content-Encoding" not in answer.headers
