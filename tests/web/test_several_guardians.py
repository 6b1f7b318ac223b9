"""Several guardians of one child: invitation, the consent of each, leaving and removing, and the end by a hand-over."""

from __future__ import annotations

import re
from datetime import date

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from teleder.accounts import people
from teleder.accounts.models import ChildInvitation, Guardianship, PatientProfile, Purpose, User
from teleder.cases import intake
from teleder.cases.models import AIStatus, Submission
from teleder.cases.originals import RefusedError
from teleder.notifications import outbox
from teleder.notifications.models import Message
from teleder.pipeline.queue import ai_may_read
from teleder.privacy import erasure, guardians
from teleder.privacy.models import Erasure, Why
from tests.conftest import CALM, PASSWORD

pytestmark = pytest.mark.django_db
BOTH = {"relation": "parent", "care": "on", "ai": "on"}


def at(name: str, *args) -> str:
    return reverse(f"web:{name}", args=args)


def logged_in(person) -> Client:
    client = Client(headers={"Accept-Language": "en"})
    client.force_login(person)
    return client


def confirmed(client: Client) -> Client:
    """The same after the password was entered again."""
    client.post(reverse("account_reauthenticate"), {"password": PASSWORD})
    return client


@pytest.fixture
def alices(alice):
    return confirmed(logged_in(alice))


@pytest.fixture
def link(alices, sora, bob, mailoutbox) -> str:
    """The link that alice sent to bob."""
    answer = alices.post(at("invite_guardian", sora.pk), {"email": "Bob@Example.com"})
    assert answer.url == at("child", sora.pk)
    (mail,) = mailoutbox
    assert mail.to == [bob.email]
    for name in ("Alice", "Sora", "Bob"):
        assert name not in mail.subject + mail.body
    return re.search(r"/guardians/\S+", mail.body)[0]


@pytest.fixture
def joined(link, bob, sora) -> Client:
    """Bob's browser, once he is a guardian."""
    bobs = confirmed(logged_in(bob))
    assert bobs.post(link, BOTH).url == at("child", sora.pk)
    return bobs


# --- Invitation -----------------------------------------------------------------------------------------
def test_bob_reads_who_invites_agrees_and_sees_the_record(link, bob, sora, submission_of):
    submission = submission_of(sora)
    bobs = logged_in(bob)
    assert bobs.get(at("submission", submission.pk)).status_code == 404
    page = bobs.get(link).content.decode()
    assert "Look after Sora together" in page and "Alice invites you" in page
    assert "I am the guardian of this child" in page
    assert bobs.post(link, {"relation": "parent"}).status_code == 422  # without the consent to care
    assert bobs.post(link, BOTH | {"relation": "king"}).status_code == 422
    assert bobs.post(link, BOTH | {"relation": "grandparent"}).url == at("child", sora.pk)
    assert bobs.get(at("submission", submission.pk)).status_code == 200
    assert [(row.guardian.name, row.relation) for row in User.objects.get(pk=sora.pk).guardians] == [
        ("Alice", "parent"),
        ("Bob", "grandparent"),
    ]
    assert bobs.get(link).status_code == 410


def test_the_link_is_for_the_address_to_which_it_was_sent(link, person, sora):
    carol = logged_in(person("carol"))
    page = carol.get(link)
    assert page.status_code == 410 and "for another account" in page.content.decode()
    assert "Sora" not in page.content.decode()
    assert carol.post(link, BOTH).status_code == 410
    assert Guardianship.objects.filter(child=sora).count() == 1


def test_a_visitor_is_led_to_log_in_and_back(link):
    assert Client().get(link).url == f"{reverse('account_login')}?next={link}"


def test_a_link_that_was_stopped_or_is_too_old_or_of_another_clinic_no_longer_works(
    link, alices, bob, sora, north
):
    bobs = logged_in(bob)
    User.objects.filter(pk=bob.pk).update(clinic=north)
    assert bobs.post(link, BOTH).status_code == 410
    User.objects.filter(pk=bob.pk).update(clinic=sora.clinic)
    ChildInvitation.objects.update(expires_at=timezone.now())
    assert bobs.post(link, BOTH).status_code == 410
    alices.post(at("invite_guardian", sora.pk), {"verb": "stop"})
    assert not ChildInvitation.objects.exists()


