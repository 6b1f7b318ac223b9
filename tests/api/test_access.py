"""Who may use which address: the matrix is made from the URL table, so a new address needs a line here."""

from __future__ import annotations

import uuid

import pytest
from django.core.cache import cache
from django.urls import URLPattern

from teleder.api.urls import v1
from teleder.cases.models import Job, Status
from teleder.cases.workflow import claim, sign

pytestmark = pytest.mark.django_db
PEOPLE = ("anonymous", "alice", "bob", "dana", "adam")
METHODS = ("get", "post", "put", "patch", "delete")
ALL, PATIENT, OWNER = set(PEOPLE[1:]), {"alice", "bob"}, {"alice"}
CLINIC, DERMATOLOGIST, ADMIN = {"dana", "adam"}, {"dana"}, {"adam"}
# name: method -> who gets past the door (whatever the record then says to an empty request)
ALLOWED: dict[str, dict[str, set[str]]] = {
    "tokens": {"post": set(PEOPLE)},
    "current-token": {"delete": ALL},
    "me": {"get": ALL, "patch": ALL},
    "inbox": {"get": ALL},
    "inbox-read": {"post": ALL},
    "consents": {"get": PATIENT, "put": PATIENT},
    "questionnaire": {"get": ALL},
    "cases": {"get": ALL},
    "case": {"get": OWNER | CLINIC},
    "follow-ups": {"post": OWNER},
    "submissions": {"get": ALL, "post": PATIENT},
    "submission": {"get": OWNER | CLINIC, "patch": OWNER},
    "submission-status": {"get": OWNER | CLINIC},
    "photos": {"get": OWNER | CLINIC, "post": OWNER},
    "submit": {"post": OWNER},
    "withdraw": {"post": OWNER | ADMIN},
    "restore": {"post": OWNER},
    "photo": {"get": OWNER | CLINIC, "delete": OWNER},
    "send-anyway": {"post": OWNER},
    "photo-file": {"get": OWNER | CLINIC},
    "worklist": {"get": CLINIC},
    "claim": {"post": DERMATOLOGIST},
    "keep-claim": {"post": DERMATOLOGIST},
    "release": {"post": CLINIC},
    "request-photos": {"post": DERMATOLOGIST},
    "findings": {"get": CLINIC},
    "reviews": {"get": OWNER | CLINIC, "post": DERMATOLOGIST},
    "amendments": {"post": DERMATOLOGIST},
    "close": {"post": CLINIC},
    "reassign": {"post": ADMIN},
    "reopen": {"post": ADMIN},
    "jobs": {"get": ADMIN},
    "requeue": {"post": ADMIN},
    "cancel": {"post": ADMIN},
    "queues": {"get": ADMIN},
}


def test_every_address_has_a_line():
    assert {pattern.name for pattern in v1} == set(ALLOWED)


@pytest.fixture
def people(caller, request) -> dict:
    fixtures = {name: name != "anonymous" and request.getfixturevalue(name) for name in PEOPLE}
    return {name: caller(person or None) for name, person in fixtures.items()}


@pytest.fixture
def answered(alices_submission, analyse, stored, dana):
    photo = alices_submission.photos.get()
    analyse(photo)
    stored(photo)
    claim(alices_submission, by=dana)
    sign(alices_submission, by=dana, impression="AD", disposition="today", text="Please come today.")
    return alices_submission


def address(pattern: URLPattern, submission, *, known: bool) -> str:
    """Return the address of alice's thing, or of one that nobody has."""
    route = f"/api/v1/{pattern.pattern}"
    pk = submission.pk
    if "/cases/" in route:
        pk = submission.case_id
    if "/photos/" in route and "/submissions/" not in route:
        pk = submission.photos.get().pk
    if "/jobs/" in route:
        pk = Job.objects.filter(photo__submission=submission).values_list("pk", flat=True).first()
    return route.replace("<uuid:pk>", str(pk if known else uuid.uuid4())).replace("<slug:kind>", "display")


@pytest.mark.parametrize("pattern", v1, ids=lambda pattern: pattern.name)
def test_the_door_opens_for_those_it_is_for(people, answered, pattern):
    for person, client in people.items():
        cache.clear()  # no throttle: this is about rights
        for method in METHODS:
            answer = getattr(client, method)(address(pattern, answered, known=True), {})
            allowed = ALLOWED[pattern.name].get(method)
            said = f"{person} {method} {pattern.name}: {answer.status_code}"
            assert answer.status_code < 500, said
            if allowed is None:
                assert answer.status_code in {401, 403, 405}, said
            elif person in allowed:
                assert answer.status_code not in {401, 403, 404, 405}, said
            else:
                assert answer.status_code in {401, 403, 404}, said


@pytest.mark.parametrize(
    "pattern", [p for p in v1 if "pk" in str(p.pattern)], ids=lambda pattern: pattern.name
)
def test_what_is_anothers_answers_like_what_is_not_there(people, answered, pattern):
    for method in ALLOWED[pattern.name]:
        bob = getattr(people["bob"], method)
        theirs, unknown = (bob(address(pattern, answered, known=known), {}) for known in (True, False))
        assert theirs.status_code == unknown.status_code
        strip = [{k: v for k, v in answer.json().items() if k != "trace_id"} for answer in (theirs, unknown)]
        assert strip[0] == strip[1]
    answered.refresh_from_db()
    assert answered.status == Status.ANSWERED
