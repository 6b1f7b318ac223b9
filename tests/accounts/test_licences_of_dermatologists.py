"""An admin checks licences; whose licence was not checked or has expired cannot sign, is told so, and loses no word."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.auth.signals import user_logged_in
from django.contrib.messages.storage.cookie import CookieStorage
from django.core import mail
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.urls import reverse
from django.utils import timezone

from teleder.accounts import licences, people
from teleder.accounts.licences import LicenceState
from teleder.accounts.models import DermatologistProfile, User
from teleder.cases import asking_back, colleagues, reviews
from teleder.cases.models import Review, Status
from teleder.cases.originals import RefusedError
from teleder.web.clinician import licence_notice

pytestmark = pytest.mark.django_db
ANSWER = {"impression": "AD", "disposition": "self_care", "text": "It looks like a flare of your eczema."}


def until(dana, days: int, **more) -> None:
    """Let her licence end in so many days, in the record."""
    ends = licences.today() + timedelta(days=days)
    DermatologistProfile.objects.filter(user=dana).update(licence_expires_on=ends, **more)
    dana.refresh_from_db()


@pytest.fixture
def unchecked(dana):
    """Dana before any admin has seen her licence; everybody else's was checked."""
    none = {"licence_checked_at": None, "licence_checked_by": None, "licence_checked_number": ""}
    DermatologistProfile.objects.filter(user=dana).update(**none)
    dana.refresh_from_db()
    return dana


@pytest.fixture
def checked(dana, adam):
    licences.check(dana, number="654321", expires_on=licences.today() + timedelta(days=400), by=adam)
    dana.refresh_from_db()
    return dana


@pytest.fixture
def claimed(dana, alices_submission):
    reviews.claim(alices_submission, by=dana)
    return alices_submission


# --- The check --------------------------------------------------------------------------------------------
def test_the_record_says_who_checked_which_number_and_when(unchecked, dana, adam):
    assert licences.state_of(dana.dermatologist) == LicenceState.UNCHECKED
    ends = licences.today() + timedelta(days=400)
    licences.check(dana, number="第５４３２１ー０号", expires_on=ends, by=adam)
    profile = DermatologistProfile.objects.get(user=dana)
    assert (profile.licence_number, profile.licence_expires_on) == ("第54321-0号", ends)
    assert (profile.licence_checked_by, licences.state_of(profile)) == (adam, LicenceState.IN_FORCE)
    assert timezone.now() - profile.licence_checked_at < timedelta(minutes=1)


def test_a_licence_without_an_end_is_in_force(dana, adam):
    licences.check(dana, number="654321", expires_on=None, by=adam)
    assert licences.state_of(DermatologistProfile.objects.get(user=dana)) == LicenceState.IN_FORCE


def test_a_number_that_was_changed_after_the_check_is_not_checked(checked):
    profile = checked.dermatologist
    profile.licence_number = "777"
    profile.save()
    assert licences.state_of(profile) == LicenceState.UNCHECKED
    assert User.objects.filter(licences.in_state("unchecked")).get() == checked


@pytest.mark.parametrize(("number", "days", "field"), [("", 400, "number"), ("1", -1, "expires_on")])
def test_an_incomplete_or_expired_licence_is_not_recorded(unchecked, dana, adam, number, days, field):
    with pytest.raises(ValidationError) as refused:
        licences.check(dana, number=number, expires_on=licences.today() + timedelta(days=days), by=adam)
    assert set(refused.value.message_dict) == {field}
    assert DermatologistProfile.objects.get(user=dana).licence_checked_at is None


def test_nobody_checks_their_own_licence(adam):
    with pytest.raises(ValidationError, match="your own licence"):
        licences.check(adam, number="1", expires_on=None, by=adam)


def test_the_database_keeps_who_and_when_together(checked):
    with pytest.raises(IntegrityError, match="says_by_whom_and_when"), transaction.atomic():
        DermatologistProfile.objects.update(licence_checked_by=None)


@pytest.mark.parametrize("days", [-100, -1, 0, 1, 60, 61, 400, None])
@pytest.mark.parametrize("is_checked", [True, False])
def test_page_and_count_agree_about_the_state(unchecked, dana, adam, days, is_checked):
    if is_checked:
        licences.check(dana, number="654321", expires_on=None, by=adam)
    if days is not None:
        until(dana, days)
    state = licences.state_of(DermatologistProfile.objects.get(user=dana))
    assert [each for each in LicenceState if User.objects.filter(licences.in_state(each)).exists()] == [state]


# --- Signing ----------------------------------------------------------------------------------------------
def test_an_expired_licence_signs_nothing_and_the_text_stays_on_the_page(client, dana, claimed):
    until(dana, -1)
    client.force_login(dana)
    text = "Please keep using the ointment. これは下書きです。"
    page = client.post(reverse("web:answer", args=[claimed.pk]), ANSWER | {"text": text})
    assert page.status_code == 422
    assert "Your licence expired on" in page.content.decode() and text in page.content.decode()
    claimed.refresh_from_db()
    assert (claimed.status, claimed.claimed_by) == (Status.IN_REVIEW, dana)
    assert not Review.objects.exists()


