"""The access matrix: every URL by every person, method and kind of authentication.

A new address without a line in `PAGES`, `API` or `TABLES` fails. Each request runs in a transaction that is rolled
back, so that each person sees the same record.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote

import pytest
from django.core.cache import cache
from django.db import connection, transaction
from django.http import HttpResponse
from django.test import Client
from django.urls import URLResolver, get_resolver
from knox.models import AuthToken

from teleder.accounts import people

pytestmark = pytest.mark.django_db

PEOPLE = ("anonymous", "alice", "bob", "dana", "nora", "adam", "noel", "sue", "sam")
METHODS = ("get", "post", "put", "patch", "delete", "head", "options")
ALL = frozenset(PEOPLE)  # sam's session and token ended with the suspension: he is anonymous
PERSON = ALL - {"anonymous", "sam"}
PATIENT, OWNER = frozenset({"alice", "bob"}), frozenset({"alice"})
DERMATOLOGIST, ADMIN = frozenset({"dana", "nora"}), frozenset({"adam", "noel", "sue"})
HER_DERMATOLOGIST, HER_ADMIN = (
    frozenset({"dana"}),
    frozenset({"adam", "sue"}),
)  # of the clinic of alice's case
HER_CLINIC, STAFF = HER_DERMATOLOGIST | HER_ADMIN, DERMATOLOGIST | ADMIN
NOBODY: frozenset[str] = frozenset()

Line = dict[str, frozenset[str]]


def form(who: frozenset[str]) -> Line:
    """Django's FormView treats PUT as POST."""
    return {"get": who, "post": who, "put": who}


def step(who: frozenset[str]) -> Line:
    """A GET redirects to the page of the case."""
    return {"get": who, "post": who}


def read(who: frozenset[str]) -> Line:
    return {"get": who}


def act(who: frozenset[str]) -> Line:
    return {"post": who}


