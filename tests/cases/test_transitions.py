"""Each status has one transition table and one function that changes it; no other code writes it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from teleder.cases import transitions as cases
from teleder.cases.models import Job, Submission
from teleder.cases.transitions import MOVES, EventKind, IllegalMoveError, Status
from teleder.pipeline import transitions as pipeline
from teleder.pipeline.transitions import (
    AI_MOVES,
    JOB_MOVES,
    AIStatus,
    AIStep,
    JobState,
    JobStep,
    move_ai_status,
    move_jobs,
)

ROOT = Path(__file__).resolve().parents[2]
TABLES = {"teleder/cases/transitions.py", "teleder/pipeline/transitions.py"}
COLUMNS = {"status", "state", "ai_status"}
WRITING_CALLS = {"update", "create", "get_or_create", "update_or_create", "bulk_create", "move", "move_jobs"}
WRITING_CALLS |= {"move_ai_status", "Job", "Submission", "setattr", "dict", "save", "bulk_update"}
# Columns of the same names in other tables, which these rules do not cover.
OF_OTHER_TABLES = {
    ("teleder/pipeline/results.py", "photo.state"): "the result of a worker for the photo",
    ("teleder/pipeline/results.py", "save"): "of the photo",
    ("teleder/notifications/outbox.py", "update"): "of a message to a person",
    ("teleder/audit/log.py", "create"): "the HTTP status of an answer",
}


def writes_in(source: str, path: str) -> Iterator[tuple[str, str]]:
    """Yield (path, what) for each place that writes a column with one of these names."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Assign | ast.AugAssign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            parts = [part for target in targets for part in ast.walk(target)]
            for part in parts:
                if isinstance(part, ast.Attribute) and part.attr in COLUMNS:
                    yield path, ast.unparse(part)
        if isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if name in WRITING_CALLS and any(_names_a_column(part) for part in _arguments(node)):
                yield path, name
        text = node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""
        if re.search(r"UPDATE\s+(ONLY\s+)?(public\.)?\"?cases_(job|submission)", text, re.IGNORECASE):
            yield path, "SQL"


def _arguments(call: ast.Call) -> Iterator[ast.AST]:
    """Yield the arguments that name columns: keywords, keys of dictionaries, and names given as text."""
    for keyword in call.keywords:
        yield keyword
        if keyword.arg in {"defaults", "create_defaults", "update_fields", None}:
            yield from ast.walk(keyword.value)
    if getattr(call.func, "id", "") == "setattr" or getattr(call.func, "attr", "") == "bulk_update":
        for argument in call.args[1:]:
            yield from ast.walk(argument)


def _names_a_column(part: ast.AST) -> bool:
    if isinstance(part, ast.keyword):
        return part.arg in COLUMNS
    return isinstance(part, ast.Constant) and part.value in COLUMNS


def writes() -> set[tuple[str, str]]:
    found = set()
    for package in ("contract", "teleder", "inference_worker", "decoding"):
        for file in (ROOT / package).rglob("*.py"):
            path = file.relative_to(ROOT).as_posix()
            if "/migrations/" not in path and path not in TABLES:
                found.update(writes_in(file.read_text(), path))
    return found


def test_no_other_code_writes_a_status():
    assert writes() - set(OF_OTHER_TABLES) == set()


@pytest.mark.parametrize(
    "line",
    [
        "Job.objects.update(state='done')",
        "rows.update(status=Status.CLOSED, due_at=None)",
        "rows.update(**{'ai_status': 'done'})",
        "submission.status = Status.CLOSED",
        "submission.ai_status, other = AIStatus.DONE, 1",
        "Job(photo=photo, state='done')",
        "Job.objects.get_or_create(photo=photo, defaults={'state': 'done'})",
        "Submission.objects.create(case=case, status='closed')",
        "setattr(job, 'state', 'done')",
        "Job.objects.bulk_update(jobs, ['state'])",
        "job.save(update_fields=['state'])",
        "transitions.move(submission, kind, ai_status='done')",
        "cursor.execute('UPDATE cases_job SET state = 1')",
        "cursor.execute('UPDATE public.cases_submission SET status = 1')",
    ],
)
def test_a_planted_write_is_found(line):
    assert list(writes_in(line, "teleder/planted.py"))


# --- The tables -------------------------------------------------------------------------------------------
def partition_of(*parts) -> list:
    return sorted(member for part in parts for member in part)


def test_each_status_is_in_one_part():
    parts = (cases.WITH_PATIENT, cases.AWAITING_DERMATOLOGIST, cases.WITH_ANSWER)
    assert partition_of(*parts) == sorted(Status)


def test_each_job_state_is_in_one_part():
    parts = (pipeline.WAITING, pipeline.UNDER_WAY, pipeline.STOPPED, pipeline.SUCCEEDED)
    assert partition_of(*parts) == sorted(JobState)


