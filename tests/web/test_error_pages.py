"""Error pages show the trace id of the log and nothing else about the failure."""

from __future__ import annotations

import logging
import re
import uuid

import pytest
from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.http import Http404
from django.test import Client
from django.urls import reverse

from contract import logs
from teleder.audit.models import Entry
from teleder.cases.models import Photo
from teleder.security.rate_limits import RateLimitedError

pytestmark = pytest.mark.django_db
SECRET = "hanako-kanari"
# An error in a view, and the page that it causes.
FAILURES = {
    400: SuspiciousOperation(SECRET),
    403: PermissionDenied(SECRET),
    404: Http404(SECRET),
    429: RateLimitedError(60),
    500: RuntimeError(SECRET),
}
WORDS = {
    "en": {
        400: "This request is invalid",
        403: "You cannot open this page",
        404: "Page not found",
        429: "Too many",
        500: "went wrong",
    },
    "ja": {
        400: "読めません",
        403: "開けません",
        404: "ページが見つかりません",
        429: "多すぎます",
        500: "問題が起きました",
    },
}


@pytest.fixture
def lines(caplog) -> list[str]:
    """The log lines of all loggers."""
    formatter, reported = logs.JSONLines(), []

    class Kept(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            reported.append(formatter.format(record))

    handler = Kept()
    caplog.set_level(logging.INFO)
    logging.getLogger().addHandler(handler)
    yield reported
    logging.getLogger().removeHandler(handler)


def ask(person, language: str = "en", *, by_api: bool = False, **headers: str):
    person.language = language
    person.save(update_fields=["language"])
    client = Client(raise_request_exception=False)
    client.force_login(person)
    endpoint = "api:photo-file" if by_api else "web:photo"
    path = reverse(endpoint, args=[uuid.UUID(int=7), "display"])
    return client.get(path, headers={"Accept-Language": language, **headers})


@pytest.mark.parametrize("language", ["ja", "en"])
@pytest.mark.parametrize("status", FAILURES)
def test_an_error_page_shows_the_id_of_the_log_and_no_details(monkeypatch, alice, lines, status, language):
    monkeypatch.setattr("teleder.cases.files.serve", _raising(FAILURES[status]))
    answer = ask(alice, language)
    page = answer.content.decode()
    assert answer.status_code == status
    assert f'lang="{language}"' in page and WORDS[language][status] in page
    [trace] = re.findall(r"<code>([0-9a-f]{32})</code>", page)
    assert trace == answer["X-Request-ID"]
    assert [line for line in lines if trace in line and f" {status}," in line]
    assert SECRET not in page + "".join(lines)
    assert str(uuid.UUID(int=7)) not in page + "".join(lines)


def _raising(error: Exception):
    def fail(*_args, **_kwargs):
        raise error

    return fail


@pytest.mark.parametrize("status", FAILURES)
def test_a_problem_response_shows_the_id_of_the_log_and_no_details(monkeypatch, alice, lines, status):
    monkeypatch.setattr("teleder.cases.files.serve", _raising(FAILURES[status]))
    answer = ask(alice, by_api=True)
    problem = answer.json()
    assert answer.status_code == problem["status"] == status
    assert problem["trace_id"] == answer["X-Request-ID"]
    assert [line for line in lines if problem["trace_id"] in line]
    assert SECRET not in answer.content.decode() + "".join(lines)
    assert set(problem) <= {"type", "title", "status", "detail", "code", "trace_id"}


def test_the_traceback_is_logged_with_the_same_id(monkeypatch, alice, lines):
    monkeypatch.setattr("teleder.cases.files.serve", _raising(FAILURES[500]))
    trace = ask(alice)["X-Request-ID"]
    [reported] = [line for line in lines if '"error"' in line]
    assert trace in reported and "RuntimeError" in reported and "test_error_pages.py" in reported


@pytest.mark.parametrize("path", ["/accounts/login/", "/api/v1/consents"])
def test_a_request_without_a_form_token_gets_the_id_of_the_log(alice, path):
    client = Client(enforce_csrf_checks=True)
    client.force_login(alice)
    answer = client.post(path, {"note": SECRET}, headers={"Accept-Language": "en"})
    assert answer.status_code == 403
    assert answer["X-Request-ID"] in answer.content.decode()
    assert "CSRF" not in answer.content.decode()
    assert path.startswith("/api/") or "reload the page" in answer.content.decode()


@pytest.mark.parametrize(
    ("method", "content_type", "body", "status"),
    [
        ("PUT", "application/json", "{}", 405),
        ("POST", f"text/{SECRET}", "x", 415),
        ("POST", "application/json", f"{{{SECRET}", 400),
    ],
)
def test_an_unreadable_request_is_not_quoted(alice, method, content_type, body, status):
    client = Client()
    client.force_login(alice)
    answer = client.generic(
        method, "/api/v1/submissions", body, content_type, headers={"Accept-Language": "en"}
    )
    assert answer.status_code == status
    reported = answer.json()["detail"]
    assert SECRET not in answer.content.decode() and method not in reported and "line 1" not in reported


def test_an_unknown_address_is_not_quoted(client, lines):
    for path in (f"/{SECRET}", f"/api/{SECRET}"):
        answer = client.get(path, {"q": SECRET})
        assert answer.status_code == 404
        assert SECRET not in answer.content.decode()
    assert (
        client.get(f"/invitation/{SECRET}/").status_code == 410
    )  # an ordinary page for anybody with the link
    assert SECRET not in "".join(lines)
    assert sum("GET (no URL pattern) 404" in line for line in lines) == 2


# --- The id of a request ----------------------------------------------------------------------------------
def test_a_caller_may_set_the_request_id_only_to_a_uuid(client):
    given = str(uuid.uuid4())
    assert client.get("/healthz", headers={"X-Request-ID": given})["X-Request-ID"] == given
    for bad in (SECRET, "a\r\nSet-Cookie: b=c", given.upper(), given + " "):
        answered = client.get("/healthz", headers={"X-Request-ID": bad})["X-Request-ID"]
        assert re.fullmatch("[0-9a-f]{32}", answered)


def test_the_id_is_stored_with_the_photo_and_in_the_audit_log(client, alice, alices_draft, photo_file):
    client.force_login(alice)
    form = {"photo": photo_file(), "view": "close_up"}
    answer = client.post(reverse("web:add_photo", args=[alices_draft.pk]), form)
    trace = answer["X-Request-ID"]
    assert Photo.objects.filter(trace=trace).count() == 1
    assert Entry.objects.filter(trace=trace, door="web:add_photo").count() == 1


def test_a_line_names_the_url_pattern_and_no_url(client, alice, alices_submission, lines):
    client.force_login(alice)
    client.get(reverse("web:submission", args=[alices_submission.pk]), {"q": SECRET})
    [reported] = [line for line in lines if "request_log" in line]
    assert "<uuid:pk>" in reported and " 200," in reported
    assert str(alices_submission.pk) not in reported and SECRET not in reported


@pytest.mark.browser
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("language", ["ja", "en"])
@pytest.mark.parametrize("size", ["phone", "desk"])
def test_an_error_page_is_accessible(visit, is_accessible, size, language):
    page = visit(size=size, language=language)
    page.goto("/no-such-page")
    is_accessible(page, language)
    for stop in ("a.brand", "a.sos", "a.btn"):
        page.keyboard.press("Tab")
        assert page.evaluate("stop => document.activeElement.matches(stop)", stop)


OTHERS = {
    "another host name": {"HTTP_HOST": "box-8000.preview.example"},
    "a path of another site": {"HTTP_X_FORWARDED_PREFIX": "/proxy/8000"},
    "a path of a notebook": {"HTTP_X_FORWARDED_CONTEXT": "/user/hanako/proxy/8000"},
}


@pytest.mark.parametrize("name", OTHERS)
@pytest.mark.parametrize(("language", "words"), [("en", "another address"), ("ja", "別のアドレス")])
def test_an_address_that_is_not_the_sites_is_refused_in_a_sentence(name, language, words, settings):
    settings.ALLOWED_HOSTS = ["localhost"]
    answer = Client(HTTP_HOST="localhost").get("/", HTTP_ACCEPT_LANGUAGE=language, **OTHERS[name])
    assert answer.status_code == 400
    text = answer.content.decode()
    assert words in text and "TELEDER_HOSTS" in text and "preview.example" not in text
    by_api = Client(HTTP_HOST="localhost").get("/api/v1/me", **OTHERS[name])
    assert by_api.status_code == 400 and by_api.json()["code"] == "bad_request"


@pytest.mark.parametrize("headers", [{"HTTP_HOST": "localhost:9000"}, {"HTTP_X_FORWARDED_PREFIX": "/"}])
def test_another_port_or_no_path_is_fine(headers, settings):
    """A port that a person forwards to ours is part of the same address."""
    settings.ALLOWED_HOSTS = ["localhost"]
    assert Client(HTTP_HOST="localhost").get("/", **headers).status_code in (200, 302)
