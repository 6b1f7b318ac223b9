"""Yui, 15, signs up alone: her account remembers that she may be a child, and only the clinic corrects it."""

from __future__ import annotations

import pytest
import time_machine
from django.urls import reverse
from django.utils import timezone
from rest_framework.test import APIClient

from teleder.accounts.models import PatientProfile, User

pytestmark = pytest.mark.django_db
THIS_YEAR = timezone.localdate().year


def at(name: str, *args) -> str:
    return reverse(f"web:{name}", args=args)


@pytest.fixture
def yui(person, client):
    user = person("yui")
    user.consents.all().delete()
    PatientProfile.objects.filter(user=user).delete()
    client.force_login(User.objects.get(pk=user.pk))
    year = THIS_YEAR - 15
    form = {"birth_year": year, "birth_is_right": year, "care": "on"}
    assert client.post(at("welcome"), form).url == at("guardian_needed")
    return User.objects.get(pk=user.pk)


def birth_year_of(user: User) -> int:
    return PatientProfile.objects.get(user=user).birth_year


@pytest.fixture
def rin(person, client):
    """A grown-up before the page "Welcome"."""
    user = person("rin")
    user.consents.all().delete()
    PatientProfile.objects.filter(user=user).delete()
    client.force_login(User.objects.get(pk=user.pk))
    return user


def test_a_year_of_a_child_is_asked_again_before_anything_is_stored(client, rin):
    mistyped = {"birth_year": THIS_YEAR - 15, "care": "on"}
    answer = client.post(at("welcome"), mistyped)
    assert answer.status_code == 422 and not PatientProfile.objects.filter(user=rin).exists()
    page = answer.content.decode()
    assert f"Born {THIS_YEAR - 15}, you are 14 or 15 years old." in page
    assert f"Yes, I was born {THIS_YEAR - 15}" in page and 'name="birth_is_right"' in page
    assert client.post(at("welcome"), mistyped | {"birth_year": THIS_YEAR - 51}).url == at("home")
    assert birth_year_of(rin) == THIS_YEAR - 51


def test_the_tick_for_one_year_counts_for_no_other(client, rin):
    form = {"birth_year": THIS_YEAR - 14, "birth_is_right": THIS_YEAR - 15, "care": "on"}
    assert client.post(at("welcome"), form).status_code == 422
    assert not PatientProfile.objects.filter(user=rin).exists()


def test_a_year_of_today_means_no_age_below_nought(client, rin):
    page = client.post(at("welcome"), {"birth_year": THIS_YEAR}).content.decode()
    assert f"Born {THIS_YEAR}, you are 0 years old." in page


@time_machine.travel(f"{THIS_YEAR}-06-01T03:00Z")  # on 31 December nobody is still to turn 18
def test_a_date_that_makes_a_child_is_asked_again_with_the_date(client, rin):
    born = f"{THIS_YEAR - 18}-12-31"
    form = {"birth_year": THIS_YEAR - 18, "birth_date": born, "care": "on"}
    page = client.post(at("welcome"), form).content.decode()
    assert f"Born 31 Dec {THIS_YEAR - 18}, you are 17 years old." in page
    assert not PatientProfile.objects.filter(user=rin).exists()
    assert client.post(at("welcome"), form | {"birth_is_right": born}).url == at("guardian_needed")


def test_the_settings_ask_as_well(client, alice):
    client.force_login(alice)
    form = {"section": "me", "name": "Alice", "skin_type": "", "birth_year": THIS_YEAR - 10}
    before = birth_year_of(alice)
    answer = client.post(at("settings"), form)
    assert answer.status_code == 422 and "Is this right?" in answer.content.decode()
    assert birth_year_of(alice) == before
    client.post(at("settings"), form | {"birth_is_right": THIS_YEAR - 10})
    assert birth_year_of(alice) == THIS_YEAR - 10


def test_a_child_who_goes_back_gives_no_other_year(client, yui):
    assert client.get(at("welcome")).url == at("guardian_needed")
    answer = client.post(at("welcome"), {"birth_year": THIS_YEAR - 30, "care": "on"})
    assert answer.url == at("guardian_needed")
    assert birth_year_of(yui) == THIS_YEAR - 15 and not yui.consents.exists()


def test_the_year_is_remembered_after_logging_in_again(client, yui):
    client.logout()
    client.force_login(yui)
    assert client.get(at("home"), follow=True).redirect_chain[-1][0] == at("guardian_needed")
    assert client.get(at("welcome")).url == at("guardian_needed")


def test_the_settings_take_no_year_of_a_grown_up_from_a_child(client, yui):
    form = {"section": "me", "name": "Yui", "skin_type": ""}
    answer = client.post(at("settings"), form | {"birth_year": THIS_YEAR - 30})
    assert answer.status_code == 422 and "ask the clinic to correct it" in answer.content.decode()
    assert birth_year_of(yui) == THIS_YEAR - 15
    client.post(at("settings"), form | {"birth_year": THIS_YEAR - 14})  # a child's as well
    assert birth_year_of(yui) == THIS_YEAR - 14


def test_the_api_takes_no_year_of_a_grown_up_from_a_child(yui):
    api = APIClient()
    api.force_authenticate(yui)
    for wanted in ({"birth_year": THIS_YEAR - 30}, {"birth_date": f"{THIS_YEAR - 30}-01-01"}):
        answer = api.patch(reverse("api:me"), wanted, format="json")
        assert answer.status_code == 400 and "clinic" in str(answer.json())
    assert birth_year_of(yui) == THIS_YEAR - 15


def test_who_turns_18_may_add_the_date_to_the_same_year(client, yui):
    PatientProfile.objects.filter(user=yui).update(birth_year=THIS_YEAR - 18)
    page = client.get(at("guardian_needed")).content.decode()
    assert "Give your date of birth in the settings" in page
    form = {"section": "me", "name": "Yui", "skin_type": "", "birth_year": THIS_YEAR - 18}
    client.post(at("settings"), form | {"birth_date": f"{THIS_YEAR - 18}-01-01"})
    assert PatientProfile.objects.get(user=yui).birth_date


def test_the_page_says_who_opens_an_account_and_who_corrects_the_year(client, yui):
    page = client.get(at("guardian_needed")).content.decode()
    assert "You have done nothing wrong." in page and "Create an account of your own." in page
    assert at("clinic_text", "contact") in page
    assert "Give your date of birth in the settings" not in page


def test_an_admin_corrects_a_wrong_year(client, yui, adam):
    client.force_login(adam)
    page = reverse("admin:accounts_user_change", args=[yui.pk])
    form = client.get(page).context["adminform"].form
    data = {name: form.initial.get(name) or "" for name in form.fields}
    data |= {"patient-TOTAL_FORMS": 1, "patient-INITIAL_FORMS": 1, "patient-0-user": yui.pk}
    data |= {"consents-TOTAL_FORMS": 0, "consents-INITIAL_FORMS": 0}
    wrong = {"patient-0-birth_year": THIS_YEAR - 30, "patient-0-birth_date": f"{THIS_YEAR - 31}-01-01"}
    assert "check the date of birth" in client.post(page, data | wrong).content.decode()
    assert client.post(page, data | {"patient-0-birth_year": THIS_YEAR - 30}).status_code == 302
    assert birth_year_of(yui) == THIS_YEAR - 30
