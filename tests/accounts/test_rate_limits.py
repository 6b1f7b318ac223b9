"""Rate limits: on pages and API, across many processes, and without Valkey."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier

import pytest
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from knox.models import AuthToken
from redis.client import Pipeline
from redis.exceptions import TimeoutError as RedisTimeout

from teleder.cases import intake, originals
from teleder.cases.models import Photo
from teleder.cases.originals import RefusedError
from teleder.security import rate_limits
from tests.conftest import CALM, JPEG_HEAD

pytestmark = pytest.mark.django_db
ME = "/api/v1/me"


def bearing(person) -> Client:
    return Client(headers={"Authorization": f"Token {AuthToken.objects.create(person)[1]}"})


def statuses(ask, times: int) -> list[int]:
    return [ask().status_code for _ in range(times)]


def must_wait(response) -> bool:
    return response.status_code == 429 and int(response["Retry-After"]) > 0


# --- The API ----------------------------------------------------------------------------------------------
def test_alice_is_limited_and_sees_how_long_to_wait(settings, alice):
    settings.API_REQUESTS_PER_PERSON_PER_MINUTE = 3
    client = bearing(alice)
    assert statuses(lambda: client.get(ME), 3) == [200] * 3
    refused = client.get(ME)
    assert must_wait(refused)
    assert refused["Content-Type"] == "application/problem+json"
    assert refused.json()["code"] == "throttled"


def test_bobs_limit_is_independent_of_alices_requests(settings, alice, bob):
    settings.API_REQUESTS_PER_PERSON_PER_MINUTE = 1
    hers = bearing(alice)
    assert statuses(lambda: hers.get(ME), 2) == [200, 429]
    assert bearing(bob).get(ME).status_code == 200


def test_alices_devices_share_one_limit(settings, alice):
    settings.API_REQUESTS_PER_PERSON_PER_MINUTE = 2
    devices = [bearing(alice) for _ in range(3)]
    assert [device.get(ME).status_code for device in devices] == [200, 200, 429]


def test_every_answer_shows_the_remaining_requests(settings, alice):
    settings.API_REQUESTS_PER_PERSON_PER_MINUTE = 5
    answer = bearing(alice).get(ME)
    assert answer["RateLimit-Policy"] == '"address";q=3000;w=60, "person";q=5;w=60'
    assert '"person";r=4;t=' in answer["RateLimit"]


def test_a_flood_of_wrong_tokens_is_cut_off(settings):
    settings.API_REQUESTS_PER_ADDRESS_PER_MINUTE = 2
    client = Client(headers={"Authorization": "Token " + "0" * 64})
    assert statuses(lambda: client.get(ME), 3) == [401, 401, 429]


def test_counting_restarts_with_the_next_minute(settings, alice, limits_clock):
    settings.API_REQUESTS_PER_PERSON_PER_MINUTE = 1
    client, limits_clock[0] = bearing(alice), 59.9
    assert statuses(lambda: client.get(ME), 2) == [200, 429]
    limits_clock[0] = 60.0
    assert client.get(ME).status_code == 200


def test_a_claimed_client_address_does_not_change_the_count(settings):
    settings.API_REQUESTS_PER_ADDRESS_PER_MINUTE = 2
    answers = [Client().get(ME, headers={"X-Forwarded-For": f"203.0.113.{n}"}) for n in range(3)]
    assert [answer.status_code for answer in answers] == [401, 401, 429]


def test_behind_our_proxy_clients_are_distinguished_by_its_header(settings):
    settings.API_REQUESTS_PER_ADDRESS_PER_MINUTE, settings.ALLAUTH_TRUSTED_PROXY_COUNT = 1, 1
    said = ["9.9.9.9, 203.0.113.1", "8.8.8.8, 203.0.113.1", "203.0.113.2"]
    answers = [Client().get(ME, headers={"X-Forwarded-For": each}) for each in said]
    assert [answer.status_code for answer in answers] == [401, 429, 401]


def test_requests_for_tokens_from_one_address_are_limited(settings):
    settings.TOKENS_PER_ADDRESS_PER_MINUTE = 2
    ask = {"path": reverse("api:tokens"), "data": {}, "content_type": "application/json"}
    assert statuses(lambda: Client().post(**ask), 3) == [400, 400, 429]


# --- What patients send -----------------------------------------------------------------------------------
def add_by_page(client, draft, upload, **headers):
    path = reverse("web:add_photo", args=[draft.pk])
    return client.post(path, {"photo": upload, "view": "close_up"}, headers=headers)


def add_by_api(client, draft, upload):
    return client.post(reverse("api:photos", args=[draft.pk]), {"file": upload, "view": "close_up"})


def test_alices_uploads_by_page_and_by_app_are_counted_together(
    client, settings, alice, alices_draft, photo_file
):
    settings.UPLOADS_PER_PATIENT_PER_MINUTE = 2
    client.force_login(alice)
    assert add_by_page(client, alices_draft, photo_file()).status_code == 302
    assert add_by_api(bearing(alice), alices_draft, photo_file()).status_code == 201
    assert must_wait(add_by_page(client, alices_draft, photo_file()))
    assert must_wait(add_by_api(bearing(alice), alices_draft, photo_file()))


def test_the_refusal_is_a_page_in_her_language_with_advice(client, settings, person, draft_of, photo_file):
    settings.UPLOADS_PER_PATIENT_PER_MINUTE = 0
    hana = person("hana", language="ja")
    client.force_login(hana)
    refused = add_by_page(client, draft_of(hana), photo_file())
    assert must_wait(refused)
    page = refused.content.decode()
    assert '<html lang="ja">' in page and "少し待ってから" in page and "119" in page


def test_the_upload_script_gets_only_the_sentence(client, settings, alice, alices_draft, photo_file):
    settings.PHOTOS_PER_PATIENT_PER_DAY = 1
    client.force_login(alice)
    refused = add_by_page(client, alices_draft, photo_file(), **{"X-Photo-Script": "1"})
    assert must_wait(refused)
    assert refused.content.startswith(b"That is all we can take from you today.")


def test_submissions_per_hour_are_limited(client, settings, alice):
    settings.SUBMISSIONS_PER_PATIENT_PER_HOUR = 1
    client.force_login(alice)
    another = reverse("web:new") + "?another=1"
    assert client.post(reverse("web:new"), {"answer": "no"}).status_code == 303
    assert must_wait(client.post(another, {"answer": "no"}))
    by_app = bearing(alice).post(reverse("api:submissions"), {"answers": CALM}, "application/json")
    assert must_wait(by_app)
    assert client.get(reverse("web:new")).status_code == 200


@pytest.mark.parametrize("setting", ["PHOTOS_PER_PATIENT_PER_DAY", "BYTES_PER_PATIENT_PER_DAY"])
def test_photos_and_bytes_per_day_are_limited(settings, valkey_is_gone, alice, draft_of, photo_file, setting):
    first, second = draft_of(alice), draft_of(alice)
    setattr(settings, setting, 2 if setting.startswith("PHOTOS") else 3 * photo_file().size - 1)
    refused = add_by_api(bearing(alice), second, photo_file())
    assert must_wait(refused)
    assert refused.json()["code"] == "daily_limit"
    assert 86_000 < int(refused["Retry-After"]) <= 86_401
    Photo.objects.filter(submission=first).update(created_at=timezone.now() - timedelta(hours=25))
    assert add_by_api(bearing(alice), second, photo_file()).status_code == 201


def test_a_repeat_of_the_last_photo_of_the_day_is_answered(settings, alice, alices_draft, photo_file):
    settings.PHOTOS_PER_PATIENT_PER_DAY = 2
    last = photo_file(content=JPEG_HEAD + b"the last one")
    taken = add_by_api(bearing(alice), alices_draft, last)
    last.seek(0)
    again = add_by_api(bearing(alice), alices_draft, last)
    assert (taken.status_code, again.status_code, again.json()["id"]) == (201, 201, taken.json()["id"])


def test_a_removed_photo_still_counts_for_the_day(settings, alice, alices_draft, photo_file):
    settings.PHOTOS_PER_PATIENT_PER_DAY = 1
    intake.remove_photo(alices_draft.photos.get())
    with pytest.raises(RefusedError):
        intake.add_photo(alices_draft, view="close_up", upload=photo_file())


@pytest.mark.django_db(transaction=True)
def test_of_two_simultaneous_photos_only_one_is_accepted_as_the_last(
    settings, monkeypatch, alice, draft_of, photo_file
):
    settings.PHOTOS_PER_PATIENT_PER_DAY = 1
    both, store = Barrier(2), originals.store

    def store_together(*file):
        both.wait(10)  # both have passed the first check
        return store(*file)

    def is_taken(draft) -> bool:
        try:
            intake.add_photo(draft, view="close_up", upload=photo_file())
        except RefusedError:
            return False
        finally:
            connection.close()
        return True

    drafts = [draft_of(alice, photos=0) for _ in range(2)]
    monkeypatch.setattr(originals, "store", store_together)
    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(is_taken, drafts)) == [False, True]


# --- Many processes, and no Valkey ------------------------------------------------------------------------
COUNT = """
import django, sys; django.setup()
from teleder.security import rate_limits
rate_limits.now = lambda: float(sys.argv[1])
print(sum(not rate_limits.count_request((rate_limits.UPLOADS, "alice"))[0].is_over for _ in range(20)))
"""


def test_four_processes_share_one_limit(settings, limits_clock):
    settings.UPLOADS_PER_PATIENT_PER_MINUTE = 30
    environment = os.environ | {
        "REDIS_URL": settings.REDIS_URL,
        "DJANGO_SETTINGS_MODULE": "teleder.settings",
    }
    started = [
        subprocess.Popen(
            [sys.executable, "-c", COUNT, str(limits_clock[0])], env=environment, stdout=subprocess.PIPE
        )
        for _ in range(4)
    ]
    assert sum(int(each.communicate()[0]) for each in started) == 30


def test_a_flush_of_valkey_during_a_request_restarts_counting(monkeypatch):
    limit = rate_limits.Limit("anything", "UPLOADS_PER_PATIENT_PER_MINUTE")
    execute = Pipeline.execute

    def lose_what_was_set(calls):
        calls.command_stack = [one for one in calls.command_stack if one[0][0] != "SET"]
        return [True, *execute(calls)]

    monkeypatch.setattr(Pipeline, "execute", lose_what_was_set)
    [usage] = rate_limits.count_request((limit, "alice"))
    assert usage.used == 1 and not usage.is_over


def test_without_valkey_alice_reads_and_sends(client, valkey_is_gone, alice, alices_draft, photo_file):
    client.force_login(alice)
    assert client.get(reverse("web:inbox")).status_code == 200
    assert bearing(alice).get(ME).status_code == 200
    assert add_by_page(client, alices_draft, photo_file()).status_code == 302
    assert add_by_api(bearing(alice), alices_draft, photo_file()).status_code == 201


def test_a_request_waits_only_once_for_a_hanging_valkey(monkeypatch, alice, alices_draft, photo_file):
    asked = []

    def hang(calls):
        asked.append(calls)
        raise RedisTimeout

    monkeypatch.setattr(Pipeline, "execute", hang)
    assert add_by_api(bearing(alice), alices_draft, photo_file()).status_code == 201
    assert len(asked) == 1


def test_data_in_valkey_is_never_executed(client):
    """Workers that read untrusted uploads can write to Valkey, so the cache must not use pickle."""
    with pytest.raises(ValueError):
        rate_limits.JSONSerializer().loads(b"\x80\x05K*.")