# name: method -> who may reach alice's object (even if an empty request is then refused)
API: dict[str, Line] = {
    "tokens": act(ALL),
    "current-token": {"delete": PERSON},
    "me": {"get": PERSON, "patch": PERSON},
    "data": read(PATIENT),
    "export": act(PATIENT),
    "erasure": {"post": PATIENT, "delete": PATIENT},
    "inbox": read(PERSON),
    "inbox-read": act(PERSON),
    "consents": {"get": PATIENT, "put": PATIENT},
    "children": {"get": PATIENT, "post": PATIENT},
    "child": read(OWNER),
    "child-consents": {"get": OWNER, "put": OWNER},
    "child-data": read(OWNER),
    "child-export": act(OWNER),
    "child-erasure": {"post": OWNER, "delete": OWNER},
    "hand-over": {"post": OWNER, "delete": OWNER},
    "questionnaire": read(PERSON),
    "cases": read(PERSON),
    "case": read(OWNER | HER_CLINIC),
    "follow-ups": act(OWNER),
    "submissions": {"get": PERSON, "post": PATIENT},
    "submission": {"get": OWNER | HER_CLINIC, "patch": OWNER},
    "submission-status": read(OWNER | HER_CLINIC),
    "photos": {"get": OWNER | HER_CLINIC, "post": OWNER},
    "submit": act(OWNER),
    "withdraw": act(OWNER | HER_ADMIN),
    "restore": act(OWNER),
    "answer-pdf": read(OWNER),
    "questions": {"get": OWNER | HER_CLINIC, "post": OWNER},
    "share-links": {"get": OWNER, "post": OWNER},
    "share-link": {"delete": OWNER},
    "reply": act(HER_DERMATOLOGIST),
    "photo": {"get": OWNER | HER_CLINIC, "delete": OWNER},
    "send-anyway": act(OWNER),
    "photo-file": read(OWNER | HER_CLINIC),
    "worklist": read(STAFF),
    "claim": act(HER_DERMATOLOGIST),
    "keep-claim": act(HER_DERMATOLOGIST),
    "release": act(HER_CLINIC),
    "request-photos": {"post": HER_DERMATOLOGIST, "delete": HER_DERMATOLOGIST},
    "diagnoses": read(STAFF),
    "reply-template": read(DERMATOLOGIST),
    "hand-case-over": {"get": HER_CLINIC, "post": HER_DERMATOLOGIST},
    "opinions": {"get": HER_CLINIC, "post": HER_DERMATOLOGIST},
    "opinion-answer": act(NOBODY),  # a question to nobody here is a 404
    "snooze": {"post": HER_DERMATOLOGIST, "delete": HER_DERMATOLOGIST},
    "impression": act(HER_DERMATOLOGIST),
    "findings": read(HER_CLINIC),
    "full-copy": {"get": HER_CLINIC, "post": HER_DERMATOLOGIST},
    "distances": {"get": HER_CLINIC, "post": HER_DERMATOLOGIST},
    "drawn-crops": {"get": HER_CLINIC, "post": HER_DERMATOLOGIST},
    "reviews": {"get": OWNER | HER_CLINIC, "post": HER_DERMATOLOGIST},
    "amendments": act(HER_DERMATOLOGIST),
    "held-answer": {"delete": HER_DERMATOLOGIST},  # a GET of an answer that is not held is a 404
    "take-back": act(HER_DERMATOLOGIST),
    "close": act(HER_CLINIC),
    "reassign": act(HER_CLINIC),
    "reopen": act(HER_ADMIN),
    "jobs": read(ADMIN),
    "requeue": act(HER_ADMIN),
    "cancel": act(HER_ADMIN),
    "queues": read(ADMIN),
    "schema": read(ALL),
    "docs": read(ALL),
}
PAGES: dict[str, Line] = {
    "healthz": read(ALL),
    "readyz": read(ALL),
    "metrics": {},  # its own token, see tests/web/test_metrics.py
    "status": read(ADMIN),
    "web:home": read(ALL),
    "web:emergency": read(ALL),
    "web:offline": read(ALL),
    "web:clinic_text": read(ALL),
    "web:clinic_text_version": read(ALL - {"nora", "noel", "sue"}),  # their clinics have no version
    "web:service_worker": read(ALL),
    "web:language": act(ALL),
    "web:invitation": {"get": ALL, "post": ALL},  # anybody with the link
    "web:add_child": {"get": PATIENT, "post": PATIENT},
    "web:guardian_needed": read(PATIENT),
    "web:child": {"get": OWNER, "post": OWNER},
    "web:child_consent": act(OWNER),
    "web:hand_over": act(OWNER),
    "web:invite_guardian": act(OWNER),
    "web:remove_guardian": act(OWNER),
    "web:join": {"get": PATIENT, "post": PATIENT},  # whoever has the link and its address
    "web:child_data": read(OWNER),
    "web:export_child_data": act(OWNER),
    "web:erase_child_data": act(OWNER),
    "web:keep_child_data": act(OWNER),
    "web:take_over": {"get": ALL, "post": ALL},  # anybody with the link
    "web:settings": {"get": PERSON, "post": PERSON},
    "web:photo": read(OWNER | HER_CLINIC),
    # Patients
    "web:name": {"get": PATIENT, "post": PATIENT},
    "web:welcome": {"get": PATIENT, "post": PATIENT},
    "web:new": {"get": PATIENT, "post": PATIENT},
    "web:inbox": read(PATIENT),
    "web:in_progress": read(PATIENT),
    "web:consent": act(PATIENT),
    "web:display": act(PATIENT),
    "web:end_device": act(OWNER),
    "web:end_other_devices": act(PATIENT),
    "web:data": read(PATIENT),
    "web:export_data": act(PATIENT),
    "web:erase_data": act(PATIENT),
    "web:keep_data": act(PATIENT),
    "web:follow_up": {"get": OWNER, "post": OWNER},
    "web:submission": read(OWNER),
    "web:status": read(OWNER),
    "web:ask_back": {"get": OWNER, "post": OWNER},
    "web:share": {"get": OWNER, "post": OWNER},
    "web:unshare": act(NOBODY),  # 404 without the id of a link: tests/cases/test_sharing.py
    "web:shared": read(ALL),  # whoever has the link
    "web:shared_photo": read(ALL),
    "web:answer_pdf": read(OWNER),
    "web:next_photo": read(OWNER),
    "web:looks": read(OWNER),
    "web:advice": read(OWNER),
    "web:answers": read(OWNER),
    "web:question": {"get": OWNER, "post": OWNER},
    "web:history": {"get": OWNER, "post": OWNER},
    "web:about": {"get": OWNER, "post": OWNER},
    "web:photos": read(OWNER),
    "web:tiles": read(OWNER),
    "web:add_photo": act(OWNER),
    "web:missing_photo": {"get": OWNER, "post": OWNER},
    "web:send": {"get": OWNER, "post": OWNER},
    "web:withdraw": act(OWNER),
    "web:restore": act(OWNER),
    "web:remove_photo": act(OWNER),
    "web:send_photo_anyway": act(OWNER),
    # Dermatologists
    "web:worklist": read(DERMATOLOGIST),
    "web:claim_next": act(DERMATOLOGIST),
    "web:recent_answers": read(DERMATOLOGIST),
    "web:reading_study": read(STAFF),
    "web:reading_study_csv": read(STAFF),
    "web:set_ai_opening": act(ADMIN),
    "web:own_texts": {"get": DERMATOLOGIST, "post": DERMATOLOGIST},
    "web:reply_templates": read(STAFF),
    "web:reply_template": {"get": STAFF, "post": STAFF},
    "web:review": read(HER_DERMATOLOGIST),
    "web:review_state": read(HER_DERMATOLOGIST),
    "web:claim": act(HER_DERMATOLOGIST),
    "web:release": step(HER_DERMATOLOGIST),
    "web:keep_claim": step(HER_DERMATOLOGIST),
    "web:request_photos": step(HER_DERMATOLOGIST),
    "web:withdraw_photo_request": step(HER_DERMATOLOGIST),
    "web:hand_case_over": {"get": HER_DERMATOLOGIST, "post": HER_DERMATOLOGIST},
    "web:ask_opinion": {"get": HER_DERMATOLOGIST, "post": HER_DERMATOLOGIST},
    "web:give_opinion": read(HER_DERMATOLOGIST),  # a POST without the id of a question is a 404
    "web:impression": step(HER_DERMATOLOGIST),
    "web:reply": read(HER_DERMATOLOGIST),  # a POST without the id of a question is a 404
    "web:answer": step(HER_DERMATOLOGIST),
    "web:keep_draft": step(HER_DERMATOLOGIST),
    "web:undo": step(HER_DERMATOLOGIST),
    "web:send_now": step(HER_DERMATOLOGIST),
    "web:take_back": step(HER_DERMATOLOGIST),
    "web:prepare_photo": step(HER_DERMATOLOGIST),
    "web:acknowledge": act(HER_CLINIC),
    "web:strip": read(STAFF),
    "web:assign": step(DERMATOLOGIST),
    "web:snooze": step(DERMATOLOGIST),
    "web:row_preview": read(HER_DERMATOLOGIST),
    "web:end_snooze": step(HER_DERMATOLOGIST),
    "web:distances": read(HER_DERMATOLOGIST),
    "web:check_distances": step(HER_DERMATOLOGIST),
    "web:full_copy": read(HER_DERMATOLOGIST),
    "web:make_full_copy": step(HER_DERMATOLOGIST),
    "web:drawn_crops": read(HER_DERMATOLOGIST),
    "web:draw_crop": step(HER_DERMATOLOGIST),
    # Admins
    "web:operations": read(ADMIN),
    "web:acknowledge_alert": act(ADMIN),
    "web:runbook": read(ADMIN),
    "web:change_jobs": act(ADMIN),
    "web:models": read(ADMIN),
    "web:cases_admin": read(ADMIN),
    "web:reassign_cases": act(ADMIN),
    "web:undo_reassign": act(ADMIN),
    "web:case_admin": read(HER_ADMIN),
    "web:case_trail": read(HER_ADMIN),
    "web:clinic_texts": read(ADMIN),
    "web:edit_text": {"get": ADMIN, "post": ADMIN},
    "web:text_version": {"get": frozenset({"adam"}), "post": frozenset({"adam"})},  # of one's own clinic
    "web:change_case": act(HER_ADMIN),
    "web:people": read(ADMIN),
    "web:invite": act(ADMIN),
    "web:failed_logins": read(ADMIN),
    "web:change_person": act(HER_ADMIN),
    # Of dermatologists only: alice has none to check.
    "web:licence": {},
    "web:check_licence": {},
    "web:person_data": read(HER_ADMIN),
    "web:change_person_data": act(HER_ADMIN),
    # Accounts (allauth): people without anything to do there are redirected
    "account_login": form(ALL),
    "account_logout": {"get": ALL, "post": ALL},
    "account_inactive": read(ALL),
    "account_signup": form(ALL),
    "account_reauthenticate": form(PERSON),
    "account_email": form(PERSON),
    "account_email_verification_sent": read(PERSON),  # and anybody who is signing up
    "account_change_password": form(PERSON),
    "account_set_password": form(PERSON),
    "account_reset_password": form(ALL),
    "account_reset_password_done": read(ALL),
    "account_reset_password_from_key": dict.fromkeys(METHODS, ALL),  # "this link is used up"
    "account_reset_password_from_key_done": read(ALL),
    "account_confirm_login_code": form(PERSON),
    "mfa_index": read(PERSON),
    "mfa_authenticate": form(PERSON),
    "mfa_reauthenticate": form(PERSON),
    "mfa_list_webauthn": read(PERSON),
    "mfa_edit_webauthn": form(OWNER),
    "mfa_remove_webauthn": {"get": OWNER, "post": OWNER, "delete": OWNER},
    "mfa_add_webauthn": form(PERSON),
    "mfa_login_webauthn": form(PERSON),  # whoever is not logged in is led to the log-in by an empty request
    # alice has a key: her empty answer is refused, and she is redirected to the log-in
    "mfa_reauthenticate_webauthn": form(PERSON - OWNER) | read(PERSON),
    "mfa_activate_totp": form(PERSON),
    "mfa_deactivate_totp": form(NOBODY),
    "mfa_view_recovery_codes": read(NOBODY),
    "mfa_generate_recovery_codes": form(PERSON),
    "mfa_download_recovery_codes": read(NOBODY),
}
# The admin site, which has no log-in of its own
BACK_ROOM: dict[str, Line] = {
    "index": {"get": ADMIN, "post": ADMIN},
    "app_list": {"get": ADMIN, "post": ADMIN},
    "login": {"get": NOBODY, "post": NOBODY},
    "logout": act(ADMIN),
    "password_change": {"get": ADMIN, "post": ADMIN},
    "password_change_done": read(ADMIN),
    "jsi18n": read(ADMIN),
    "autocomplete": read(NOBODY),
    "view_on_site": {"get": NOBODY, "post": NOBODY},
}
TABLE: dict[str, Line] = {
    "changelist": {"get": ADMIN, "post": ADMIN},
    "history": {"get": HER_ADMIN, "post": HER_ADMIN},
    "change": {"get": HER_ADMIN, "post": NOBODY},
    "add": {"get": NOBODY, "post": NOBODY},
    "delete": {"get": NOBODY, "post": NOBODY},
}
EDITABLE: dict[str, Line] = {
    "admin:accounts_user_change": {"get": HER_ADMIN, "post": HER_ADMIN},
    "admin:accounts_clinic_add": {"get": frozenset({"sue"}), "post": frozenset({"sue"})},
    "admin:accounts_clinic_change": {"get": HER_ADMIN, "post": frozenset({"sue"})},
}


