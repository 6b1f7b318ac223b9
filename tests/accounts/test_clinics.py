"""Clinics share nothing: staff do not see cases, people or counts of another clinic."""

from __future__ import annotations

import pytest
from allauth.account.models import EmailAddress
from django.urls import reverse
from knox.models import AuthToken

from teleder.accounts import people
from teleder.accounts.models import Clinic, Invitation, Role, User
from teleder.cases import reviews
from teleder.cases.models import Analysis, Case, Event, Job, Photo, Review, Submission
from teleder.cases.originals import RefusedError
from tests.conftest import PASSWORD

pytestmark = pytest.mark.django_db
ANSWER = {"impression": "AD", "disposition": "self_care", "text": "It looks like a flare of your eczema."}
TABLES = [Case, Submission, Photo, Job, Analysis, Review, Event, User]


@pytest.fixture
def answered(alices_submission, dana, analyse) -> Submission:
    analyse(alices_submission.photos.get())
    reviews.claim(alices_submission, by=dana)
    reviews.sign(alices_submission, by=dana, **ANSWER)
    return alices_submission


@pytest.mark.parametrize("model", TABLES, ids=lambda model: model.__name__)
def test_adam_sees_rows_of_his_clinic_that_noel_does_not(answered, adam, noel, model):
    assert model.objects.visible_to(adam).exists()
    assert not model.objects.visible_to(noel).exclude(pk=noel.pk).exists()


def test_dana_sees_alices_case_and_nora_does_not(answered, dana, nora):
    assert Submission.objects.visible_to(dana).exists()
    assert not Submission.objects.visible_to(nora).exists()


def test_a_superuser_sees_every_clinic(answered, noel):
    User.objects.filter(pk=noel.pk).update(is_superuser=True)
    noel.refresh_from_db()
    assert Submission.objects.visible_to(noel).get() == answered


def test_a_case_stays_in_its_clinic_when_alice_moves(answered, alice, dana, nora, adam, north):
    people.move_to_clinic(alice, to=north, by=adam)
    assert Submission.objects.visible_to(dana).exists()
    assert not Submission.objects.visible_to(nora).exists()


def test_alices_next_case_is_the_new_clinics(alice, nora, adam, north, submission_of):
    people.move_to_clinic(alice, to=north, by=adam)
    alice.refresh_from_db()
    sent = submission_of(alice)
    assert Submission.objects.visible_to(nora).get() == sent


def test_a_case_is_not_assigned_to_a_dermatologist_of_another_clinic(alices_submission, adam, nora):
    with pytest.raises(RefusedError):
        reviews.reassign(alices_submission, to=nora, by=adam)


# --- Signing up and inviting ------------------------------------------------------------------------------
FORM = {"name": "Cleo", "email": "cleo@example.com", "password1": PASSWORD, "password2": PASSWORD}


def test_with_one_clinic_sign_up_does_not_ask_for_it(client, db):
    assert b"clinic" not in client.get(reverse("account_signup")).content
    client.post(reverse("account_signup"), FORM)
    assert User.objects.get(email=FORM["email"]).clinic == Clinic.objects.get()


def test_with_two_clinics_a_patient_chooses(client, north):
    assert "clinic" in client.post(reverse("account_signup"), FORM).context["form"].errors
    client.post(reverse("account_signup"), FORM | {"clinic": str(north.pk)})
    assert User.objects.get(email=FORM["email"]).clinic == north


def test_an_invited_person_joins_the_clinic_of_the_inviter(noel, north):
    people.invite(email="erik@example.com", role=Role.DERMATOLOGIST, by=noel)
    people.accept_invitation(Invitation.objects.get(), name="Erik", password=PASSWORD, licence_number="1")
    assert User.objects.get(email="erik@example.com").clinic == north


def test_an_invitation_does_not_reveal_who_has_an_account_elsewhere(noel, alice):
    invitation = people.invite(email=alice.email, role=Role.ADMIN, by=noel)
    assert people.accept_invitation(invitation, name="A", password=PASSWORD) is None
    alice.refresh_from_db()
    assert alice.is_patient


