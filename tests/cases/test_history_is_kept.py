"""PostgreSQL does not let reviews and events be changed, even when the web runs as the owner of the tables."""

from __future__ import annotations

import psycopg
import pytest
from django.db import IntegrityError, ProgrammingError, connection, transaction
from django.db.models.functions import Now

from teleder.cases import reviews
from teleder.cases.models import Event, Review, Submission
from teleder.notifications import outbox
from teleder.notifications.models import Message
from teleder.privacy import belongings, holds

pytestmark = pytest.mark.django_db
ANSWER = {"impression": "AD", "disposition": "today", "text": "Please come today."}


@pytest.fixture
def signed(alices_submission, dana) -> Submission:
    reviews.claim(alices_submission, by=dana)
    reviews.sign(alices_submission, by=dana, **ANSWER)
    return alices_submission


def refused(statement: str, *values: object) -> None:
    with (
        pytest.raises(ProgrammingError, match="kept as they are"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(statement, values)


@pytest.mark.parametrize("column", [field.column for field in Review._meta.concrete_fields])
def test_no_column_of_a_signed_answer_can_be_changed(signed, column):
    refused(f"UPDATE cases_review SET {column} = {column}")


@pytest.mark.parametrize(
    "change",
    [
        "kind = 'closed'",
        "at = at - interval '1 day'",
        "actor_id = NULL",
        "detail = '{}'",
        "detail = '{\"n\": 1.0}'",
        "id = id + 1000",
        "submission_id = gen_random_uuid()",
        "kind = kind",
        "told_at = NULL",
        "told_at = now(), kind = 'closed'",
        "told_at = now(), actor_id = NULL",
        "told_at = now(), detail = '{\"n\": 1.0}'",
    ],
)
def test_no_column_of_an_event_but_its_notification_time_can_be_changed(signed, dana, change):
    event = signed.events.create(kind="claimed", actor=dana, detail={"n": 1})
    refused(f"UPDATE cases_event SET {change} WHERE id = %s", event.pk)


def test_the_notification_time_of_an_event_is_set_once(signed):
    assert outbox.queue_messages() == signed.events.count() > 0
    refused("UPDATE cases_event SET told_at = now()")
    refused("UPDATE cases_event SET told_at = NULL")


@pytest.mark.parametrize("table", ["cases_event", "cases_review"])
def test_no_row_can_be_deleted_by_delete_or_merge(signed, table):
    refused(f"DELETE FROM {table}")
    refused(f"MERGE INTO {table} t USING (VALUES (1)) v ON true WHEN MATCHED THEN DELETE")


@pytest.mark.parametrize("table", ["cases_event", "cases_review", "cases_submission", "accounts_user"])
def test_no_table_can_be_truncated(db, table):
    with connection.cursor() as cursor:
        # Disabled for tests that empty all tables (conftest.py).
        cursor.execute("ALTER TABLE cases_event ENABLE TRIGGER cases_keep_from_truncate")
        cursor.execute("ALTER TABLE cases_review ENABLE TRIGGER cases_keep_from_truncate")
    refused(f"TRUNCATE {table} CASCADE")


def test_a_submission_is_erased_with_its_complete_history(signed):
    outbox.queue_messages()
    belongings.delete_submissions([signed.pk])
    assert not Submission.objects.exists() and not Event.objects.exists() and not Review.objects.exists()
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")


def test_deletion_is_allowed_only_inside_the_function(signed, bob, submission_of):
    bobs = submission_of(bob)
    Message.objects.all().delete()
    belongings.delete_submissions([signed.pk])
    refused("DELETE FROM cases_event WHERE submission_id = %s", bobs.pk)


def test_the_function_deletes_nothing_under_legal_hold(signed, alice, adam):
    holds.set_hold(alice, reason="court", by=adam)
    events = signed.events.count()
    with pytest.raises(IntegrityError, match="under legal hold"), transaction.atomic():
        belongings.delete_submissions([signed.pk])
    assert (signed.events.count(), signed.reviews.count()) == (events, 1)
    refused("DELETE FROM cases_event")


# --- As the role of the web, logged in ----------------------------------------------------------------------
def test_the_web_role_erases_only_by_the_function(as_web, signed):
    for table in ("cases_event", "cases_review", "cases_submission"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            as_web.execute(f"DELETE FROM {table}")
        # Setting what the trigger checks does not give the right to delete.
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            as_web.execute(f"SET teleder.erasing = 'on'; DELETE FROM {table}")
    with pytest.raises(psycopg.errors.ForeignKeyViolation):  # photos and all other rows must be deleted first
        as_web.execute("SELECT erase_submissions(%s)", [[signed.pk]])
    assert signed.reviews.count() == 1


def test_a_temporary_table_does_not_lift_a_legal_hold(as_web, web_role, alices_submission, alice, adam):
    holds.set_hold(alice, reason="court", by=adam)
    with connection.cursor() as cursor:
        cursor.execute(f'GRANT TEMPORARY ON DATABASE {connection.settings_dict["NAME"]} TO "{web_role[0]}"')
    as_web.execute("CREATE TEMPORARY TABLE privacy_hold (lifted_at timestamptz, person_id uuid)")
    with pytest.raises(psycopg.errors.CheckViolation, match="under legal hold"):
        as_web.execute("DELETE FROM public.cases_photo")


def test_the_web_role_notifies_signs_and_amends(acting_as_web, alices_submission, dana):
    with acting_as_web():
        reviews.claim(alices_submission, by=dana)
        reviews.sign(alices_submission, by=dana, **ANSWER)
        alices_submission.refresh_from_db()
        reviews.amend(alices_submission, by=dana, **ANSWER | {"text": "Tomorrow is soon enough."})
        outbox.queue_messages()
    assert alices_submission.reviews.count() == 2
    assert not Event.objects.filter(told_at=None, at__lt=Now()).exists()