def test_a_licence_that_nobody_checked_signs_nothing_and_the_text_stays_on_the_page(
    client, unchecked, adam, claimed
):
    client.force_login(unchecked)
    page = client.post(reverse("web:answer", args=[claimed.pk]), ANSWER)
    assert page.status_code == 422
    assert "No admin has checked your licence yet" in page.content.decode()
    assert ANSWER["text"] in page.content.decode() and not Review.objects.exists()
    licences.check(unchecked, number="654321", expires_on=None, by=adam)
    assert reviews.sign(claimed, by=unchecked, **ANSWER).author == unchecked


def test_who_has_no_profile_at_all_was_not_checked_either(dana, claimed):
    DermatologistProfile.objects.filter(user=dana).delete()
    with pytest.raises(ValidationError, match="No admin has checked"):
        reviews.sign(claimed, by=dana, **ANSWER)


def test_a_changed_number_must_be_checked_again(checked, claimed):
    DermatologistProfile.objects.update(licence_number="777")
    with pytest.raises(ValidationError, match="No admin has checked"):
        reviews.sign(claimed, by=checked, **ANSWER)


def test_the_board_names_the_people_whose_licence_is_to_be_checked(client, unchecked, adam):
    client.force_login(adam)
    page = client.get(reverse("web:operations")).content.decode()
    assert "1 dermatologist cannot sign: the licence was not checked." in page
    listed = client.get(reverse("web:people"), {"licence": "unchecked"}).context["page"].object_list
    assert list(listed) == [unchecked]


def test_the_last_day_still_counts_and_a_new_licence_lets_her_sign_again(dana, adam, claimed):
    until(dana, -1)
    with pytest.raises(ValidationError):
        reviews.sign(claimed, by=dana, **ANSWER)
    licences.check(dana, number="654321", expires_on=licences.today(), by=adam)
    assert reviews.sign(claimed, by=dana, **ANSWER).author == dana


def test_an_expired_licence_corrects_and_replies_to_nothing(alice, dana, claimed):
    review = reviews.sign(claimed, by=dana, **ANSWER)
    question = asking_back.ask_back(claimed, by=alice, text="For how long?")
    until(dana, -1)
    for verb in (
        lambda: reviews.amend(claimed, by=dana, **ANSWER | {"reason": "A slip"}),
        lambda: asking_back.reply(question, by=dana, text="For two weeks."),
    ):
        with pytest.raises(ValidationError, match="licence expired"):
            verb()
    assert Review.objects.get() == review
    question.refresh_from_db()
    assert question.replied_at is None


def test_the_api_names_the_reason(dana, claimed):
    from rest_framework.test import APIClient

    until(dana, -1)
    client = APIClient()
    client.force_authenticate(dana)
    reply = client.post(f"/api/v1/submissions/{claimed.pk}/reviews", ANSWER)
    assert reply.status_code == 400
    assert [error["code"] for error in reply.json()["errors"]] == ["licence_expired"]


def test_no_case_is_handed_to_somebody_who_cannot_sign(client, dana, adam, alices_submission):
    client.force_login(adam)
    for days, offered in ((0, [dana]), (-1, [])):
        until(dana, days)
        for address in (reverse("web:cases_admin"), reverse("web:case_admin", args=[alices_submission.pk])):
            assert list(client.get(address).context["dermatologists"]) == offered
    form = {"case": [str(alices_submission.pk)], "to": str(dana.pk)}
    client.post(reverse("web:reassign_cases"), form)
    alices_submission.refresh_from_db()
    assert alices_submission.claimed_by is None


def test_a_case_is_handed_over_only_to_a_colleague_who_may_sign(client, dana, person, claimed):
    erik, frieda = person("erik", "dermatologist"), person("frieda", "dermatologist")
    DermatologistProfile.objects.filter(user=frieda).update(licence_checked_number="")
    client.force_login(dana)
    page = client.get(reverse("web:hand_case_over", args=[claimed.pk]))
    assert list(page.context["people"]) == [erik]
    refused = client.post(reverse("web:hand_case_over", args=[claimed.pk]), {"to": frieda.pk})
    assert refused.status_code == 422
    with pytest.raises(RefusedError, match="cannot sign"):
        colleagues.hand_case_over(claimed, to=frieda, by=dana)
    asked = client.get(reverse("web:ask_opinion", args=[claimed.pk]))
    assert {*asked.context["people"]} == {erik, frieda}, "an opinion is no signature"


# --- Telling ----------------------------------------------------------------------------------------------
def test_the_notice_follows_each_log_in():
    assert "teleder.web.licence_notice" in {key[0] for key, *_receiver in user_logged_in.receivers}


