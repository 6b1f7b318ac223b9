"""Lists and the sweeper's searches are read in the order of an index, whatever the size of the record.

Tables of a test are too small for the planner to choose an index by itself: sorting and reading whole tables are off.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from teleder.accounts.models import User
from teleder.cases.models import (
    AIStatus,
    Analysis,
    Case,
    Job,
    JobState,
    Place,
    Precedence,
    Status,
    Submission,
    SubmissionQuerySet,
)
from teleder.cases.triage import Urgency
from teleder.notifications.models import Message, MessageState
from teleder.web.clinician import finding

pytestmark = pytest.mark.django_db
PLACE = Place.of(Urgency.ROUTINE, Precedence.NONE, timezone.now(), Submission._meta.pk.get_default())


@pytest.fixture(autouse=True)
def _indexes_only(db) -> Iterator[None]:
    with connection.cursor() as cursor:
        for way in ("seqscan", "sort", "bitmapscan"):
            cursor.execute(f"SET LOCAL enable_{way} = off")
    yield


@pytest.fixture
def many_of_another_clinic(person, north) -> None:
    """Submissions that dana does not see. Without them the lists of her clinic and of all clinics would cost the same."""
    case = Case.objects.create(patient=person("nick", clinic=north), clinic=north)
    row = {"case": case, "clinic": north, "policy": "any", "rule_urgency": 0, "urgency": 0, "flags": []}
    sent = {"status": Status.SUBMITTED, "submitted_at": timezone.now(), "due_at": timezone.now()}
    Submission.objects.bulk_create(Submission(**row, **sent) for _ in range(500))
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE public.cases_submission")


def plan_of(rows) -> str:
    return rows.explain(costs=False)


def visible(user: User) -> SubmissionQuerySet:
    return Submission.objects.visible_to(user)


@pytest.mark.parametrize(
    ("index", "narrow"),
    [
        ("worklist_of_clinic", lambda rows: rows.worklist()),
        ("worklist_of_clinic", lambda rows: rows.worklist().at_least(Urgency.SAME_DAY)),
        ("worklist_of_clinic", lambda rows: rows.worklist().overdue()),
        ("worklist_of_clinic", lambda rows: rows.worklist().awake()),
        ("worklist_of_clinic", lambda rows: rows.worklist().awake().of_urgency(Urgency.DAYS_2)),
        ("inconclusive_of_clinic", lambda rows: rows.awake().inconclusive()),
        ("snoozed_of_clinic", lambda rows: rows.snoozed()),
        ("worklist_of_clinic", lambda rows: rows.worklist().after(PLACE)),
        ("submission_by_last_signing", lambda rows: rows.signed_since(timezone.now())),
        ("submission_of_clinic", lambda rows: rows.order_by("-id")),
        ("submission_by_sending", lambda rows: rows.order_by("-submitted_at")),
        (
            "submission_by_clinic_update",
            lambda rows: rows.updated_since(timezone.now()).order_by("updated_at"),
        ),
    ],
)
@pytest.mark.usefixtures("many_of_another_clinic")
def test_a_list_of_a_clinic_is_read_in_the_order_of_its_index(dana, index, narrow):
    plan = plan_of(narrow(visible(dana))[:51])
    assert index in plan and "Sort  " not in plan, plan


def test_the_deep_page_of_a_worklist_begins_at_its_place(dana):
    plan = plan_of(visible(dana).worklist().after(PLACE)[:51])
    (condition,) = [line for line in plan.splitlines() if "Index Cond" in line]
    assert "ROW(" in condition, plan


def test_who_waits_for_the_patient_has_an_index_of_its_own(dana):
    rows = (
        visible(dana)
        .filter(status=Status.NEEDS_PHOTOS)
        .order_by(*Submission.objects.worklist().query.order_by)
    )
    assert "waiting_for_patient" in plan_of(rows[:51])


@pytest.mark.parametrize(
    ("index", "rows"),
    [
        (
            "waiting_for_ai_by_deadline",
            lambda: Submission.objects.filter(ai_status=AIStatus.WAITING, ai_deadline__lt=timezone.now()),
        ),
        (
            "claims_by_time",
            lambda: Submission.objects.filter(status=Status.IN_REVIEW, claimed_at__lt=timezone.now()),
        ),
        ("job_by_finish", lambda: Job.objects.filter(finished_at__gte=timezone.now())),
        ("job_unfinished_or_stopped", lambda: Job.objects.filter(state=JobState.FAILED)),
        ("message_failed", lambda: Message.objects.filter(state=MessageState.FAILED)),
        (
            "analysis_by_model",
            lambda: Analysis.objects.filter(
                classified_at__isnull=False, classification_model__sha256="0" * 64
            ).order_by("-pk"),
        ),
    ],
)
def test_what_is_asked_again_and_again_has_an_index(index: str, rows: Callable):
    with connection.cursor() as cursor:  # in an empty table the primary key costs the same
        cursor.execute("ALTER TABLE cases_analysis DROP CONSTRAINT cases_analysis_pkey CASCADE")
    assert index in plan_of(rows().order_by() if index != "analysis_by_model" else rows())


def test_a_part_of_a_number_finds_its_case_by_an_index():
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_bitmapscan = on")
        cursor.execute("SET LOCAL enable_indexscan = off")
    assert "case_by_part_of_number" in plan_of(Case.objects.filter(number__contains="2345").order_by())


def test_urgent_ones_are_where_the_list_begins(dana):
    plan = plan_of(visible(dana).worklist().at_least(Urgency.SAME_DAY)[:51])
    (condition,) = [line for line in plan.splitlines() if "Index Cond" in line]
    assert "<= " in condition, plan


def test_one_level_is_a_stretch_of_the_list(dana):
    plan = plan_of(visible(dana).worklist().of_urgency(Urgency.DAYS_2)[:51])
    (condition,) = [line for line in plan.splitlines() if "Index Cond" in line]
    assert "<= " in condition and "> " in condition, plan


def test_the_order_of_the_index_is_that_of_urgency_precedence_due_time_and_id(dana, alice, submission_of):
    for urgency in (Urgency.ROUTINE, Urgency.SAME_DAY):
        for precedence in Precedence:
            for hours in (2, 1):
                made = submission_of(alice)
                due = timezone.now() + timedelta(hours=hours)
                Submission.objects.filter(pk=made.pk).update(
                    urgency=urgency, ai_precedence=precedence, due_at=due
                )
    rows = visible(dana).worklist()
    plain = list(rows.order_by("-urgency", "-ai_precedence", "due_at", "id"))
    assert list(rows) == plain
    for number, row in enumerate(plain):
        assert list(rows.after(row.place)) == plain[number + 1 :]
    for urgency in Urgency:
        assert list(rows.at_least(urgency)) == [row for row in plain if row.urgency >= urgency]
        assert list(rows.of_urgency(urgency)) == [row for row in plain if row.urgency == urgency]


# --- Searched among millions ------------------------------------------------------------------------------
@pytest.fixture
def _bitmaps_too() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_bitmapscan = on")


@pytest.mark.usefixtures("_bitmaps_too")
def test_a_case_number_is_looked_for_by_index_alone(dana, alices_submission):
    """Two conditions joined by "or" read all submissions: two seconds at a million."""
    plan = plan_of(finding.found(visible(dana), dana, alices_submission.case.number)[:26])
    assert "Seq Scan" not in plan and "SubPlan" not in plan, plan


@pytest.mark.usefixtures("_bitmaps_too")
@pytest.mark.parametrize("words", ["takasaki", "タカサキ", "gebz"])
def test_a_part_of_a_name_is_looked_for_by_indexes(words):
    plan = plan_of(User.objects.filter(role="patient").matching(words))
    indexes = ("person_by_part_of_name", "person_by_part_of_reading", "person_by_part_of_address")
    assert all(index in plan for index in indexes) and "Seq Scan" not in plan, plan


@pytest.mark.usefixtures("_bitmaps_too")
def test_of_the_cancelled_jobs_only_those_that_can_matter_are_read(adam):
    plan = plan_of(Job.objects.visible_to(adam).stopped())
    for index in ("unprepared_by_creation", "waiting_by_creation"):
        assert index in plan, plan
    young = Job.objects.filter(state=JobState.CANCELLED, stage="analyse", created_at__gte=timezone.now())
    assert "job_cancelled_by_creation" in plan_of(young)