# --- The URL table ----------------------------------------------------------------------------------------
def addresses(resolver: Any = None, names: tuple = (), route: str = "/") -> Iterator[tuple[str, str]]:
    """Yield name and route of every address of the site."""
    for each in (resolver or get_resolver()).url_patterns:
        here = route + str(each.pattern)
        if isinstance(each, URLResolver):
            yield from addresses(each, names + ((each.namespace,) if each.namespace else ()), here)
        else:
            yield ":".join((*names, each.name or "unnamed")), here


ADDRESSES = dict(addresses())
ADDRESSES.pop(
    "admin:unnamed"
)  # Django's old addresses and its catch-all: they lead to the new ones, or nowhere


def line_of(name: str) -> Line | None:
    """Return who may use a URL, by method; `None` for a URL without a rule."""
    space, _colon, rest = name.rpartition(":")
    if space == "api":
        return API.get(rest)
    if space != "admin":
        return PAGES.get(name)
    return EDITABLE.get(name) or BACK_ROOM.get(rest) or TABLE.get(rest.rpartition("_")[2])


SPACES: dict[str, list[str]] = {"api": [], "web": [], "admin": [], "": []}
for each in ADDRESSES:
    SPACES[each.rpartition(":")[0]].append(each)


def test_every_address_has_a_line():
    without = [name for name in ADDRESSES if line_of(name) is None]
    assert not without, f"add to this file who may use {without}"