def test_a_child_has_four_guardians_at_most_and_each_once(alices, joined, alice, bob, sora, person):
    for known in (alice, bob):
        refused = alices.post(at("invite_guardian", sora.pk), {"email": known.email})
        assert refused.status_code == 422 and "guardian already" in refused.content.decode()
    for name in ("carol", "erik"):
        Guardianship.objects.create(child=sora, guardian=person(name), relation="other")
    refused = alices.post(at("invite_guardian", sora.pk), {"email": "fay@example.com"})
    assert refused.status_code == 422 and "at most 4" in refused.content.decode()


def test_an_account_of_a_child_becomes_no_guardian(link, bob):
    PatientProfile.objects.filter(user=bob).update(birth_year=timezone.localdate().year - 15)
    assert logged_in(bob).get(link).url == at("guardian_needed")


# --- What each may do -----------------------------------------------------------------------------------
def test_news_reach_each_guardian_and_the_case_says_who_wrote(joined, alice, bob, sora, draft_of):
    intake.submit(draft_of(sora), by=bob)
    outbox.queue_messages()
    assert {row.person for row in Message.objects.filter(channel="inbox")} == {alice, bob}
    Guardianship.objects.filter(guardian=bob).update(relation="grandparent")
    draft = intake.start(patient=User.objects.get(pk=sora.pk), by=bob, answers=CALM)
    assert draft.written_by == "grandparent"
    assert intake.start(patient=User.objects.get(pk=sora.pk), by=alice, answers=CALM).written_by == "parent"


def test_each_writes_their_own_relation(joined, alices, sora, bob):
    form = {"name": "Sora", "birth_date": f"{sora.patient.birth_date:%Y-%m-%d}", "relation": "other"}
    assert joined.post(at("child", sora.pk), form).status_code == 302
    assert dict(Guardianship.objects.values_list("guardian__name", "relation")) == {
        "Alice": "parent",
        "Bob": "other",
    }


# --- The consent of each --------------------------------------------------------------------------------
def test_a_consent_counts_when_each_guardian_agrees(link, alices, alice, bob, sora, submission_of):
    submission = submission_of(sora)
    assert ai_may_read(submission) and submission.ai_status == AIStatus.WAITING
    bobs = logged_in(bob)
    bobs.post(link, {"relation": "parent", "care": "on"})  # not to AI
    submission = Submission.objects.get(pk=submission.pk)
    assert not ai_may_read(submission) and submission.ai_status != AIStatus.WAITING
    assert not ai_may_read(Submission.objects.select_related("case__patient").get(pk=submission.pk))
    page = alices.get(at("child", sora.pk)).content.decode()
    assert "Still missing: Bob" in page
    bobs.post(at("child_consent", sora.pk), {"purpose": "ai", "verb": "give"})
    assert ai_may_read(submission)
    assert "Still missing" not in alices.get(at("child", sora.pk)).content.decode()
    assert {row.given_by for row in sora.consents.given().filter(purpose="ai")} == {alice, bob}


def test_one_guardian_withdraws_only_their_own_consent(joined, alices, alice, sora):
    joined.post(at("child_consent", sora.pk), {"purpose": "care", "verb": "withdraw"})
    standing = sora.consents.not_withdrawn().filter(purpose=Purpose.CARE)
    assert [row.given_by for row in standing] == [alice]
    assert not sora.consents.given().filter(purpose=Purpose.CARE).exists()
    with pytest.raises(RefusedError, match="agree to care"):
        intake.start(patient=User.objects.get(pk=sora.pk), by=alice, answers=CALM)
    assert alices.get(at("new"), {"for": sora.pk}).url == at("child", sora.pk) + "#consents"


def test_adults_have_one_consent_a_purpose(alice):
    before = alice.consents.count()
    people.give_consent(alice, Purpose.CARE)
    assert alice.consents.count() == before


# --- Leaving --------------------------------------------------------------------------------------------
def test_bob_leaves_and_his_consents_and_messages_end(joined, alice, bob, sora, submission_of):
    submission = submission_of(sora)
    outbox.queue_messages()
    answer = joined.post(at("remove_guardian", sora.pk), {"guardian": bob.pk})
    assert answer.url == at("settings")
    assert joined.get(at("submission", submission.pk)).status_code == 404
    assert not Message.objects.filter(person=bob).exists() and Message.objects.filter(person=alice).exists()
    assert {row.given_by for row in sora.consents.not_withdrawn()} == {alice}
    assert sora.consents.given().filter(purpose="care").exists()


