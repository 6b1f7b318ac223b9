"""Other people's data are not visible to a caller: no list, filter, order, search or count reveals them."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
import time_machine
from django.contrib import admin
from django.core.cache import caches
from django.db import connection
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from drf_spectacular.generators import SchemaGenerator

from teleder.accounts.models import Role
from teleder.cases.models import Status
from teleder.web.clinician import worklist
from teleder.web.operations import health, problems

pytestmark = pytest.mark.django_db

STATUSES = [f"status={status}" for status in Status.values]
STATES = [
    f"state={state}" for state in ("queued", "sent", "started", "done", "failed", "quarantined", "cancelled")
]
ALICE = ["{q}=alice", "{q}=alice@example.com", "{q}=example.com", "{q}=erik"]
# Every address that lists or counts, with every parameter it reads
TIMES = [f"{name}=2000-01-01T00:00:00Z" for name in ("updated_since", "answered_since")]
API = {
    "inbox": ["page_size=1"],
    "cases": ["page_size=1", *TIMES],
    "submissions": ["page_size=1", *TIMES, "case={case}", *STATUSES],
    "worklist": ["page_size=1", "snoozed=true", *TIMES],
    "jobs": ["page_size=1", *STATES, "stage=prepare", "stage=analyse"],
    "queues": [],
    "diagnoses": ["search=sca"],
    "reply-template": [
        "disposition=today&language=en",
        "language=en&disposition=today",
        "impression=AD&language=en&disposition=today",
    ],
}
PAGES = {
    "home": [],
    "inbox": [],
    "worklist": [
        *(f"show={show}" for show in worklist.FILTERS),
        "q={number}",
        "q={letters}",
        *(query.format(q="q") for query in ALICE),
        "after={pk}",
    ],
    "operations": [],
    "cases_admin": [
        *STATUSES,
        "find={number}",
        "find={letters}",
        *(query.format(q="find") for query in ALICE),
    ],
    "people": [
        *(f"role={role}" for role in Role.values),
        *(query.format(q="find") for query in ALICE),
        "page=2",
    ],
}
SAME = r"(?<=trace_id\":\")\w+|\d+\xa0\w+|\w{64}|(?<=CSRFToken&quot;: &quot;)\w+|(?<=CSRFToken\": \")\w+"


def table_queries(table: admin.ModelAdmin) -> list[str]:
    """Return searches, orders and filters of a table of the admin site."""
    name = table.opts.model_name
    filters = [f"{each}__exact=1" if "__" not in each else f"{each}=signed" for each in table.list_filter]
    filters += [f"{each}=alice" for each in ("q",) if table.search_fields]
    return [f"o={column}" for column in (1, -1)] + filters + [f"q={name}"]


def addresses() -> list[str]:
    found = [(reverse(f"api:{name}"), queries) for name, queries in API.items()]
    found += [(reverse(f"web:{name}"), queries) for name, queries in PAGES.items()]
    found += [
        (reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist"), table_queries(table))
        for model, table in admin.site._registry.items()
    ]
    return [f"{path}?{query}" for path, queries in found for query in ("", *queries)]


@pytest.fixture
def read(monkeypatch) -> Callable:
    """Read every list with every query as the client's user; return status and body by address."""
    # The broker and the workers serve all clinics together.
    monkeypatch.setattr(health, "results_waiting", lambda: 0)
    for name in ("IDLE_SECONDS", "SILENCE_SECONDS"):
        monkeypatch.setattr(problems, name, 3600)

    def everything(client: Client, hint: dict[str, str]) -> dict[str, tuple]:
        caches["process"].clear()  # with figures from before
        answers = {path: client.get(path.format(**hint)) for path in addresses()}
        return {path: (a.status_code, re.sub(SAME, "", _text_of(a))) for path, a in answers.items()}

    return everything


def _text_of(answer: HttpResponse) -> str:
    """Return the answer's text without the id that each request has."""
    return answer.content.decode().replace(answer["X-Request-ID"], "")