def test_every_line_has_an_existing_address():
    assert {f"api:{name}" for name in API} | set(PAGES) <= set(ADDRESSES)


# --- Alice's things (`things` in conftest.py) --------------------------------------------------------------
def kind_of(route: str) -> str:
    """Return the name of alice's object that an address is about."""
    if found := re.match(r"/admin/\w+/(\w+)/", route):
        return found[1]
    kinds = {"operations/cases": "submission", "operations/people": "user", "review": "submission"}
    kinds |= {
        "worklist": "submission",
        "consultations": "submission",
        "submissions": "submission",
        "cases": "case",
    }
    kinds |= {
        "children": "child",
        "photos": "photo",
        "jobs": "job",
        "keys": "key",
        "settings/devices": "device",
        "questions": "question",
        "opinions": "secondopinion",
        "share-links": "sharelink",
    }
    found = re.match(
        r"/(?:api/v1/|accounts/2fa/webauthn/)?((?:operations/|settings/)?[\w-]+)/<(?:uuid|int):pk>", route
    )
    return kinds[found[1]] if found else ""


SLUGS = {"web:change_case": "reopen", "web:change_person": "deactivate", "web:change_person_data": "hold"}


def address(name: str, things: dict[str, Any], *, known: bool) -> str:
    """Return the URL of alice's object, or of one that does not exist."""
    route = ADDRESSES[name]
    thing = things.get(kind_of(route))
    unknown = uuid.uuid4() if not isinstance(getattr(thing, "pk", None), int) else 987_654_321
    pk = thing.pk if known and thing else unknown
    route = re.sub(r"<(uuid:pk|int:pk|path:object_id)>", str(pk), route)
    token = things["share_token"] if name.startswith("web:shared") else things["token"]
    route = route.replace("<str:token>", token if known else "x" * 43)
    route = route.replace("<uuid:photo>", str(things["photo"].pk if known else uuid.uuid4()))
    route = (
        route.replace("<int:number>", "1")
        .replace("<slug:part>", "itch")
        .replace("<slug:text>", "terms")
        .replace("<slug:kind>", "display")
        .replace("<slug:verb>", SLUGS.get(name, "x"))
    )
    route = route.replace(
        "^password/reset/key/(?P<uidb36>[0-9A-Za-z]+)-(?P<key>.+)/$", "password/reset/key/1-x/"
    )
    return route.replace("<path:content_type_id>", "1").replace(
        "^(?P<app_label>accounts|cases|notifications)/$", "cases/"
    )