def test_the_last_guardian_cannot_leave(alices, alice, sora):
    answer = alices.post(at("remove_guardian", sora.pk), {"guardian": alice.pk}, follow=True)
    assert "somebody must answer for the child" in answer.content.decode()
    assert "Leave: I no longer" not in alices.get(at("child", sora.pk)).content.decode()
    assert alice.children.count() == 1


def test_nobody_leaves_a_child_to_somebody_who_is_about_to_go(joined, alice, bob, sora):
    erasure.ask(alice, why=Why.REQUEST)
    joined.post(at("remove_guardian", sora.pk), {"guardian": bob.pk})
    assert bob.children.count() == 1


def test_who_was_there_first_removes_later_ones_and_they_get_a_mail(
    joined, alices, alice, bob, sora, mailoutbox, django_capture_on_commit_callbacks
):
    joined.post(at("remove_guardian", sora.pk), {"guardian": alice.pk})
    assert alice.children.count() == 1
    mailoutbox.clear()
    with django_capture_on_commit_callbacks(execute=True):
        alices.post(at("remove_guardian", sora.pk), {"guardian": bob.pk})
    assert bob.children.count() == 0
    (mail,) = mailoutbox
    assert mail.to == [bob.email] and "Sora" not in mail.subject + mail.body


def test_a_stranger_removes_nobody(joined, bob, sora, person):
    carol = confirmed(logged_in(person("carol")))
    assert carol.post(at("remove_guardian", sora.pk), {"guardian": bob.pk}).status_code == 404
    assert not guardians.remove(sora, bob, by=User.objects.get(name="Carol"))
    assert bob.children.count() == 1


def test_it_needs_the_password_again(joined, alice, sora):
    stale = Client()
    stale.post(reverse("account_login"), {"login": alice.email, "password": PASSWORD})
    for name in ("invite_guardian", "remove_guardian"):
        assert reverse("account_reauthenticate") in stale.post(at(name, sora.pk)).url


# --- The end --------------------------------------------------------------------------------------------
def test_with_one_of_two_guardians_no_child_is_erased(joined, alice, bob, sora):
    erasure.ask(alice, why=Why.REQUEST)
    assert not Erasure.objects.filter(person=sora).exists()
    Erasure.objects.update(due_at=timezone.now())
    assert erasure.carry_out() == 1
    assert not User.objects.filter(pk=alice.pk).exists()
    child = User.objects.get(pk=sora.pk)
    assert child.guardian_names == ["Bob"] and child.consents.given().filter(purpose="care").exists()


def test_when_both_go_the_child_goes_first(joined, alice, bob, sora):
    erasure.ask(alice, why=Why.REQUEST)
    erasure.ask(bob, why=Why.REQUEST)
    assert Erasure.objects.count() == 3
    Erasure.objects.update(due_at=timezone.now())
    assert sum(erasure.carry_out() for _round in range(3)) == 3
    assert not User.objects.filter(pk__in=[alice.pk, bob.pk, sora.pk]).exists()


def test_after_the_hand_over_each_guardian_gets_a_mail_and_the_child_has_every_message_once(
    joined, alices, alice, bob, sora, submission_of, mailoutbox
):
    submission = submission_of(sora)
    outbox.queue_messages()
    born = date(timezone.localdate().year - 18, 1, 1)
    PatientProfile.objects.filter(user=sora).update(birth_date=born, birth_year=born.year)
    mailoutbox.clear()
    alices.post(at("hand_over", sora.pk), {"email": "sora@example.com"})
    path = re.search(r"/hand-over/\S+", mailoutbox.pop().body)[0]
    assert Client().post(path, {"password": PASSWORD}).status_code == 302
    assert sorted(mail.to[0] for mail in mailoutbox) == [alice.email, bob.email]
    for mail in mailoutbox:
        assert "Sora" not in mail.subject + mail.body and submission.case.number not in mail.body
    assert {row.person for row in Message.objects.all()} == {sora}
    assert Message.objects.filter(channel="inbox").count() == 1
    assert not Guardianship.objects.exists() and not sora.consents.not_withdrawn().exists()
    for client in (alices, joined):
        assert client.get(at("submission", submission.pk)).status_code == 404


def test_the_clinic_reads_both_names(joined, adam, sora):
    admins = logged_in(adam)
    for page in (admins.get(at("people")), admins.get(at("person_data", sora.pk))):
        assert "child of Alice, Bob" in page.content.decode()
