"""A child's data, in the hands of the guardian: export, erasure, retention."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from datetime import timedelta

import jsonschema
import pytest
from django.db.models import F
from django.utils import timezone

from teleder.accounts.models import ChildInvitation, Consent, User
from teleder.cases import intake, withdrawal
from teleder.cases.models import Submission
from teleder.notifications import outbox
from teleder.privacy import erasure, export, hand_over, holds, retention
from teleder.privacy.models import Erasure, Tombstone, Why
from tests.conftest import PASSWORD

pytestmark = pytest.mark.django_db


def exported(person) -> dict:
    body = b"".join(export.pack(export.record_of(person), []))
    return json.loads(zipfile.ZipFile(io.BytesIO(body)).read("data.json"))


def let_time_pass() -> None:
    Erasure.objects.update(
        due_at=F("due_at") - timedelta(days=400), asked_at=F("asked_at") - timedelta(days=400)
    )
    Submission.objects.update(status="withdrawn")


def test_the_childs_export_is_about_the_child_and_the_guardians_about_the_guardian(
    alice, sora, submission_of
):
    mine, childs = submission_of(alice), submission_of(sora)
    outbox.queue_messages()
    schema = json.loads(export.SCHEMA.read_text())
    of_child, of_guardian = exported(sora), exported(alice)
    for each in (of_child, of_guardian):
        jsonschema.validate(each, schema)
    assert [case["id"] for case in of_child["cases"]] == [str(childs.case_id)]
    assert [case["id"] for case in of_guardian["cases"]] == [str(mine.case_id)]
    assert len(of_child["messages"]) == len(of_guardian["messages"]) == 2
    assert of_child["person"]["guardians"] == [{"name": "Alice", "relation": "parent"}]
    assert of_child["person"]["email"] is None
    assert {row["relation"] for row in of_child["consents"]} == {"parent"}
    assert [row["name"] for row in of_guardian["person"]["children"]] == ["Sora"]


def test_erasing_the_child_leaves_the_guardian(alice, sora, submission_of):
    submission_of(sora)
    outbox.queue_messages()
    erasure.ask(sora, why=Why.REQUEST)
    let_time_pass()
    assert erasure.carry_out() == 1
    assert not User.objects.filter(pk=sora.pk).exists() and not Submission.objects.exists()
    assert User.objects.filter(pk=alice.pk).exists()
    assert alice.consents.given().count() == 2


def test_the_mail_about_a_childs_erasure_goes_to_the_guardian(alice, sora, mailoutbox):
    erasure.ask(sora, why=Why.REQUEST)
    assert erasure.notify_people() == 1
    assert mailoutbox[0].to == [alice.email] and "Sora" not in mailoutbox[0].subject + mailoutbox[0].body
    assert f"/children/{sora.pk}/data/" in mailoutbox[0].body


def test_with_the_guardian_go_the_children_and_the_children_first(alice, sora, submission_of):
    submission_of(alice)
    submission_of(sora)
    outbox.queue_messages()
    erasure.ask(alice, why=Why.REQUEST)
    let_time_pass()
    assert sum(erasure.carry_out() for _round in range(2)) == 2
    assert not User.objects.exists() or not User.objects.filter(pk__in=[alice.pk, sora.pk]).exists()
    assert Tombstone.objects.count() == 2


def test_a_hold_on_the_child_keeps_the_guardian(alice, sora, adam):
    holds.set_hold(sora, reason="court", by=adam)
    erasure.ask(alice, why=Why.REQUEST)
    let_time_pass()
    assert [erasure.carry_out() for _round in range(2)] == [0, 0]
    assert User.objects.filter(pk__in=[alice.pk, sora.pk]).count() == 2


def test_taking_back_keeps_the_children_too_but_not_one_asked_for_before(alice, child_of):
    first, second = child_of(alice, "Sora"), child_of(alice, "Mei")
    erasure.ask(first, why=Why.REQUEST)
    Erasure.objects.update(asked_at=F("asked_at") - timedelta(hours=1))
    erasure.ask(alice, why=Why.REQUEST)
    assert Erasure.objects.count() == 3
    erasure.take_back(alice)
    assert [row.person_id for row in Erasure.objects.all()] == [first.pk]
    assert User.objects.filter(pk=second.pk).exists()


def test_a_guardian_who_is_to_be_erased_adds_no_child(alice, child_of):
    erasure.ask(alice, why=Why.REQUEST)
    with pytest.raises(Exception, match="is to be erased"):
        child_of(alice)


def test_after_a_hand_over_the_guardian_can_be_erased_and_the_consent_says_who_gave_it(alice, sora, draft_of):
    submission = intake.submit(draft_of(sora), by=alice)
    withdrawal.withdraw(submission, by=alice)
    withdrawal.restore(submission, by=alice)
    outbox.queue_messages()
    sora.patient.birth_date = sora.patient.birth_date.replace(year=timezone.localdate().year - 18)
    sora.patient.birth_year = sora.patient.birth_date.year
    sora.patient.save()
    hand_over.send_link(User.objects.get(pk=sora.pk), email="sora@example.com")
    token = "known-token"
    ChildInvitation.objects.update(token_sha256=hashlib.sha256(token.encode()).hexdigest())
    assert hand_over.take_over(token, password=PASSWORD) == sora
    erasure.ask(alice, why=Why.REQUEST)
    let_time_pass()
    assert erasure.carry_out() == 1
    assert not User.objects.filter(pk=alice.pk).exists()
    assert Submission.objects.get().written_by == "parent"
    assert set(Consent.objects.filter(person=sora).values_list("given_by", "relation")) == {(None, "parent")}


def test_retention_takes_no_child_and_no_guardian_of_a_child_with_a_case(alice, sora, submission_of):
    User.objects.update(date_joined=timezone.now() - timedelta(days=9999))
    old = retention.accounts(timedelta(days=365))
    assert set(old) == {alice}  # the child goes with her
    submission_of(sora)
    assert not old.all().exists()