# --- The people -------------------------------------------------------------------------------------------
OF_THE_VISIT = {"django_session", "knox_authtoken", "audit_entry", "accounts_device"}


class Counting:
    """Counts the queries, and records the tables that are written."""

    def __init__(self) -> None:
        self.queries, self.written = 0, set()

    def __call__(self, execute: Callable, statement: str, *more: Any) -> Any:
        self.queries += 1
        if written := re.match(r"(?:INSERT INTO|UPDATE|DELETE FROM) \"(\w+)\"", statement):
            self.written.add(written[1])
        return execute(statement, *more)


class Caller:
    """One person with a session or a token; every change is rolled back."""

    def __init__(self, person: Any, *, by_token: bool) -> None:
        self.client, self.bearing = Client(raise_request_exception=False), {}
        if person and by_token:
            self.bearing = {"HTTP_AUTHORIZATION": f"Token {AuthToken.objects.create(person)[1]}"}
        elif person:
            self.client.force_login(person)
        self.cookies = self.client.cookies.copy()

    def ask(self, method: str, path: str, **more: Any) -> HttpResponse:
        cache.clear()  # no rate limits: this tests rights
        self.client.cookies = self.cookies.copy()
        body = {"data": {}, "content_type": "application/json"} if path.startswith("/api/") else {}
        if method in {"get", "head"}:
            body = {}
        counting = Counting()
        with transaction.atomic(), connection.execute_wrapper(counting):
            answer = getattr(self.client, method)(path, **body, **self.bearing, **more)
            answer.whole = b"".join(answer.streaming_content) if answer.streaming else answer.content
            transaction.set_rollback(True)
        answer.queries, answer.written = counting.queries, counting.written - OF_THE_VISIT
        return answer


