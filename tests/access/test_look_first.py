"""Every address by which a dermatologist reads: none tells what the AI saw before she has looked."""

from __future__ import annotations

import json
import re

import pytest
from django.urls import reverse
from rest_framework.test import APIClient

from contract.messages import Stage
from contract.signs import MeasuredSign, SignName
from teleder.cases import ai_opinion, reviews
from teleder.cases.models import Job
from tests.access.test_matrix import ADDRESSES, DERMATOLOGIST, HER_CLINIC, line_of
from tests.distances import STOPS_NEARER, record, report_of

pytestmark = pytest.mark.django_db
HERPES = {"AD": 0.1, "HI": 0.8765, "IM": 0.0103, "MF": 0.0103, "OTHER": 0.0029}
SIGNS = (MeasuredSign(name=SignName.LESION_SHARE, value=0.3142, error=0.01),)
# The form's choices, the list of keys and the questions to patients name conditions and layers by themselves. Times
# hold any digits: "12:30.9512" is no share of 0.95.
OWN_WORDS = re.compile(
    r'<section id="answer".*?</section>|<dialog id="keys-help".*?</dialog>|'
    r'<section aria-labelledby="answers-title">.*?</section>|\d{4}-\d\d-\d\dT[\d:.]+',
    re.DOTALL,
)
TOLD = [
    *("herpes", "ヘルペス", "impetigo", "mycosis", "atopic dermatitis", "アトピー性", '"HI"'),
    *(
        "rule out",
        "除外でき",
        "of 100",
        "cross the same line",
        "同じ警告線",
        "0.8765",
        "88%",
        "31%",
        "0.3142",
    ),
    *("heat map", "data-layer", "attribution", "/mask", "area 1", "skin 95", "0.95", "lesion 40"),
    *("other distances", "1.4×", 'unstable_with_distance": true', "results for this photo</h3>\n<p class"),
]
NO_CASE = {
    "api:schema",
    "api:docs",
    "api:questionnaire",
    "api:diagnoses",
    "web:reply_templates",
}  # the same for every case
DERMATOLOGISTS = sorted(
    name
    for name in ADDRESSES
    if name.split(":")[0] in {"web", "api"} and (line_of(name).get("get") or set()) & DERMATOLOGIST
)


@pytest.fixture
def case(alices_submission, analyse, stored, dana, request):
    """Claimed by Dana, who has not looked, or as the parameter says before the photo came."""
    photo = alices_submission.photos.get()
    if looked := getattr(request, "param", None):
        LOOKS[looked](alices_submission, dana)
        ai_opinion.close_for_new_photo(alices_submission)
    analyse(photo, probabilities=HERPES, signs=SIGNS)
    stored(photo)
    Job.objects.get_or_create(photo=photo, stage=Stage.DISTANCE, defaults={"priority": 0})
    record(photo, report_of(STOPS_NEARER))
    reviews.claim(alices_submission, by=dana)
    alices_submission.refresh_from_db()
    return alices_submission


LOOKS = {
    "looked before the photo": lambda case, dana: ai_opinion.choose(case, by=dana, impression="AD"),
    "saw it first before the photo": lambda case, dana: ai_opinion.see_first(case, by=dana),
}
EACH_CASE = pytest.mark.parametrize("case", [None, *LOOKS], indirect=True, ids=str)
EACH_CASE_AND_LANGUAGE = pytest.mark.parametrize(
    ("case", "language"),
    [(None, "en"), (None, "ja"), *zip(LOOKS, ("en", "ja"), strict=True)],
    indirect=["case"],
)


def paths(name: str, case) -> list[str]:
    route = ADDRESSES[name].replace("<str:token>", "x" * 43).replace("<slug:verb>", "x")
    photo = case.photos.get().pk
    pk = photo if "/photos/<uuid:pk>" in route else case.case_id if "/cases/<" in route else case.pk
    route = route.replace("<uuid:pk>", str(pk))
    if "<slug:kind>" in route:
        return [
            route.replace("<slug:kind>", kind) for kind in ("display", "thumbnail", "mask", "attribution")
        ]
    return [route]


def told(answer) -> list[str]:
    body = b"".join(answer.streaming_content) if answer.streaming else answer.content
    text = OWN_WORDS.sub("", body.decode(errors="replace")).lower()
    return [word for word in TOLD if word.lower() in text]