# --- Rights end at once -----------------------------------------------------------------------------------
ENDINGS = {
    "deactivated": lambda dana, adam, north: people.deactivate(dana, by=adam),
    "moved": lambda dana, adam, north: people.move_to_clinic(dana, to=north, by=adam),
    "given another role": lambda dana, adam, north: people.change_role(dana, role=Role.ADMIN, by=adam),
}


@pytest.mark.parametrize("end", ENDINGS.values(), ids=ENDINGS.keys())
def test_danas_sessions_and_tokens_end_with_her_rights(client, answered, dana, adam, north, end):
    client.force_login(dana)
    _row, token = AuthToken.objects.create(dana)
    bearing = {"HTTP_AUTHORIZATION": f"Token {token}"}
    photo = reverse("web:photo", args=[answered.photos.get().pk, "display"])
    assert client.get(reverse("web:worklist")).status_code == 200
    assert client.get(reverse("api:worklist"), **bearing).status_code == 200
    end(dana, adam, north)
    assert client.get(reverse("web:worklist")).status_code == 302
    assert client.get(photo).status_code == 302
    assert client.get(reverse("api:worklist"), **bearing).status_code == 401


def test_a_reactivated_dana_must_log_in_again(client, dana, adam):
    client.force_login(dana)
    people.deactivate(dana, by=adam)
    dana.refresh_from_db()
    people.activate(dana, by=adam)
    assert client.get(reverse("web:worklist")).status_code == 302


def test_no_admin_changes_their_own_role_or_a_patients(adam, alice):
    for person in (adam, alice):
        with pytest.raises(people.ValidationError):
            people.change_role(person, role=Role.DERMATOLOGIST, by=adam)


@pytest.mark.parametrize("end", ENDINGS.values(), ids=ENDINGS.keys())
def test_adas_invitations_end_with_her_rights(person, sue, north, end):
    ada = person("ada", "admin")
    _invitation, token = Invitation.issue(email="erik@example.com", role=Role.ADMIN, by=ada)
    assert Invitation.by_token(token)
    User.objects.filter(pk=ada.pk).update(
        role=Role.DERMATOLOGIST
    )  # each change of rights then changes something
    end(ada, sue, north)
    assert not Invitation.by_token(token)


ON_SUPERUSERS = {
    "deactivate": people.deactivate,
    "activate": people.activate,
    "give another role": lambda sue, by: people.change_role(sue, role=Role.DERMATOLOGIST, by=by),
    "forget the factors": people.reset_second_factors,
}


@pytest.mark.parametrize("verb", ON_SUPERUSERS.values(), ids=ON_SUPERUSERS.keys())
def test_an_admin_cannot_change_a_superuser(noel, sue, verb):
    with pytest.raises(people.ValidationError):
        verb(sue, by=noel)
    sue.refresh_from_db()
    assert sue.is_active and sue.is_admin and sue.is_superuser


def test_a_change_of_role_removes_superuser(person, sue):
    other = person("olga", "admin", is_superuser=True)
    people.change_role(other, role=Role.DERMATOLOGIST, by=sue)
    other.refresh_from_db()
    assert other.is_dermatologist and not other.is_superuser


def test_saving_an_old_instance_writes_only_changed_fields(dana, adam):
    old = User.objects.get(pk=dana.pk)
    people.deactivate(dana, by=adam)
    old.name = "Dana D."
    old.save()
    dana.refresh_from_db()
    assert (dana.name, dana.is_active, dana.sessions_ended) == ("Dana D.", False, 1)
    dana.is_active = True
    dana.save()
    assert User.objects.get(pk=dana.pk).is_active


def test_a_second_address_belongs_to_its_account(noel, adam, alice):
    EmailAddress.objects.create(user=alice, email="a2@example.com", verified=True)
    with pytest.raises(people.ValidationError):
        people.invite(email="A2@example.com", role=Role.ADMIN, by=adam)
    invitation = people.invite(email="a2@example.com", role=Role.ADMIN, by=noel)
    assert people.accept_invitation(invitation, name="A", password=PASSWORD) is None