@pytest.fixture
def callers(request, things) -> dict[tuple[str, bool], Caller]:
    """Every person twice, by session and by token; sam's were created before he was suspended."""
    cast = {name: name != "anonymous" and request.getfixturevalue(name) for name in PEOPLE}
    callers = {
        (name, by_token): Caller(person, by_token=by_token)
        for name, person in cast.items()
        for by_token in (False, True)
    }
    people.deactivate(cast["sam"], by=cast["adam"])
    return callers


LOG_IN = ("/accounts/login/", "/admin/login/")


def asked(callers: dict, space: str) -> Iterator[tuple[str, str, Caller]]:
    """Yield person, method and caller; tokens only for the API. The admin site treats all methods but POST as GET."""
    for (person, by_token), caller in callers.items():
        if space == "api" or not by_token:
            methods = ("get", "post", "head") if space == "admin" else METHODS
            yield from ((person + " by token" * by_token, method, caller) for method in methods)


def is_refused(answer: HttpResponse) -> bool:
    if answer.status_code == 302:
        # The admin site redirects to its first page if a row does not exist.
        return answer["Location"].startswith(LOG_IN) or answer["Location"] == "/admin/"
    return answer.status_code in {401, 403, 404}


@pytest.mark.parametrize("space", SPACES)
def test_each_endpoint_admits_exactly_its_roles(callers, things, space):
    wrong = []
    for name in SPACES[space]:
        line, path = line_of(name), address(name, things, known=True)
        for person, method, caller in asked(callers, space):
            answer = caller.ask(method, path)
            if method == "options":  # it lists the methods
                well = answer.status_code != 500 and not answer.written
            else:
                well = is_as_said(answer, person, line.get("get" if method == "head" else method), space)
            if not well:
                wrong.append(f"{person} {method} {path}: {answer.status_code}")
    assert not wrong, "\n".join(wrong)


def is_as_said(answer: HttpResponse, person: str, who: frozenset[str] | None, space: str) -> bool:
    """Return whether the endpoint admitted or refused as its line says; `None`: no such method, and no change.

    allauth's pages redirect if there is nothing to do, with every method.
    """
    if who is None:
        led_away = space == "" and answer.status_code == 302
        return not answer.written and (answer.status_code == 405 or led_away or is_refused(answer))
    if person == "sam by token" and is_refused(answer):
        return True  # an expired token is refused even if no token is needed
    if person.split()[0] in who:
        return answer.status_code not in {405, 500} and not is_refused(answer)
    return is_refused(answer)


# --- Other people's objects answer like unknown ones ------------------------------------------------------
CHANGING = r"\"trace_id\": ?\"\w+\"|(?<=value=\")\w{64}|(?<=CSRFToken\": \")\w+"


def reported(answer: HttpResponse, path: str) -> tuple:
    """Return everything in an answer except the requested address, form tokens and the trace id.

    It includes the number of queries, because another number of queries takes another time.
    """
    pk = re.search(r"[0-9a-f]{8}-[0-9a-f-]{27}", path)
    hidden = [path, quote(path, safe=""), *([pk[0]] if pk else [])]
    body, headers = answer.whole.decode(errors="replace"), dict(answer.items())
    for words in hidden:
        body = body.replace(words, "HERE")
        headers = {key: value.replace(words, "HERE") for key, value in headers.items()}
    body = body.replace(headers.pop("X-Request-ID"), "")  # new for each request
    for key in ("Content-Length", "ETag", "Expires", "RateLimit"):
        headers.pop(key, None)
    return answer.status_code, re.sub(CHANGING, "", body), headers, sorted(answer.cookies), answer.queries


@pytest.mark.parametrize("space", SPACES)
def test_another_persons_object_answers_like_an_unknown_one(callers, things, space):
    wrong = []
    for name in (name for name in SPACES[space] if kind_of(ADDRESSES[name]) and "<" in ADDRESSES[name]):
        hers = NOBODY.union(*line_of(name).values())
        known, unknown = (address(name, things, known=known) for known in (True, False))
        for person, method, caller in asked(callers, space):
            if person.split()[0] in hers:
                continue
            theirs, nothing = (reported(caller.ask(method, path), path) for path in (known, unknown))
            if theirs != nothing:
                wrong.append(f"{person} {method} {known}: {theirs} is not {nothing}")
    assert not wrong, "\n".join(wrong)