@EACH_CASE_AND_LANGUAGE
@pytest.mark.parametrize("name", [name for name in DERMATOLOGISTS if name not in NO_CASE])
def test_no_address_tells_what_the_ai_saw_before_she_has_looked(client, dana, case, name, language):
    dana.language = language
    dana.save()
    caller = APIClient() if name.startswith("api:") else client
    caller.force_login(dana)
    for path in paths(name, case):
        answer = caller.get(path, headers={"Accept-Language": language})
        assert answer.status_code < 500 and told(answer) == [], path
        if path.endswith(("mask", "mask/", "attribution", "attribution/")):
            assert answer.status_code == 404


@pytest.mark.parametrize("language", ["en", "ja"])
def test_in_a_blind_study_none_tells_it_before_she_has_signed(client, dana, case, language):
    dana.language, dana.clinic.ai_opinion = language, "study"
    dana.save()
    dana.clinic.save()
    ai_opinion.choose(case, by=dana, impression="AD")
    for name in ("web:review", "web:worklist", "web:row_preview", "web:review_state", *SHOWN_BY_API):
        caller = APIClient() if name.startswith("api:") else client
        caller.force_login(dana)
        for path in paths(name, case):
            assert told(caller.get(path, headers={"Accept-Language": language})) == [], path


SHOWN_BY_API = [name for name in DERMATOLOGISTS if name.startswith("api:") and name not in NO_CASE]
POSTED = {
    "web:answer": {"preview": "1", "disposition": "self_care", "text": "x"},
    "web:keep_claim": {},
    "web:check_distances": {},
    "web:make_full_copy": {},
    "web:draw_crop": {"x": 0, "y": 0, "width": 200, "height": 200},
    "web:request_photos": {"reason": "none"},
    "web:release": {},
    "api:claim": {},
    "api:keep-claim": {},
    "api:distances": {},
    "api:full-copy": {},
    "api:release": {},
}


@pytest.mark.parametrize("case", [None, "looked before the photo"], indirect=True, ids=str)
@pytest.mark.parametrize("name", POSTED)
def test_no_action_tells_it_either(client, dana, case, name):
    caller = APIClient() if name.startswith("api:") else client
    caller.force_login(dana)
    (path,) = paths(name, case)
    answer = caller.post(path, POSTED[name], follow=name == "web:release")
    assert answer.status_code < 500 and told(answer) == []


def test_the_same_words_are_found_once_she_has_looked(client, dana, case):
    ai_opinion.choose(case, by=dana, impression="AD")
    client.force_login(dana)
    found = set(told(client.get(reverse("web:review", args=[case.pk]))))
    assert {"herpes", "rule out", "of 100", "cross the same line", "heat map", "31%"} <= found
    found = set(told(client.get(f"/api/v1/submissions/{case.pk}")))
    assert {"rule out", '"HI"', "attribution"} <= found
    assert "0.8765" in told(client.get(f"/api/v1/submissions/{case.pk}/findings"))


@EACH_CASE
def test_the_list_and_the_api_say_only_that_the_ai_asks_to_look_sooner(client, dana, case):
    client.force_login(dana)
    assert "AI: look sooner" in client.get(reverse("web:worklist")).content.decode()
    shown = client.get(f"/api/v1/submissions/{case.pk}").json()
    verdict = shown["verdict"]
    assert (verdict["kind"], verdict["chip"], verdict["alarms"]) == ("hidden", "sooner", [])
    assert verdict["sentence"] == "The AI asks you to look sooner."
    (row,) = client.get("/api/v1/worklist").json()["results"]
    assert row["flags"] == shown["flags"] == [{"origin": "model", "code": "sooner", "level": "same_day"}]
    refused = client.get(f"/api/v1/submissions/{case.pk}/findings")
    assert (
        refused.status_code == 409
        and "once you have chosen your impression of all photos" in refused.json()["detail"]
    )


def test_a_demonstration_model_gives_admins_no_probability_of_a_condition(client, adam, case):
    assert "adam" in HER_CLINIC
    client.force_login(adam)
    (found,) = client.get(f"/api/v1/submissions/{case.pk}/findings").json()
    assert (found["findings"], found["views"], found["top"]) == ([], [], "")
    assert found["attribution_condition"] == "" and [a["condition"] for a in found["alarms"]] == ["HI"]
    report = json.dumps(client.get(f"/api/v1/photos/{case.photos.get().pk}/distances").json())
    assert "alarm HI" in report and not [
        word for word in ("AD", "IM", "MF", "OTHER") if f'"{word}"' in report
    ]
