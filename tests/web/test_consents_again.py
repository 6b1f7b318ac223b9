"""A text of consent that has changed: in substance it is asked again, in its words only it is shown with its date."""

from __future__ import annotations

import re

import pytest
from django.urls import reverse
from django.utils import timezone
from rest_framework.test import APIClient

from teleder.accounts import people
from teleder.accounts.consent_texts import consent_texts
from teleder.accounts.models import Consent, Purpose
from teleder.cases import intake, training
from teleder.cases.originals import RefusedError
from teleder.pipeline.queue import ai_may_read
from tests.conftest import CALM

pytestmark = pytest.mark.django_db
EARLIER = "2026-01-31"


@pytest.fixture
def alices(client, alice):
    """Alice agreed to everything, to words of January."""
    for purpose in Purpose:
        people.give_consent(alice, purpose)
    Consent.objects.update(version=EARLIER, text="The words of January.")
    client.force_login(alice)
    client.defaults["HTTP_ACCEPT_LANGUAGE"] = "en"
    return client


def page_of(client, name: str, *args) -> str:
    return client.get(reverse(f"web:{name}", args=args)).content.decode()


def decide(client, verb: str, *purposes: str) -> None:
    for purpose in purposes:
        client.post(reverse("web:consent"), {"verb": verb, "purpose": purpose})


def test_versions_begin_with_their_date_so_that_they_have_an_order():
    texts = consent_texts()
    for version in (texts["version"], *(texts[purpose]["asks_again"] for purpose in Purpose)):
        assert re.fullmatch(r"20\d\d-[01]\d-[0-3]\d(-[a-z]+)?", version)
        assert version <= texts["version"]


def test_words_that_mean_the_same_are_not_asked_again(alices, monkeypatch):
    for purpose in Purpose:
        monkeypatch.setitem(consent_texts()[purpose], "asks_again", EARLIER)
    assert "decide again" not in page_of(alices, "home")
    page = page_of(alices, "settings")
    assert page.count("The words of January.") == 3 and "(text of 31 Jan 2026)" in page
    assert "earlier text" not in page and "Withdraw consent" in page


def test_what_says_something_else_is_asked_again_and_nothing_is_hidden(alices_submission, alices, alice):
    page = page_of(alices, "home")
    assert "Please read it and decide again." in page and alices_submission.case.number in page
    page = page_of(alices, "settings")
    assert page.count("You agreed to an earlier text on") == 3 and "The words of January." not in page
    assert alices.get(reverse("web:new")).url == reverse("web:settings") + "#consents"
    with pytest.raises(RefusedError) as refused:
        intake.start(patient=alice, answers=CALM)
    assert refused.value.code == "consent_missing"
    decide(alices, "give", *Purpose.values)
    assert "decide again" not in page_of(alices, "home")
    assert alices.get(reverse("web:new")).status_code == 200
    given = alice.consents.given()
    assert {one.version for one in given} == {consent_texts()["version"]} and given.count() == 3
    assert alice.consents.filter(version=EARLIER, withdrawn_at__isnull=False).count() == 3


def test_who_does_not_agree_any_more_is_asked_no_further(alices, alice):
    decide(alices, "give", "care")
    decide(alices, "withdraw", "ai", "training")
    assert "decide again" not in page_of(alices, "home")
    assert [one.purpose for one in alice.consents.given()] == ["care"]
    assert not alice.consents.filter(version=EARLIER, withdrawn_at=None).exists()


def test_until_then_no_program_reads_or_learns(alices_submission, alices):
    assert not ai_may_read(alices_submission)
    case = type(alices_submission).objects.select_related("case__patient").get(pk=alices_submission.pk)
    assert not ai_may_read(case)
    assert not training._consents().exists()
    decide(alices, "give", "care", "ai", "training")
    assert ai_may_read(alices_submission) and training._consents().exists()


def test_a_guardian_is_asked_again_for_the_child(client, alice, sora):
    Consent.objects.update(version=EARLIER)
    client.force_login(alice)
    address = reverse("web:child", args=[sora.pk])
    assert client.get(reverse("web:new"), {"for": sora.pk}).url == address + "#consents"
    page = client.get(address, headers={"Accept-Language": "en"}).content.decode()
    assert "It says something else now" in page
    client.post(reverse("web:child_consent", args=[sora.pk]), {"purpose": "care", "verb": "give"})
    assert client.get(reverse("web:new"), {"for": sora.pk}).status_code == 200


def test_the_api_says_what_is_to_be_asked_again(alice, alices):
    app = APIClient()
    app.force_authenticate(alice)
    care = app.get(reverse("api:consents")).json()[0]
    assert (care["given"], care["asks_again"], care["given_version"]) == (False, True, None)
    now = timezone.now()
    care = app.put(reverse("api:consents"), {"version": care["version"], "care": True}).json()[0]
    assert (care["given"], care["asks_again"], care["given_version"]) == (True, False, care["version"])
    assert care["given_at"] >= now.isoformat()[:19]
