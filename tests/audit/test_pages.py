"""The pages that show the audit log to patients and admins."""

from __future__ import annotations

import pytest
from django.urls import reverse

pytestmark = pytest.mark.django_db


def test_alice_sees_that_dana_looked_at_her_photo(client, alice, dana, alices_submission, analyse, stored):
    photo = alices_submission.photos.get()
    analyse(photo)
    stored(photo)
    looks = reverse("web:looks", args=[alices_submission.pk])
    client.force_login(alice)
    assert "Dana" not in client.get(looks).content.decode()
    client.force_login(dana)
    assert (
        b"".join(client.get(reverse("web:photo", args=[photo.pk, "display"])).streaming_content) == b"display"
    )
    client.force_login(alice)
    assert "Dana" in client.get(looks).content.decode()


def test_adam_sees_that_dana_opened_the_case(client, dana, adam, alices_submission):
    client.force_login(dana)
    client.get(reverse("web:review", args=[alices_submission.pk]))
    client.force_login(adam)
    page = client.get(reverse("web:case_trail", args=[alices_submission.pk])).content.decode()
    assert "Dana" in page and "web:review" in page