@pytest.mark.parametrize(
    ("moves", "states", "first"),
    [
        (MOVES, Status, Status.DRAFT),
        (JOB_MOVES, JobState, JobState.QUEUED),
        (AI_MOVES, AIStatus, AIStatus.NOT_USED),
    ],
)
def test_each_state_can_be_reached(moves, states, first):
    reached = {first}
    for _ in states:
        reached |= {target for sources, target in moves.values() if sources & reached}
    assert reached == set(states)


@pytest.mark.parametrize("module", [cases, pipeline])
def test_the_diagram_names_every_state_and_step(module):
    tables = [MOVES] if module is cases else [JOB_MOVES, AI_MOVES]
    for moves in tables:
        for step, (sources, target) in moves.items():
            for name in (step.value, target.name, *(source.name for source in sources)):
                assert name in module.__doc__, name


# --- The functions, in the database -----------------------------------------------------------------------
@pytest.mark.django_db
@pytest.mark.parametrize("step", JobStep)
def test_a_job_can_take_a_step_only_from_its_sources(alices_submission, step):
    job = Job.objects.filter(photo__submission=alices_submission).first()
    sources, target = JOB_MOVES[step]
    for state in JobState:
        given = {"sent_at": timezone.now(), "deadline": timezone.now()}
        Job.objects.filter(pk=job.pk).update(state=state, **given)
        assert move_jobs(Job.objects.filter(pk=job.pk), step) == (state in sources)
        job.refresh_from_db()
        assert job.state == (target if state in sources else state)


@pytest.mark.django_db
@pytest.mark.parametrize("step", AIStep)
def test_the_ai_status_can_take_a_step_only_from_its_sources(alices_submission, step):
    rows = Submission.objects.filter(pk=alices_submission.pk)
    sources, target = AI_MOVES[step]
    for status in AIStatus:
        rows.update(ai_status=status, ai_deadline=timezone.now())
        assert move_ai_status(rows, step) == (status in sources)
        assert rows.get().ai_status == (target if status in sources else status)


@pytest.mark.django_db
@pytest.mark.parametrize("kind", MOVES)
@pytest.mark.parametrize("status", Status)
def test_a_submission_can_take_a_step_only_from_its_sources(alices_submission, dana, kind, status):
    sources, target = MOVES[kind]
    claimed = {"claimed_by": dana, "claimed_at": timezone.now()}
    rows = Submission.objects.filter(pk=alices_submission.pk)
    rows.update(status=status, **(claimed if status == Status.IN_REVIEW else cases.UNCLAIMED))
    alices_submission.refresh_from_db()
    changes = claimed if target == Status.IN_REVIEW else cases.UNCLAIMED
    if status not in sources:
        with pytest.raises(IllegalMoveError):
            cases.move(alices_submission, kind, **changes)
        assert rows.get().status == status
    else:
        event = cases.move(alices_submission, kind, **changes)
        assert (rows.get().status, event.kind) == (target, kind)


@pytest.mark.django_db
@pytest.mark.parametrize("status", Status)
def test_the_database_requires_a_due_time_after_submission(alices_draft, status, dana):
    """A row that was once submitted has a due time; the database refuses any other."""
    claim = {"claimed_by": dana, "claimed_at": timezone.now()} if status == Status.IN_REVIEW else {}
    rows = Submission.objects.filter(pk=alices_draft.pk)
    if status in cases.ONCE_SUBMITTED:
        refused = pytest.raises(IntegrityError, match="submission_once_submitted_has_due_time")
        with refused, transaction.atomic():
            rows.update(status=status, **claim)
    else:
        rows.update(status=status, **claim)


@pytest.mark.django_db
@pytest.mark.parametrize("state", JobState)
def test_the_database_requires_a_deadline_for_jobs_under_way(alices_submission, state):
    rows = Job.objects.filter(photo__submission=alices_submission)
    if state in pipeline.UNDER_WAY:
        with pytest.raises(IntegrityError, match="job_under_way_has_deadline"), transaction.atomic():
            rows.update(state=state, deadline=None, sent_at=None)
    else:
        rows.update(state=state, deadline=None, sent_at=None)


def test_events_that_change_no_status_are_listed_separately():
    assert set(EventKind) - set(MOVES) == {
        EventKind.OPENED,
        EventKind.HELD,
        EventKind.SEND_UNDONE,
        EventKind.SEND_STOPPED,
        EventKind.AMENDED,
        EventKind.MERGED,
        EventKind.ON_CALL_TOLD,
        EventKind.CALL_ACKNOWLEDGED,
        EventKind.TIME_RUNNING_OUT,
        EventKind.URGENCY_RAISED,
        EventKind.MOVED_UP,
        EventKind.ASKED_BACK,
        EventKind.REPLIED,
        EventKind.OPINION_ASKED,
        EventKind.OPINION_GIVEN,
        EventKind.PHOTOS_DUE,
        EventKind.AI_DONE,
        EventKind.AI_UNAVAILABLE,
        EventKind.AI_SEEN_FIRST,
        EventKind.CROP_DRAWN,
        EventKind.JOB_QUARANTINED,
        EventKind.JOB_REQUEUED,
        EventKind.JOB_CANCELLED,
    }
