"""The API responds as its OpenAPI document says: four callers, every operation, generated input (schemathesis).

Each operation gets a few examples here. The long form, with figures: `./run contract --examples 50`.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from knox.models import AuthToken
from schemathesis.core.failures import FailureGroup
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import positive_data_acceptance

from teleder.cases.models import Job
from teleder.security import rate_limits

pytestmark = pytest.mark.django_db
# Not `teleder.wsgi`: it gives all connections of this process a pool, and tests close theirs.
application = get_wsgi_application()
EXAMPLES = int(os.environ.get("TELEDER_CONTRACT_EXAMPLES", "4"))
FIGURES = os.environ.get("TELEDER_CONTRACT_FIGURES")  # a file to which each caller's figures are added
# Valid input by the schema may break a rule that no schema can express; the answer is then a described 422, 400 or 415.
NOT_BY_SCHEMA = {
    "GET /api/v1/worklist": "a cursor is one that we gave",
    "PATCH /api/v1/me": "a year of birth has come, and is known before a skin type; staff change less than patients",
    "PATCH /api/v1/submissions/{id}": "the questionnaire knows sites and choices, and it changes with its version",
    "POST /api/v1/cases/{id}/submissions": "the policy knows the questions, and it changes with its version",
    "PUT /api/v1/consents": "the version is that of the texts in force",
    "POST /api/v1/children": "a child is younger than the age of consent, and a name in kanji has its reading",
    "POST /api/v1/photos/{id}/drawn-crops": "a crop lies inside its photo, and a lesion has its size",
    "POST /api/v1/submissions": "the policy knows the questions, and it changes with its version",
    "POST /api/v1/submissions/{id}/amendments": "an answer that is less urgent needs its reason",
    "POST /api/v1/submissions/{id}/photos": "the bytes are a photo",
    "POST /api/v1/submissions/{id}/reassign": "a case is given to a dermatologist of its clinic",
    "POST /api/v1/submissions/{id}/snooze": "a snooze ends before the due time",
    "POST /api/v1/submissions/{id}/hand-over": "a case is given to a dermatologist of its clinic",
    "POST /api/v1/submissions/{id}/opinions": "a dermatologist of the clinic is asked",
    "POST /api/v1/opinions/{id}/answer": "a text has more than spaces",
    "POST /api/v1/questions/{id}/reply": "a text has more than spaces",
    "POST /api/v1/submissions/{id}/questions": "a text has more than spaces",
    "POST /api/v1/tokens": "the format of addresses is wider than what mail servers take",
    "POST /api/v1/submissions/{id}/take-back": "a reason is more than blanks",
    "POST /api/v1/submissions/{id}/reviews": "an answer that is less urgent needs its reason",
}


def _from_loopback(environ: dict, start_response: Any) -> Any:
    return application(environ | {"REMOTE_ADDR": "127.0.0.1"}, start_response)


@pytest.fixture
def described(monkeypatch) -> Iterator[schemathesis.BaseSchema]:
    monkeypatch.setattr(
        rate_limits, "count_request", lambda *_: None
    )  # thousands of requests from one address
    ends = (request_started, request_finished)
    for signal in ends:  # they would close the connection that the test's transaction is in
        signal.disconnect(close_old_connections)
    yield schemathesis.openapi.from_wsgi("/api/schema", _from_loopback)
    for signal in ends:
        signal.connect(close_old_connections)


@pytest.fixture
def real(alices_submission, analyse, stored) -> dict[str, list[str]]:
    """The ids of existing objects, by the beginning of the address that takes them."""
    photo = alices_submission.photos.get()
    analyse(photo)
    stored(photo)
    return {
        "/cases": [str(alices_submission.case_id)],
        "/submissions": [str(alices_submission.pk)],
        "/photos": [str(photo.pk)],
        "/jobs": [str(pk) for pk in Job.objects.values_list("pk", flat=True)],
    }


@pytest.mark.parametrize("caller", ["nobody", "alice", "dana", "adam"])
@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.value)
def test_every_response_to_generated_requests_is_described(request, described, real, caller, mode):
    headers = {}
    if caller != "nobody":
        headers["Authorization"] = f"Token {AuthToken.objects.create(request.getfixturevalue(caller))[1]}"
    reported, answers = [], Counter()
    for result in described.get_all_operations():
        try:
            _ask(result.ok(), headers, real, mode, answers)
        except FailureGroup as failure:
            reported += [f"{result.ok().label}: {each}" for each in failure.exceptions]
    if FIGURES:
        with Path(FIGURES).open("a") as file:
            file.write(
                json.dumps(
                    {"caller": caller, "mode": mode.value, "broken": len(reported), "answers": answers}
                )
                + "\n"
            )
    assert not reported, "\n".join(reported)


def _ask(operation: Any, headers: dict, real: dict, mode: GenerationMode, answers: Counter) -> None:
    known = next((pks for start, pks in real.items() if start in operation.path), [])

    @settings(
        max_examples=EXAMPLES,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode), pk=st.sampled_from([None, *known]))
    def ask(case: schemathesis.Case, pk: str | None) -> None:
        if pk and "id" in (case.path_parameters or {}) and operation.path.count("{"):
            case.path_parameters["id"] = pk
        answer = case.call(headers=headers)
        answers[f"{operation.label} {answer.status_code}"] += 1
        left_out = [positive_data_acceptance] if operation.label in NOT_BY_SCHEMA else []
        case.validate_response(answer, headers=headers, excluded_checks=left_out)

    with contextlib.suppress(Unsatisfiable):  # some requests cannot be invalid
        ask()


def test_every_excluded_operation_exists(described):
    assert set(NOT_BY_SCHEMA) <= {result.ok().label for result in described.get_all_operations()}
