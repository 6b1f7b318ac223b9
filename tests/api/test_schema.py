"""The OpenAPI document is complete, current and readable, and every response matches it."""

from __future__ import annotations

import json

import pytest
from django.utils import timezone, translation
from drf_spectacular.drainage import GENERATOR_STATS
from jsonschema import Draft202012Validator

from contract import messages
from contract.messages import Abstention, NoCropReason, QualityFault, Reason
from teleder.accounts.models import Language
from teleder.api.schema import EnglishGenerator
from teleder.api.urls import v1
from teleder.cases import intake, reviews, withdrawal
from teleder.cases.models import Job, JobState, Photo, Submission
from teleder.notifications import outbox
from teleder.pipeline import results
from teleder.privacy import erasure
from teleder.privacy.models import Why
from tests.api.conftest import API
from tests.api.description import description

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("ai_is_open")]
ANSWER = {"impression": "AD", "disposition": "today", "text": "Please see a doctor today."}
HERPES = {"AD": 0.1, "HI": 0.8, "IM": 0.05, "MF": 0.02, "OTHER": 0.03}


def described() -> dict:
    return EnglishGenerator().get_schema(request=None, public=True)


def test_the_schema_is_complete_3_1_and_generated_without_a_warning():
    GENERATOR_STATS.reset()
    schema = described()
    assert not GENERATOR_STATS
    assert schema["openapi"].startswith("3.1")
    paths = {path.removeprefix("/api/v1/") for path in schema["paths"]}
    routes = {str(p.pattern).replace("<uuid:pk>", "{id}").replace("<slug:kind>", "{kind}") for p in v1}
    assert paths == routes


def test_schema_and_its_page_are_public(client):
    assert client.get("/api/schema").status_code == 200
    assert client.get("/api/docs").status_code == 200


def test_the_description_is_json_schema_2020_12():
    schema = described()
    text = json.dumps(schema)
    assert '"nullable"' not in text and "NullEnum" not in text
    for part in schema["components"]["schemas"].values():
        Draft202012Validator.check_schema(part)
    for part in ("Box", "ModelRef", "CropProbabilities"):
        assert schema["components"]["schemas"][part]["properties"]
    free = [
        f"{name}.{field}"
        for name, part in schema["components"]["schemas"].items()
        for field, inner in part.get("properties", {}).items()
        if not inner.keys() & {"type", "$ref", "oneOf", "anyOf", "allOf", "enum"}
    ]
    assert free == []  # any JSON at all


def test_the_description_is_always_english(client):
    asked = {}
    for language in ("ja", "en"):
        with translation.override(language):
            answer = client.get(
                "/api/schema",
                headers={"accept": "application/vnd.oai.openapi+json", "accept-language": language},
            )
            asked[language] = answer.content
    assert asked["ja"] == asked["en"]
    text = json.dumps(json.loads(asked["ja"]), ensure_ascii=False)
    assert text.replace(str(Language.JA.label), "").isascii()  # the name of the language is in the language


def test_every_operation_has_a_summary_and_its_errors():
    schema = described()
    assert schema["servers"][0]["url"].startswith("http")
    assert set(schema["components"]["securitySchemes"]) == {"knoxApiToken", "cookieAuth"}
    for path, operations in schema["paths"].items():
        for method, operation in operations.items():
            assert len(operation["summary"]) > 5, f"{method} {path}"
            for status, answer in operation["responses"].items():
                is_refusal = int(status) >= 400
                assert is_refusal == answer.get("$ref", "").endswith(f"/Problem{status}"), f"{method} {path}"
            assert {"400", "401", "429", "503"} <= operation["responses"].keys()
    refusal = schema["components"]["responses"]["Problem429"]
    assert "Retry-After" in refusal["headers"]
    assert list(refusal["content"]) == ["application/problem+json"]


@pytest.fixture
def seeded(alice, bob, dana, adam, submission_of, draft_of, analyse, stored, photo_file) -> None:
    """A record with signed and amended answers, refused and poor photos, closed and withdrawn cases and an erasure."""
    amended = submission_of(alice, photos=2, fever="yes")
    first, second = amended.photos.all()
    analyse(first, probabilities=HERPES)
    stored(first)
    analyse(second, abstention=Abstention.UNCERTAIN, attribution=None)
    reviews.claim(amended, by=dana)
    reviews.sign(amended, by=dana, **ANSWER | {"reason": "Seen."})
    reviews.amend(amended, by=dana, **ANSWER | {"text": "Corrected.", "reason": "Seen."})
    reviews.close(amended, by=dana)
    follow_up = intake.start(patient=alice, answers=amended.answers, case=amended.case)
    poor = draft_of(alice, photos=2)
    analyse(poor.photos.first(), reason=Reason.POOR_QUALITY, fault=QualityFault.TOO_DARK)
    _refused(poor.photos.last())
    withdrawn = submission_of(alice)
    withdrawal.withdraw(withdrawn, by=alice)
    asked = submission_of(bob)
    reviews.claim(asked, by=dana)
    reviews.request_photos(asked, by=dana, reason="blurred")
    claimed = submission_of(bob)
    _without_a_box(claimed.photos.get(), analyse)
    reviews.claim(claimed, by=dana)
    reopened = submission_of(bob)
    reviews.claim(reopened, by=dana)
    reviews.sign(reopened, by=dana, **ANSWER)
    reviews.reopen(reopened, by=adam)
    Job.objects.filter(photo__submission=reopened).update(
        state=JobState.QUARANTINED, error="worker_died", deaths=3
    )
    outbox.queue_messages()
    erasure.ask(bob, why=Why.REQUEST)
    assert follow_up.status == "draft"


def _refused(photo: Photo) -> None:
    job = photo.jobs.get()
    job.state, job.attempt, job.sent_at, job.deadline = "sent", 1, timezone.now(), timezone.now()
    job.save()
    outcome = messages.Prepared(quality={}, reason=Reason.TRUNCATED_IMAGE)
    assert results.record(job=str(job.pk), attempt=1, worker="test", outcome=outcome)


def _without_a_box(photo: Photo, analyse) -> None:
    analyse(photo)
    analysis = photo.analyses.get()
    analysis.nearest_miss, analysis.boxes, analysis.no_box = (
        analysis.boxes[0],
        [],
        NoCropReason.TOO_LITTLE_LESION,
    )
    analysis.classification_model, analysis.classified_at, analysis.views = None, None, []
    analysis.findings.all().delete()
    analysis.save()


@pytest.mark.parametrize(
    ("name", "least"), [("alice", 30), ("bob", 22), ("dana", 45), ("adam", 45), ("nora", 5)]
)
def test_every_response_of_a_complete_record_matches_the_description(
    request, seeded, sora, caller, name, least
):
    client = caller(request.getfixturevalue(name))
    ids = {
        "cases": Submission.objects.values_list("case", flat=True).distinct(),
        "submissions": Submission.objects.values_list("pk", flat=True),
        "photos": Photo.objects.values_list("pk", flat=True),
        "children": [sora.pk],
    }
    bodies = 0
    for path, operations in description()["paths"].items():
        if "get" not in operations:
            continue
        kind = path.removeprefix(f"{API}/").partition("/")[0]
        for pk in ids[kind] if "{id}" in path else [""]:
            for copy in ("display", "thumbnail", "mask", "attribution") if "{kind}" in path else [""]:
                answer = client.get(path.replace("{id}", str(pk)).replace("{kind}", copy))
                bodies += answer.status_code == 200
    assert bodies >= least
    assert sum(client.answers.values()) > 70
