"""Alice requests her data or its erasure through the API: it needs her password again and is audited."""

from __future__ import annotations

import io
import zipfile

import pytest
from knox.models import AuthToken

from teleder.accounts.models import User
from teleder.audit.models import Entry, Verb
from teleder.privacy.models import Erasure
from tests.api.conftest import API
from tests.api.description import DescribedClient
from tests.conftest import PASSWORD

pytestmark = pytest.mark.django_db
ENDPOINTS = ("export", "erasure")


@pytest.fixture
def app(alice) -> DescribedClient:
    client = DescribedClient(HTTP_ACCEPT_LANGUAGE="en")
    client.credentials(HTTP_AUTHORIZATION=f"Token {AuthToken.objects.create(alice)[1]}")
    return client


@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_a_stolen_token_alone_is_refused(app, alice, endpoint):
    assert app.post(f"{API}/me/data/{endpoint}", {}).status_code == 400
    answer = app.post(f"{API}/me/data/{endpoint}", {"password": "guessed"})
    assert (answer.status_code, answer.json()["code"]) == (401, "wrong_credentials")
    assert not Erasure.objects.exists()
    assert not Entry.objects.filter(verb=Verb.EXPORT, person=alice.pk).exists()


@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_failed_credentials_count_as_at_log_in(app, settings, endpoint):
    settings.EXPORTS_PER_PATIENT_PER_HOUR = 100  # this limit must not be the one that stops them
    for _try in range(10):
        app.post(f"{API}/me/data/{endpoint}", {"password": "guessed"})
    assert app.post(f"{API}/me/data/{endpoint}", {"password": PASSWORD}).status_code == 429


def test_alice_gets_her_zip_and_the_export_is_audited(app, alice, submission_of):
    submission = submission_of(alice)
    answer = app.post(f"{API}/me/data/export", {"password": PASSWORD}, HTTP_ACCEPT="application/zip")
    assert answer.status_code == 200
    assert "no-store" in answer["Cache-Control"]
    assert alice.name not in answer["Content-Disposition"]
    names = zipfile.ZipFile(io.BytesIO(b"".join(answer.streaming_content))).namelist()
    assert {"data.json", "schema.json", "README.txt"} < set(names)
    entry = Entry.objects.first()
    assert (entry.verb, entry.person, entry.door) == (Verb.EXPORT, alice.pk, "api:export")
    assert entry.cases == [submission.case_id]


def test_exports_have_a_limit(app, settings):
    settings.EXPORTS_PER_PATIENT_PER_HOUR = 1
    assert app.post(f"{API}/me/data/export", {"password": PASSWORD}).status_code == 200
    refused = app.post(f"{API}/me/data/export", {"password": PASSWORD})
    assert refused.status_code == 429
    assert int(refused["Retry-After"]) > 0


def test_alice_requests_erasure_and_cancels_it(app, alice):
    asked = app.post(f"{API}/me/data/erasure", {"password": PASSWORD})
    assert asked.status_code == 202
    assert app.get(f"{API}/me/data").json()["erasure"] == asked.json()
    assert [app.delete(f"{API}/me/data/erasure").status_code for _twice in range(2)] == [204, 204]
    assert app.get(f"{API}/me/data").json()["erasure"] is None
    assert User.objects.filter(pk=alice.pk).exists()


def test_the_api_says_in_her_language_what_the_erasure_waits_for(app, alice, submission_of):
    submission_of(alice)
    data = app.get(f"{API}/me/data", HTTP_ACCEPT_LANGUAGE="ja").json()
    assert (data["consultations"], data["photos"]) == (1, 1)
    assert "まだお返事していない" in data["waits_for"][0]