@pytest.fixture
def differing(request, read, submission_of, person, north) -> Callable:
    """Return the addresses whose answers to a reader differ with and without alice's data."""
    submission_of(request.getfixturevalue("bob"))
    submission_of(person("nick", clinic=north))

    def find(reader) -> list[str]:
        client = Client()
        client.force_login(reader)
        alices = request.getfixturevalue("things")["submission"]
        number = alices.case.number
        hint = {"number": number, "letters": number[:3], "pk": str(alices.pk), "case": str(alices.case_id)}
        # At one moment: a page says how long things wait, and after seconds that a photo can't be seen yet.
        with time_machine.travel(timezone.now(), tick=False):
            beside = read(client, hint)
            forget(alices)
            alone = read(client, hint)
        return [path for path in beside if beside[path] != alone[path]]

    return find


@pytest.mark.parametrize("name", ["bob", "nora", "noel"])
def test_alices_data_change_nothing_that_others_can_read(request, differing, name):
    assert differing(request.getfixturevalue(name)) == []


def test_the_admin_of_her_clinic_sees_alice_in_each_list(differing, adam):
    """Otherwise the test above could not detect a leak."""
    found = {path.partition("?")[0] for path in differing(adam)}
    assert {reverse("api:cases"), reverse("web:operations"), reverse("web:people")} <= found
    assert reverse("admin:cases_case_changelist") in found


def forget(submission) -> None:
    """Delete all of alice's rows."""
    from teleder.accounts.guardians import children_of
    from teleder.accounts.models import Consent, Invitation
    from teleder.cases.models import (
        Analysis,
        AnswerDraft,
        AnswerReading,
        Case,
        FirstImpression,
        HandOverNote,
        HeldAnswer,
        Job,
        Photo,
        SecondOpinion,
        TakenBackAnswer,
    )
    from teleder.notifications.models import DueWarning, Message, Preference, UrgentCall

    alice = submission.patient
    submission.share_links.all().delete()
    submission.questions.all().delete()
    for child in children_of(alice):
        child.consents.all().delete()
        child.guardianships.all().delete()
        child.delete()
    Invitation.objects.all().delete()
    Message.objects.filter(event__submission=submission).delete()
    Message.objects.filter(person=alice).delete()
    UrgentCall.objects.filter(submission=submission).delete()
    DueWarning.objects.filter(submission=submission).delete()
    Analysis.objects.filter(photo__submission=submission).delete()
    Job.objects.filter(photo__submission=submission).delete()
    Photo.objects.filter(submission=submission).delete()
    FirstImpression.objects.filter(submission=submission).delete()
    AnswerDraft.objects.filter(submission=submission).delete()
    HeldAnswer.objects.filter(submission=submission).delete()
    SecondOpinion.objects.filter(submission=submission).delete()
    HandOverNote.objects.filter(submission=submission).delete()
    AnswerReading.objects.filter(review__submission=submission).delete()
    TakenBackAnswer.objects.filter(review__submission=submission).delete()
    with connection.cursor() as cursor:
        cursor.execute("SELECT public.erase_submissions(%s)", [[submission.pk]])
    Case.objects.filter(patient=alice).delete()
    Preference.objects.filter(person=alice).delete()
    Consent.objects.filter(person=alice).delete()
    alice.delete()


def test_every_parameter_of_every_api_list_is_tested():
    schema = SchemaGenerator().get_schema(request=None, public=True)
    for path, methods in schema["paths"].items():
        for parameter in methods.get("get", {}).get("parameters", []):
            if parameter["in"] == "query" and path != "/api/schema":
                name = next(name for name in API if path == reverse(f"api:{name}"))
                tried = {query.partition("=")[0] for query in API[name]} | {"cursor"}  # a cursor is signed
                assert parameter["name"] in tried, f"{path}?{parameter['name']}"
