"""Bad input at every endpoint: a clear 4xx with a reason, never a 500, and nothing stored."""

from __future__ import annotations

import uuid
from datetime import timedelta

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import OperationalError
from django.utils import timezone
from knox.models import AuthToken
from rest_framework.test import APIClient

from teleder.audit import entries
from teleder.cases import intake
from teleder.cases.models import Photo, Submission
from tests.api.conftest import API
from tests.conftest import CALM

pytestmark = pytest.mark.django_db
JPEG = b"\xff\xd8\xff\xe0" + b"\x00" * 200


def problem_code(response, *statuses: int) -> str:
    """Return the code of a problem response, which must explain the problem in words."""
    assert response.status_code in statuses, response.content[:300]
    assert response.headers["Content-Type"] == "application/problem+json"
    problem = response.json()
    assert problem["status"] == response.status_code
    assert len(problem["detail"]) > 5 and problem["trace_id"]
    return problem["code"]


@pytest.fixture
def photos_of(alices_draft) -> str:
    return f"{API}/submissions/{alices_draft.pk}/photos"


def test_an_unavailable_database_is_reported_as_503(as_alice, photos_of, monkeypatch):
    """In drill R6 a restart of PostgreSQL caused 68 answers 500."""

    def away(*_args, **_rest):
        raise OperationalError("server closed the connection unexpectedly")

    monkeypatch.setattr(intake, "add_photo", away)
    upload = {"view": "close_up", "file": SimpleUploadedFile("a.jpg", JPEG)}
    answer = as_alice.post(photos_of, upload, format="multipart")
    assert (problem_code(answer, 503), answer["Retry-After"]) == ("unavailable", "5")


@pytest.mark.parametrize("is_api", [True, False])
def test_a_database_that_fails_between_view_and_answer_is_503(
    is_api, client, as_alice, alice, alices_submission, monkeypatch
):
    """The audit entry is written last: in drill R6 a restart of PostgreSQL at that moment caused a 500."""

    def away(*_entry, **_more):
        raise OperationalError("server closed the connection unexpectedly")

    monkeypatch.setattr(entries, "write_entry", away)
    client.force_login(alice)
    asking, page = (
        (as_alice, f"{API}/submissions/{alices_submission.pk}")
        if is_api
        else (client, alices_submission.get_absolute_url())
    )
    asking.raise_request_exception = False
    answer = asking.get(page)
    assert (answer.status_code, answer["Retry-After"]) == (503, "5")
    assert not is_api or problem_code(answer, 503) == "unavailable"


@pytest.mark.parametrize(
    ("name", "content", "code", "status"),
    [
        ("empty.jpg", b"", "empty_file", 422),
        ("page.jpg", b"<html><script>alert(1)</script></html>", "unsupported_format", 415),
        ("huge.jpg", JPEG + b"\x00" * (30 * 1024 * 1024), "file_too_large", 413),
    ],
)
def test_a_file_that_is_not_a_photo_is_refused(as_alice, photos_of, name, content, code, status):
    before = Photo.objects.count()
    upload = {"view": "close_up", "file": SimpleUploadedFile(name, content)}
    assert problem_code(as_alice.post(photos_of, upload, format="multipart"), status) == code
    assert Photo.objects.count() == before


@pytest.mark.parametrize(
    "form",
    [
        {},
        {"view": "close_up"},
        {"view": "close_up", "file": "not a file"},
        {"view": "selfie", "file": SimpleUploadedFile("a.jpg", JPEG)},
        {"file": SimpleUploadedFile("a.jpg", JPEG)},
        {"view": "close_up", "file": SimpleUploadedFile("a.jpg", JPEG), "more": "x"},
        {
            "view": "close_up",
            "file": SimpleUploadedFile("a.jpg", JPEG),
            "other": SimpleUploadedFile("b.jpg", JPEG),
        },
    ],
)
def test_an_upload_without_exactly_one_photo_and_slot_is_refused(as_alice, photos_of, form):
    problem_code(as_alice.post(photos_of, form, format="multipart"), 400)


@pytest.mark.parametrize(
    "body",
    [
        {},
        [],
        None,
        "answers",
        {"answers": None},
        {"answers": []},
        {"answers": {**CALM, "fever": "maybe"}},
        {"answers": {**CALM, "fever": 1}},
        {"answers": {**CALM, "unknown": "no"}},
        {"answers": {name: CALM[name] for name in list(CALM)[1:]}},
        {"answers": CALM, "patient": "someone"},
    ],
)
def test_invalid_answers_open_no_case(as_alice, body):
    problem_code(as_alice.post(f"{API}/submissions", body), 400)
    assert not Submission.objects.exists()


