"""Only the owner of the tables creates superusers; an attacker with the web's role cannot."""

from __future__ import annotations

import psycopg
import pytest
from django.core.management import call_command
from django.db import ProgrammingError

from teleder.accounts import people
from teleder.accounts.models import Invitation, Role, User

RAISED = "UPDATE accounts_user SET is_superuser = true"
COPIED = """INSERT INTO accounts_user SELECT (jsonb_populate_record(u, jsonb_build_object(
    'id', gen_random_uuid(), 'email', 'mallory@example.com', 'is_superuser', true))).* FROM accounts_user u LIMIT 1"""


@pytest.mark.parametrize("statement", [RAISED, f"{RAISED} WHERE role = 'admin'", COPIED])
def test_the_web_role_cannot_create_a_superuser(as_web, adam, statement):
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="only the owner of the tables"):
        as_web.execute(statement)
    assert not User.objects.filter(is_superuser=True).exists()


def test_the_web_role_cannot_grant_superuser(as_web, adam, sue):
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        as_web.execute(
            "UPDATE accounts_user u SET is_superuser = NOT is_superuser"  # sue loses it, adam gets it
        )
    assert list(User.objects.filter(is_superuser=True)) == [sue]


def test_the_web_role_invites_changes_and_demotes_as_before(acting_as_web, adam, sue, person):
    olga = person("olga", "admin", is_superuser=True)
    with acting_as_web():
        invitation, _token = Invitation.issue(email="erik@example.com", role=Role.ADMIN, by=adam)
        erik = people.accept_invitation(invitation, name="Erik", password="correct-horse-battery")
        people.change_role(olga, role=Role.DERMATOLOGIST, by=sue)
        people.deactivate(erik, by=adam)
        sue.name = "Sue S."
        sue.save()
    olga.refresh_from_db()
    assert olga.is_dermatologist and not olga.is_superuser
    assert User.objects.get(pk=sue.pk).is_superuser


def test_a_superuser_is_created_with_the_owners_database_url(acting_as_web, monkeypatch):
    monkeypatch.setenv("DJANGO_SUPERUSER_PASSWORD", "correct-horse-battery")
    create = ("createsuperuser", "--no-input", "--email", "root@example.com")
    with pytest.raises(ProgrammingError, match="use the owner's DATABASE_URL"), acting_as_web():
        call_command(*create)
    call_command(*create)
    assert User.objects.get().is_superuser
