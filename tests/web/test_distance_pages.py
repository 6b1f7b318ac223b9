"""Dana asks whether the AI says the same from other distances, and reads what came of it; alice never sees it."""

from __future__ import annotations

import re

import pytest
from django.urls import reverse
from rest_framework.test import APIClient

from contract import messages
from contract.alarms import Condition
from contract.distance import INCONCLUSIVE, NOT_USABLE, alarm_verdict, named_verdict
from contract.messages import Abstention, Stage
from teleder.cases.models import Analysis, Job, JobState
from teleder.cases.verdict import CONDITIONS
from teleder.privacy import export
from tests.distances import RINGS, SILENT, STOPS_NEARER, record, report_of

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("ai_is_open")]
HERPES = {"AD": 0.1, "HI": 0.8, "IM": 0.05, "MF": 0.03, "OTHER": 0.02}
HERPES_VERDICT = alarm_verdict([Condition.HI])
WORDS = ("distance", "距離", "unstable")


def text_of(page: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page))


@pytest.fixture
def photo(alices_submission, analyse):
    """A photo of alice's submission whose herpes alarm rang."""
    photo = alices_submission.photos.get()
    analyse(photo, probabilities=HERPES)
    return photo


@pytest.fixture
def section(client, dana, alices_submission):
    """Return the section of the review page, as HTML."""

    def read(language: str = "en") -> str:
        dana.language = language
        dana.save(update_fields=["language"])
        client.force_login(dana)
        page = client.get(reverse("web:review", args=[alices_submission.pk])).content.decode()
        return page[page.index('id="distances"') :].partition("</section>")[0]

    return read


def at(name: str, submission) -> str:
    return reverse(f"web:{name}", args=[submission.pk])


# --- States -----------------------------------------------------------------------------------------------
def test_a_photo_without_an_alarm_was_not_asked_and_dana_asks(
    client, dana, alices_submission, analyse, section
):
    photo = alices_submission.photos.get()
    analyse(photo)
    assert "Not measured yet" in section() and "Check other distances" in section()
    reply = client.post(at("check_distances", alices_submission), {"photo": photo.pk})
    assert reply.url == f"{at('review', alices_submission)}?photo={photo.pk}#distances"
    client.post(at("check_distances", alices_submission), {"photo": photo.pk})
    assert list(Job.objects.filter(stage=Stage.DISTANCE).values_list("state", flat=True)) == [JobState.QUEUED]
    assert "Being measured" in section() and "data-poll" in section() and "<button" not in section()


def test_a_failed_report_offers_another_try(client, alices_submission, photo, section):
    record(photo, messages.Failed(code="weights_refused"))
    assert "could not be measured" in section() and "Try again" in section()
    reply = client.post(
        at("check_distances", alices_submission), {"photo": photo.pk}, headers={"HX-Request": "true"}
    )
    assert "Being measured" in reply.content.decode()


def test_the_open_page_asks_until_the_report_is_there(client, alices_submission, photo, section):
    section()
    url = f"{at('distances', alices_submission)}?photo={photo.pk}"
    first = client.get(url)
    assert "Being measured" in first.content.decode()
    assert client.get(url, headers={"If-None-Match": first["ETag"]}).status_code == 304
    record(photo, report_of())
    after = client.get(url, headers={"If-None-Match": first["ETag"]}).content.decode()
    assert "data-poll" not in after and "at 7 of 7" in after


def test_a_photo_of_another_submission_is_refused(
    client, bob, submission_of, alices_submission, photo, section
):
    section()
    other = submission_of(bob).photos.get()
    for wrong in ("", "x", other.pk):
        assert client.post(at("check_distances", alices_submission), {"photo": wrong}).status_code == 409


def test_before_the_classification_the_page_says_nothing_of_distances(client, dana, alices_submission):
    client.force_login(dana)
    assert b'id="distances"' not in client.get(at("review", alices_submission)).content


# --- The report -------------------------------------------------------------------------------------------
def test_dana_reads_where_the_alarm_stops_and_how_stable_it_is(photo, section):
    record(photo, report_of(STOPS_NEARER))
    html, text = section(), text_of(section())
    assert "The AI says the same at 3 of 7 other distances." in text
    assert "From 1.4× nearer, the alarm no longer rings." in text
    assert "An alarm stays, and so does the urgency." in text
    assert html.count("<circle") == 8 and html.count('class="is-over"') == 4
    assert "score at each distance; dashed is the alarm line (0.20)" in text
    assert 'style="' not in html


def test_the_table_equals_the_picture(photo, section):
    record(photo, report_of(STOPS_NEARER))
    rows = re.findall(r"<tr><th scope=\"row\">.*?</tr>", section())
    assert len(rows) == 8
    assert text_of(rows[0]).split() == ["0.35×", "0", "0.60", "alarm"]
    assert text_of(rows[-1]).split() == ["2.5×", "1", "0.10", "says", "nothing"]
    assert "aria-hidden" in section().partition("<details")[0]


def test_dana_reads_it_in_japanese(photo, section):
    record(photo, report_of(STOPS_NEARER))
    text = text_of(section("ja"))
    assert "1.4倍" in text and "7つのうち3つ" in text and "緊急度" in text
    assert not re.search(r"(?:[A-Za-z][a-z']+[ ,.]+){3,}", text)


def test_without_an_alarm_the_report_names_no_condition_and_has_no_scores(
    client, alices_submission, analyse, section
):
    photo = alices_submission.photos.get()
    analyse(photo)
    section()
    client.post(at("check_distances", alices_submission), {"photo": photo.pk})
    record(photo, report_of([SILENT] * 6 + [RINGS] * 2))
    html = section()
    assert "From 2.2× nearer, an alarm rings." in html and "<circle" not in html and "0.60" not in html
    assert not any(str(name) in html for name in CONDITIONS.values())