@pytest.mark.parametrize(
    "body",
    [
        {"body_site": "moon"},
        {"body_site": 7},
        {"body_site": None},
        {"places": []},
        {"places": "hand.left"},
        {"places": ["neck.left"]},
        {"places": ["hand.left"] * 7},
        {"history": {"itch": 11}},
        {"history": {"itch": "much"}},
        {"history": {"symptoms": "itch"}},
        {"history": {"symptoms": ["x"]}},
        {"history": {"allergies": "x" * 100_000}},
        {"history": []},
        {"status": "answered"},
    ],
)
def test_an_invalid_description_is_refused(as_alice, alices_draft, body):
    problem_code(as_alice.patch(f"{API}/submissions/{alices_draft.pk}", body), 400)


@pytest.mark.parametrize("raw", [b"{", b"\xff\xfe", b'{"answers": ' + b"[" * 100_000, b'"\\ud800"', b"NaN"])
def test_invalid_json_is_refused(as_alice, raw):
    problem_code(as_alice.generic("POST", f"{API}/submissions", raw, content_type="application/json"), 400)


def test_another_content_type_is_refused(as_alice):
    sent = as_alice.generic("POST", f"{API}/submissions", b"<x/>", content_type="application/xml")
    problem_code(sent, 415)


def test_too_much_json_is_refused_before_it_is_read(as_alice):
    problem_code(as_alice.post(f"{API}/submissions", {"answers": {"a": "x" * 5_000_000}}), 400, 413)


@pytest.mark.parametrize("key", ["x" * 101, "a\tb"])
def test_an_invalid_idempotency_key_is_refused(as_alice, key):
    problem_code(as_alice.post(f"{API}/submissions", {"answers": CALM}, HTTP_IDEMPOTENCY_KEY=key), 400)


def test_someone_elses_answers_exactly_like_an_unknown_one(as_bob, alices_submission):
    def asked(kind: str, pk) -> tuple:
        answer = as_bob.get(f"{API}/{kind}/{pk}")
        return problem_code(answer, 404), answer.json()["detail"], answer.json()["title"]

    theirs = {"submissions": alices_submission.pk, "cases": alices_submission.case_id}
    theirs["photos"] = alices_submission.photos.get().pk
    for kind, pk in theirs.items():
        assert asked(kind, pk) == asked(kind, uuid.uuid4())


@pytest.mark.parametrize(
    "header", ["Token nonsense", "Token", "Token a b", "Basic YTpi", "Token " + "a" * 5000]
)
def test_an_invalid_token_is_refused(header):
    client = APIClient(HTTP_AUTHORIZATION=header)
    assert problem_code(client.get(f"{API}/me"), 401)
    assert client.get(f"{API}/me").headers["WWW-Authenticate"]


def test_errors_are_in_the_persons_language_unless_another_is_requested(alice):
    alice.language = "en"
    alice.save()
    _row, token = AuthToken.objects.create(alice)
    client = APIClient(HTTP_AUTHORIZATION=f"Token {token}")
    own, asked = (
        client.get(f"{API}/submissions/{uuid.uuid4()}", headers=headers).json()["detail"]
        for headers in ({}, {"accept-language": "ja"})
    )
    assert own.isascii() and not asked.isascii()


def test_an_expired_token_is_refused(alice):
    _row, token = AuthToken.objects.create(alice, expiry=timedelta(hours=1))
    client = APIClient(HTTP_AUTHORIZATION=f"Token {token}")
    assert client.get(f"{API}/me").status_code == 200
    AuthToken.objects.update(expiry=timezone.now() - timedelta(seconds=1))
    problem_code(client.get(f"{API}/me"), 401)


@pytest.mark.parametrize("cursor", ["x", "%00", "cD0x", "💥"])
def test_an_invalid_cursor_is_refused(as_dana, cursor):
    problem_code(as_dana.get(f"{API}/worklist", {"cursor": cursor}), 400)


@pytest.mark.parametrize("password", ["", "wrong", "x" * 10_000, "a\x00b"])
def test_a_failed_log_in_does_not_reveal_whether_the_person_exists(alice, password):
    def tried(email: str) -> tuple:
        answer = APIClient().post(f"{API}/tokens", {"email": email, "password": password})
        return problem_code(answer, 400, 401, 403), answer.json()["detail"]

    assert tried(alice.email) == tried("nobody@example.com")
