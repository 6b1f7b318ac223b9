"""The operations board: one sentence, tiles with their line, queues, alarms with what to press, stopped jobs by cause."""

from __future__ import annotations

import re
from collections import namedtuple
from datetime import UTC, datetime, timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from contract.messages import Stage
from teleder.accounts.models import DermatologistProfile
from teleder.cases.models import BoardSample, Job, JobState, Submission
from teleder.web.operations import health, storage, tiles
from teleder.web.operations.stopped import groups_of, stopped_groups

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 12, 1, 12, tzinfo=UTC)
Disk = namedtuple("Disk", "total used free")


@pytest.fixture
def adams(client, adam, monkeypatch):
    monkeypatch.setattr(health, "results_waiting", lambda: 0)
    client.force_login(adam)
    return client


def text(reply) -> str:
    return reply.content.decode()


def tile_of(reply, name: str):
    return next(tile for tile in reply.context["tiles"] if tile.name == name)


# --- Tiles ------------------------------------------------------------------------------------------------
def test_each_tile_has_a_word_a_number_and_a_link_that_opens(adams, alices_submission):
    page = adams.get(reverse("web:operations"))
    names = [tile.name for tile in page.context["tiles"]]
    assert names == [
        "cases waiting",
        "oldest wait",
        "overdue",
        "answered on time",
        "sent until visible",
        "AI says nothing",
    ]
    assert tile_of(page, "cases waiting").value == "1"
    for tile in page.context["tiles"]:
        assert adams.get(tile.url).status_code == 200
        assert tile.state == "fine"


def test_an_overdue_case_makes_its_tile_red_in_a_word_too(adams, alices_submission):
    Submission.objects.update(due_at=timezone.now() - timedelta(hours=1))
    page = adams.get(reverse("web:operations"))
    tile = tile_of(page, "overdue")
    assert (tile.value, tile.state, tile.word) == ("1", "bad", "act")
    assert 'class="tile is-bad" href="/operations/cases/?mark=overdue"' in text(page)


@pytest.mark.parametrize(("seconds", "state"), [(10, "fine"), (40, "care"), (300, "bad")])
def test_photos_that_cannot_be_seen_colour_their_tile(adams, alices_submission, seconds, state):
    Job.objects.update(created_at=timezone.now() - timedelta(seconds=seconds))
    assert tile_of(adams.get(reverse("web:operations")), "sent until visible").state == state


def test_the_line_of_24_hours_is_drawn_from_the_samples(adams, adam):
    row = {"overdue": 0, "oldest_seconds": 0, "answered": 0, "on_time": 0, "photos": 0, "abstained": 0}
    for minutes, waiting in ((60, 8), (55, 20), (50, 31)):
        at = timezone.now() - timedelta(minutes=minutes)
        BoardSample.objects.create(clinic=adam.clinic, at=at, waiting=waiting, **row)
    page = adams.get(reverse("web:operations"))
    tile = tile_of(page, "cases waiting")
    assert len(tile.lines) == 1 and len(tile.lines[0].split()) == 3
    assert tile.line_in_words == "24 hours: from 8 to 31, between 8 and 31"
    assert f'<polyline points="{tile.lines[0]}"' in text(page)
    assert tile_of(page, "answered on time").line_in_words.startswith("no line yet")


def test_a_line_rises_to_the_top_and_is_broken_where_nothing_was_measured():
    at = [NOW + timedelta(minutes=5 * number) for number in (0, 1, 2, 60, 61)]
    first, second = tiles.lines(list(zip(at, [0, 5, 10, 10, 5], strict=True)))
    points = [tuple(map(float, point.split(","))) for point in first.split()]
    assert [y for _x, y in points] == [27.0, 14.0, 1.0]
    assert [x for x, _y in points] == sorted(x for x, _y in points)
    assert len(second.split()) == 2


def test_a_poll_answers_304_while_no_sample_is_new(adams, adam):
    row = {"overdue": 0, "oldest_seconds": 0, "answered": 0, "on_time": 0, "photos": 0, "abstained": 0}
    for minutes in (10, 5):
        at = timezone.now() - timedelta(minutes=minutes)
        BoardSample.objects.create(clinic=adam.clinic, at=at, waiting=1, **row)
    address, htmx = reverse("web:operations"), {"HX-Request": "true"}
    first = adams.get(address, headers=htmx)
    assert adams.get(address, headers=htmx | {"If-None-Match": first["ETag"]}).status_code == 304


# --- Alarms -----------------------------------------------------------------------------------------------
def test_each_alarm_says_what_it_means_what_people_see_and_what_to_press(
    adams, adam, dana, alices_submission
):
    past = timezone.now() - timedelta(minutes=5)
    Submission.objects.update(due_at=past)
    Job.objects.update(created_at=past)
    DermatologistProfile.objects.filter(user=dana).update(licence_expires_on=past - timedelta(days=2))
    problems = health.board(adam).problems
    assert [problem.words for problem in problems] == [
        "The prepare worker does not respond: new photos cannot be seen.",
        "1 case is overdue.",
        "1 dermatologist cannot sign: the licence has expired.",
    ]
    page = text(adams.get(reverse("web:operations")))
    for problem in problems:
        for words in (problem.meaning, problem.patients, problem.doctors, problem.remedy):
            assert words and words in page
        assert problem.button in page and adams.get(problem.url).status_code == 200