@pytest.mark.parametrize(("days", "says"), [(61, None), (60, "until"), (0, "until"), (-1, "expired on")])
def test_she_is_told_at_each_log_in_and_in_her_settings(client, dana, rf, days, says):
    until(dana, days)
    request = rf.get("/")
    request._messages = CookieStorage(request)
    licence_notice.tell(request=request, user=dana)
    client.force_login(dana)
    told = " ".join(map(str, request._messages))
    for words in (told, client.get(reverse("web:settings")).content.decode()):
        assert ("Your licence" in words) == (says is not None)
        assert says is None or says in words


def test_she_is_told_that_nobody_has_checked_her_licence(client, unchecked, rf):
    request = rf.get("/")
    request._messages = CookieStorage(request)
    licence_notice.tell(request=request, user=unchecked)
    client.force_login(unchecked)
    told = " ".join(map(str, request._messages))
    for words in (told, client.get(reverse("web:settings")).content.decode()):
        assert "No admin has checked your licence yet" in words


def test_she_and_the_admins_of_her_clinic_are_told_once_at_each_step(dana, adam, noel):
    told = []
    for days in (61, 60, 59, 30, 8, 7, 1, 0, -1, -2):
        until(dana, days)
        mail.outbox.clear()
        assert licences.tell() == (1 if mail.outbox else 0)
        if mail.outbox:
            told.append(days)
            assert sorted(one.to[0] for one in mail.outbox) == sorted([dana.email, adam.email])
            assert ("expired on" in mail.outbox[0].body) == (days < 0)
        assert licences.tell() == 0
    assert told == [60, 30, 7, 1, 0, -1]


def test_a_mail_that_cannot_be_sent_is_tried_again(dana, adam, monkeypatch):
    until(dana, 20)
    with monkeypatch.context() as patch:
        patch.setattr(licences, "send_mail", lambda *_: 1 / 0)
        assert licences.tell() == 0
    assert licences.tell() == 1


def test_a_new_licence_begins_to_tell_anew(dana, adam):
    until(dana, 5)
    assert licences.tell() == 1
    licences.check(dana, number="654321", expires_on=licences.today() + timedelta(days=6), by=adam)
    assert licences.tell() == 1


def test_nobody_is_told_about_who_may_no_longer_log_in(dana, adam):
    until(dana, 5)
    people.deactivate(dana, by=adam)
    assert licences.tell() == 0


# --- The admin's pages ------------------------------------------------------------------------------------
@pytest.fixture
def adams(client, adam):
    client.force_login(adam)
    return client


def test_adam_records_a_check_and_sees_it(adams, dana):
    ends = licences.today() + timedelta(days=400)
    form = {"number": "654321", "expires_on": ends.isoformat(), "seen": "on"}
    page = adams.post(reverse("web:check_licence", args=[dana.pk]), form, follow=True).content.decode()
    assert "The licence of Dana was checked." in page and "by Adam" in page
    assert f"licence checked: 654321, until {ends}" in page


def test_earlier_checks_are_said_in_the_language_of_the_page(client, person, adam, dana):
    licences.check(dana, number="654321", expires_on=None, by=adam)
    client.force_login(person("hana", "admin", language="ja"))
    page = client.get(reverse("web:licence", args=[dana.pk])).content.decode()
    assert "免許を確認：654321（期限なし）" in page and "licence checked" not in page


@pytest.mark.parametrize("lacks", ["number", "seen"])
def test_a_check_without_the_number_or_without_a_look_is_refused(adams, unchecked, dana, lacks):
    form = {"number": "654321", "seen": "on"}
    del form[lacks]
    assert adams.post(reverse("web:check_licence", args=[dana.pk]), form).status_code == 422
    assert DermatologistProfile.objects.get(user=dana).licence_checked_at is None


def test_each_count_of_licences_is_the_length_of_its_list(adams, dana, person):
    until(dana, -1)
    erik = person("erik", "dermatologist")
    DermatologistProfile.objects.filter(user=erik).update(licence_checked_number="")
    for value, _label, n in adams.get(reverse("web:people")).context["licences"]:
        rows = adams.get(reverse("web:people"), {"licence": value}).context["page"].object_list
        assert len(rows) == n == {"expired": 1, "unchecked": 1}.get(value, 0)


@pytest.mark.parametrize("who", ["alice", "adam", "nora"])
def test_only_dermatologists_of_the_clinic_have_a_licence_to_check(adams, alice, adam, nora, who):
    someone = {"alice": alice, "adam": adam, "nora": nora}[who]
    assert adams.get(reverse("web:licence", args=[someone.pk])).status_code == 404
    form = {"number": "1", "seen": "on"}
    assert adams.post(reverse("web:check_licence", args=[someone.pk]), form).status_code == 404


def test_a_dermatologist_cannot_open_the_page(client, dana):
    client.force_login(dana)
    assert client.get(reverse("web:licence", args=[dana.pk])).status_code == 403
    assert client.post(reverse("web:check_licence", args=[dana.pk]), {"number": "1"}).status_code == 403