def test_an_odd_photo_mutes_the_scores_and_never_the_alarm(alices_submission, analyse, section):
    photo = alices_submission.photos.get()
    analyse(photo, probabilities=HERPES, abstention=Abstention.OUT_OF_SCOPE)
    record(photo, report_of(STOPS_NEARER))
    assert "<circle" not in section() and "the alarm no longer rings" in section()


def test_changes_farther_away_come_first_and_each_is_said_once(photo, section):
    verdicts = [NOT_USABLE, INCONCLUSIVE, *[HERPES_VERDICT] * 3, INCONCLUSIVE, *[HERPES_VERDICT] * 2]
    record(photo, report_of([SILENT] * 2 + [RINGS] * 3 + [SILENT] + [RINGS] * 2, verdicts=verdicts))
    said = re.findall(r"<li>(From [^<]*)</li>", section())
    assert said == [
        "From 0.5× and farther, the alarm no longer rings.",
        "From 0.35× and farther, no skin is found.",
        "From 1.8× nearer, the alarm no longer rings.",
        "From 2.2× nearer, an alarm rings.",
    ]


def test_a_withdrawn_name_is_not_named_in_the_report(alices_submission, analyse, section, monkeypatch):
    monkeypatch.setattr("teleder.cases.verdict.clinic_may_name", lambda clinic: True)
    photo = alices_submission.photos.get()
    analyse(photo, demonstration=False)
    Job.objects.create(photo=photo, stage=Stage.DISTANCE, priority=0)
    verdicts = [named_verdict(Condition.AD)] * 4 + [INCONCLUSIVE] * 3 + [named_verdict(Condition.MF)]
    record(photo, report_of([SILENT] * 8, verdicts=verdicts))
    html = section()
    assert "names a condition" in html and not any(str(name) in html for name in CONDITIONS.values())


def test_a_stored_report_without_a_score_shows_no_scores(photo, section):
    record(photo, report_of())
    stored = Analysis.objects.get().distance
    stored["looks"][2]["scores"] = {}
    Analysis.objects.update(distance=stored)
    assert "at 7 of 7" in section() and "<circle" not in section()


def test_other_models_than_those_of_the_findings_are_named(photo, section):
    record(photo, report_of())
    assert "other models" not in section()
    Analysis.objects.update(classification_model={"name": "older", "version": "1", "sha256": "1" * 64})
    assert "Measured with other models than the results above: test 1, test 1." in section()


def test_the_verdict_says_that_the_answer_is_unstable(client, dana, alices_submission, photo):
    record(photo, report_of(STOPS_NEARER))
    client.force_login(dana)
    page = client.get(at("review", alices_submission)).content.decode()
    assert (
        "The answer changes with the distance of the photo."
        in page[page.index("verdict-title") :].partition("</section>")[0]
    )


# --- The API ----------------------------------------------------------------------------------------------
def api(person) -> APIClient:
    caller = APIClient()
    caller.force_login(person)
    return caller


def test_dana_asks_by_the_api_and_reads_the_report(dana, alices_submission, analyse):
    photo = alices_submission.photos.get()
    analyse(photo)
    url, caller = f"/api/v1/photos/{photo.pk}/distances", api(dana)
    assert caller.get(url).json() == {"state": "not_asked", "report": None}
    assert caller.post(url).json() == caller.post(url).json() == {"state": "waiting", "report": None}
    record(photo, report_of(STOPS_NEARER))
    answer = caller.post(url).json()
    assert answer["state"] == "done" and answer["report"]["changes"] == [[1.0, 1.4]]
    # The verdict speaks of no herpes: its alarm rings only from farther away.
    assert answer["report"]["looks"][0]["verdict"] == "alarm" and not answer["report"]["is_stable"]
    assert answer["report"]["thresholds"] == {}
    verdict = caller.get(f"/api/v1/submissions/{alices_submission.pk}").json()["verdict"]
    assert verdict["unstable_with_distance"] is True


def test_a_photo_that_was_not_read_is_refused_by_the_api(dana, alices_submission):
    reply = api(dana).post(f"/api/v1/photos/{alices_submission.photos.get().pk}/distances")
    assert reply.status_code == 409


def test_an_admin_reads_and_does_not_ask(adam, photo):
    url = f"/api/v1/photos/{photo.pk}/distances"
    assert api(adam).get(url).status_code == 200 and api(adam).post(url).status_code == 403


# --- Patients ---------------------------------------------------------------------------------------------
def test_alice_sees_nothing_of_it_on_pages_in_the_api_or_in_her_data(client, alice, alices_submission, photo):
    record(photo, report_of(STOPS_NEARER))
    client.force_login(alice)
    seen = [client.get(at("submission", alices_submission)).content.decode()]
    for end in ("", "/photos", "/status", "/reviews"):
        seen.append(api(alice).get(f"/api/v1/submissions/{alices_submission.pk}{end}").content.decode())
    for path in (
        f"/api/v1/photos/{photo.pk}/distances",
        f"/api/v1/submissions/{alices_submission.pk}/findings",
    ):
        assert api(alice).get(path).status_code == 403
    assert api(alice).post(f"/api/v1/photos/{photo.pk}/distances").status_code == 403
    assert client.get(at("distances", alices_submission)).status_code == 403
    assert not any(word in text for text in [*seen, str(export.record_of(alice))] for word in WORDS)