def test_a_silent_worker_is_named_in_its_queue(adams, alices_submission):
    Job.objects.update(created_at=timezone.now() - timedelta(minutes=5))
    page = adams.get(reverse("web:operations"))
    assert [row["stage"] for row in page.context["board"].stages if row["is_silent"]] == [
        Stage.PREPARE,
        Stage.FULL,  # the same worker makes it
    ]
    assert text(page).count("does not respond</b>") == 2


@pytest.mark.parametrize(
    ("free", "sent_a_week", "words"),
    [(50, 0, None), (5, 0, "95% full"), (50, 70, "full in 5 days"), (50, 7, None), (0, 70, "is full.")],
)
def test_a_storage_that_fills_up_is_an_alarm(
    adams, adam, monkeypatch, alices_submission, free, sent_a_week, words
):
    monkeypatch.setattr(storage.shutil, "disk_usage", lambda _root: Disk(100, 100 - free, free))
    alices_submission.photos.update(size=sent_a_week)
    found = [p for p in health.board(adam).problems if p.words.startswith("The storage of photos")]
    assert bool(found) == (words is not None)
    if found:
        assert words in f"{found[0].words} {found[0].meaning}"


# --- Stopped jobs -----------------------------------------------------------------------------------------
@pytest.fixture
def stopped(alice, submission_of) -> list[Job]:
    """Two failed for one reason, one for another, and one was quarantined."""
    kinds = [("failed", "storage_unreachable")] * 2 + [("failed", "decode"), ("quarantined", "decode")]
    jobs = []
    for state, error in kinds:
        job = submission_of(alice).photos.get().jobs.get()
        Job.objects.filter(pk=job.pk).update(state=state, error=error, finished_at=timezone.now())
        jobs.append(job)
    return jobs


def test_groups_of_the_jobs_shown_are_those_that_the_database_counts(adams, adam, stopped):
    jobs = Job.objects.visible_to(adam).select_related("photo__submission").stopped()
    assert groups_of(jobs) == stopped_groups(Job.objects.visible_to(adam)) != []


def test_stopped_jobs_are_grouped_by_cause_with_their_cases(adams, stopped):
    page = adams.get(reverse("web:operations"))
    groups = [(g.state, g.error, g.jobs, g.cases) for g in page.context["groups"]]
    assert groups == [
        ("failed", "storage_unreachable", 2, 2),
        ("failed", "decode", 1, 1),
        ("quarantined", "decode", 1, 1),
    ]
    assert "These photos cannot be seen yet; the answers can." in text(page)


@pytest.mark.parametrize(
    ("stage", "name", "words"),
    [
        ("full", "make full-size copies", "Dermatologist: the photo, with fewer pixels."),
        ("reanalyse", "analyse drawn crops", "Dermatologist: no result of the crop they drew."),
        ("distance", "check other distances", "Dermatologist: no other distances."),
        ("analyse", "analyse photos", "Dermatologist: the photo, without the AI."),
    ],
)
def test_a_stopped_job_says_by_its_stage_what_people_see(adams, alices_submission, stage, name, words):
    photo = alices_submission.photos.get()
    Job.objects.create(photo=photo, stage=stage, priority=0, state="failed", finished_at=timezone.now())
    page = text(adams.get(reverse("web:operations")))
    listed = page.partition('id="requeue-title"')[2].partition('id="cancel-title"')[0]
    assert f"<td>{name}</td>" in listed and words in listed and f"<td>{stage}</td>" not in listed


def test_a_whole_group_is_requeued_after_a_page_that_names_its_cases(adams, stopped):
    group = {"verb": "requeue", "group": "prepare|failed|storage_unreachable"}
    asked = text(adams.post(reverse("web:change_jobs"), group))
    assert "2 jobs will be tried again." in asked and "They concern 2 cases." in asked
    jobs = re.findall(r'name="job" value="([^"]+)"', asked)
    adams.post(reverse("web:change_jobs"), {"verb": "requeue", "job": jobs, "sure": "1"})
    left = set(Job.objects.filter(state__in=(JobState.FAILED, JobState.QUARANTINED)))
    assert left == {stopped[2], stopped[3]}


def test_what_stopped_for_want_of_files_is_requeued_by_one_press(adams, alice, submission_of):
    for _ in range(3):
        job = submission_of(alice).photos.get().jobs.get()
        Job.objects.filter(pk=job.pk).update(state="failed", error="file_missing", finished_at=timezone.now())
    page = text(adams.get(reverse("web:operations")))
    form = page.partition("prepare|failed|file_missing")[0].rpartition("<form")[2]
    assert form and 'name="sure" value="1"' in page
    press = {"verb": "requeue", "group": "prepare|failed|file_missing", "sure": "1"}
    adams.post(reverse("web:change_jobs"), press)
    assert not Job.objects.filter(state=JobState.FAILED)


@pytest.mark.parametrize("key", ["", "prepare", "prepare|done|", "x|failed|decode", "||' OR 1=1"])
def test_an_unknown_group_chooses_nothing(adams, stopped, key):
    reply = adams.post(reverse("web:change_jobs"), {"verb": "requeue", "group": key}, follow=True)
    assert "No job was chosen" in text(reply)


def test_the_number_of_stopped_jobs_of_a_queue_links_to_them(adams, stopped):
    page = text(adams.get(reverse("web:operations")))
    assert '?stage=prepare#requeue-title">4</a>' in page
    assert len(adams.get(reverse("web:operations"), {"stage": "prepare"}).context["stopped"]) == 4
    assert len(adams.get(reverse("web:operations"), {"stage": "analyse"}).context["stopped"]) == 0
