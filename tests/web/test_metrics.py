"""`/metrics`: who may read it, what it says, and that dashboard and alert rules ask only for what it has."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from pathlib import Path

import pytest
import yaml
from django.urls import reverse
from django.utils import timezone
from prometheus_client.parser import text_string_to_metric_families

from contract import messages
from teleder.cases import reviews
from teleder.cases.models import Job, Submission
from teleder.pipeline import results
from teleder.web.operations import health
from tests.conftest import send_for_test

pytestmark = pytest.mark.django_db
ROOT = Path(__file__).resolve().parents[2]
TOKEN = "a-token-of-the-tests-0123456789"


@pytest.fixture
def scrape(client, settings, monkeypatch):
    settings.METRICS_TOKEN = TOKEN
    monkeypatch.setattr(health, "results_waiting", lambda: 3)

    def read() -> dict[str, list]:
        reply = client.get(reverse("metrics"), headers={"Authorization": f"Bearer {TOKEN}"})
        assert reply.status_code == 200 and reply["Content-Type"].startswith("text/plain; version=0.0.4")
        families = text_string_to_metric_families(reply.content.decode())
        return {family.name: family.samples for family in families}

    return read


def value(found: dict[str, list], name: str, **labels: str) -> float:
    (sample,) = [one for one in found[name] if labels.items() <= one.labels.items()]
    return sample.value


@pytest.mark.parametrize(
    "shown", ["", "Bearer", "Bearer another-token-0123456789", f"Token {TOKEN}", "Bearer é"]
)
def test_without_its_token_there_is_no_such_page(client, settings, shown):
    settings.METRICS_TOKEN = TOKEN
    headers = {"Authorization": shown} if shown else {}
    assert client.get(reverse("metrics"), headers=headers).status_code == 404


def test_while_no_token_is_set_nobody_may_read_it(client, settings, adam):
    settings.METRICS_TOKEN = ""
    client.force_login(adam)
    assert client.get(reverse("metrics"), headers={"Authorization": "Bearer "}).status_code == 404


def test_it_tells_depth_and_age_by_stage_state_and_urgency(scrape, alices_submission):
    Job.objects.update(created_at=timezone.now() - timedelta(seconds=90))
    found = scrape()
    waiting = {"stage": "prepare", "state": "queued", "urgency": "routine"}
    assert value(found, "teleder_jobs", **waiting) == 1
    assert 90 <= value(found, "teleder_job_oldest_seconds", **waiting) < 120
    assert value(found, "teleder_submissions_waiting") == 1
    assert value(found, "teleder_results_waiting") == 3


def test_it_tells_what_finished_work_took(scrape, alices_submission, analyse):
    analyse(alices_submission.photos.get())
    found = scrape()
    for part in ("wait", "work"):
        assert 0 <= value(found, "teleder_stage_seconds", stage="prepare", part=part, quantile="0.95") < 60
    assert value(found, "teleder_batch_photos", stage="prepare") == 1
    assert value(found, "teleder_jobs_done", stage="prepare") == 1
    assert value(found, "teleder_worker_photos", worker="test") >= 2
    assert value(found, "teleder_ai_photos") == 1
    assert sum(sample.value for sample in found["teleder_engine_photos"]) == 1
    assert value(found, "teleder_abstain_rate") in (0, 1)


def test_it_counts_what_failed(scrape, alices_submission):
    job, attempt = send_for_test(alices_submission.photos.get(), "prepare")
    results.record(job=job, attempt=attempt, worker="w", outcome=messages.Failed(code="storage_unreachable"))
    found = scrape()
    assert value(found, "teleder_jobs", stage="prepare", state="failed") == 1
    assert value(found, "teleder_problems") == 1


def test_an_unavailable_broker_is_a_figure(scrape, monkeypatch):
    monkeypatch.setattr(health, "results_waiting", lambda: None)
    assert value(scrape(), "teleder_broker_up") == 0


def test_the_board_shows_the_same_figures(scrape, client, adam, alices_submission, analyse):
    analyse(alices_submission.photos.get())
    client.force_login(adam)
    page = client.get(reverse("web:operations")).content.decode()
    seconds = value(scrape(), "teleder_stage_seconds", stage="prepare", part="wait", quantile="0.5")
    assert f'<td class="seconds">{seconds:.1f} s, ' in page


def test_it_names_no_person_and_no_case(scrape, alices_submission, analyse, client):
    analyse(alices_submission.photos.get())
    scrape()
    text = client.get(reverse("metrics"), headers={"Authorization": f"Bearer {TOKEN}"}).content.decode()
    case = Submission.objects.get().case
    for secret in (case.number, str(case.pk), case.patient.email, str(alices_submission.pk)):
        assert secret not in text


def asked_for() -> set[str]:
    dashboard = json.loads((ROOT / "deploy/grafana/teleder.json").read_text())
    rules = yaml.safe_load((ROOT / "deploy/prometheus/alerts.yml").read_text())
    texts = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    texts += [rule["expr"] for group in rules["groups"] for rule in group["rules"]]
    return {name for text in texts for name in re.findall(r"teleder_[a-z_]+", text)}


def test_dashboard_and_alert_rules_ask_for_what_there_is(
    scrape, dana, alices_submission, analyse, alice, submission_of, spot_check_draw
):
    analyse(alices_submission.photos.get())
    spot_check_draw["is_drawn"] = True
    checked = submission_of(alice)
    reviews.claim(checked, by=dana)
    reviews.sign(checked, by=dana, impression="AD", disposition="self_care", text="Seen.")
    missing = asked_for() - set(scrape())
    assert not missing
