"""A guardian's children: for whom is asked, who may agree, and the hand-over when the child is grown up."""

from __future__ import annotations

import html
import re
from datetime import date

import pytest
from allauth.account.models import EmailAddress
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from rest_framework.test import APIClient

from teleder.accounts import consent_texts, people
from teleder.accounts.models import Consent, Guardianship, PatientProfile, Purpose, User
from teleder.audit.models import Entry
from teleder.cases import intake, reviews
from teleder.cases.models import Submission
from teleder.cases.originals import RefusedError
from teleder.notifications import outbox
from teleder.notifications.models import Message
from tests.conftest import CALM, PASSWORD

pytestmark = pytest.mark.django_db
NEW_CHILD = {"name": "そら", "relation": "parent", "birth_date": "2021-05-04", "care": "on"}


def at(name: str, *args) -> str:
    return reverse(f"web:{name}", args=args)


@pytest.fixture
def alices(client, alice):
    client.force_login(alice)
    return client


@pytest.fixture
def bobs(bob):
    client = Client()
    client.force_login(bob)
    return client


@pytest.fixture
def soras_submission(sora, submission_of):
    return submission_of(sora)


def sign(submission, dana):
    reviews.claim(submission, by=dana)
    reviews.sign(submission, by=dana, impression="AD", disposition="self_care", text="Moisturise.")


def grow_up(child, years: int = 18) -> None:
    born = date(timezone.localdate().year - years, 1, 1)
    PatientProfile.objects.filter(user=child).update(birth_date=born, birth_year=born.year)


# --- Asking for a child ---------------------------------------------------------------------------------
def test_right_and_left_are_those_of_the_patient(alices, alice, sora, draft_of):
    for language, own, others in (
        ("en", "your own right", "'s own right"),
        ("ja", "あなたから見た", "本人の右・左"),
    ):
        alice.language = language
        alice.save(update_fields=["language"])
        mine = html.unescape(alices.get(at("about", draft_of(alice).pk)).content.decode())
        soras = html.unescape(alices.get(at("about", draft_of(sora).pk)).content.decode())
        assert own in mine and others not in mine
        assert others in soras and own not in soras and sora.name in soras


# --- Adding a child -------------------------------------------------------------------------------------
def test_alice_adds_a_child_and_her_consent_says_that_she_is_the_guardian(alices, alice):
    answer = alices.post(at("add_child"), NEW_CHILD)
    child = alice.children.get().child
    assert answer.url == at("child", child.pk)
    assert (child.name, child.patient.birth_date, child.role) == ("そら", date(2021, 5, 4), "patient")
    assert child.email is None and not child.has_usable_password()
    consent = child.consents.get()
    assert (consent.purpose, consent.given_by, consent.relation) == (Purpose.CARE, alice, "parent")
    assert consent.text.startswith("I am the guardian of this child")
    assert consent.text in html.unescape(alices.get(at("add_child")).content.decode())
    assert not alice.consents.filter(given_by__isnull=False).exists()


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"birth_date": "2000-01-01"}, "birth_date"),
        ({"birth_date": "2999-01-01"}, "birth_date"),
        ({"name": "空"}, "reading"),
        ({"name": "sora@example.com"}, "name"),
        ({"relation": "king"}, "relation"),
    ],
)
def test_a_child_with_a_wrong_field_is_not_added(alices, change, field):
    answer = alices.post(at("add_child"), NEW_CHILD | change)
    assert answer.status_code == 422 and field in answer.context["form"].errors
    assert not Guardianship.objects.exists()


def test_without_consent_to_care_no_child_is_added(alices):
    assert alices.post(at("add_child"), NEW_CHILD | {"care": ""}).status_code == 422
    assert not Guardianship.objects.exists()


def test_a_child_has_no_log_in(sora):
    client = Client()
    for email in ("", "None", "Sora"):
        client.post(reverse("account_login"), {"login": email, "password": PASSWORD})
    assert "_auth_user_id" not in client.session
    assert not EmailAddress.objects.filter(user=sora).exists()


# --- For whom -------------------------------------------------------------------------------------------
def test_without_children_nobody_is_asked_for_whom(alices):
    assert "question" in alices.get(at("new")).context


def test_alice_chooses_for_whom_and_the_case_is_her_childs(alices, sora):
    page = alices.get(at("new")).content.decode()
    assert f'name="for" value="{sora.pk}"' in page and 'name="for" value="me"' in page
    asked = alices.post(at("new") + f"?for={sora.pk}", {"answer": "no"})
    draft = Submission.objects.get()
    assert asked.status_code == 303
    assert (draft.patient, draft.written_by) == (sora, "parent")
    assert "For Sora" in alices.get(asked.url).content.decode()


def test_what_alice_asks_for_herself_is_her_own(alices, alice, sora):
    alices.post(at("new") + "?for=me", {"answer": "no"})
    draft = Submission.objects.get()
    assert (draft.patient, draft.written_by) == (alice, "")


def test_drafts_of_mother_and_child_do_not_mix(alices, alice, sora):
    alices.post(at("new") + "?for=me", {"answer": "no"})
    assert "question" in alices.get(at("new") + f"?for={sora.pk}").context
    alices.post(at("new") + f"?for={sora.pk}", {"answer": "no"})
    assert {draft.patient for draft in Submission.objects.all()} == {alice, sora}


@pytest.mark.parametrize("chosen", ["x", "00000000-0000-7000-8000-000000000009"])
def test_nobody_asks_for_an_unknown_person(alices, sora, chosen):
    assert alices.get(at("new") + f"?for={chosen}").status_code == 404


def test_every_page_of_the_childs_case_names_the_child(alices, soras_submission, sora, draft_of):
    draft = draft_of(sora)
    pages = [at(name, draft.pk) for name in ("answers", "about", "photos", "send")]
    pages += [at(name, soras_submission.pk) for name in ("submission", "looks")]
    for page in [*pages, at("question", draft.pk, 1), at("history", draft.pk, "itch"), at("child", sora.pk)]:
        assert "For Sora" in alices.get(page).content.decode(), page
    assert "Sora ·" in alices.get(at("home")).content.decode()


def test_her_own_pages_name_no_child(alices, sora, alices_submission):
    assert "For Sora" not in alices.get(at("submission", alices_submission.pk)).content.decode()


# --- Nobody else ----------------------------------------------------------------------------------------
def test_bob_sees_nothing_of_alices_child(bobs, soras_submission, sora, child_of, bob):
    child_of(bob, "Taro")
    for name in ("submission", "status", "photos", "looks", "answers", "send"):
        assert bobs.get(at(name, soras_submission.pk)).status_code == 404
    for name in ("child", "child_data"):
        assert bobs.get(at(name, sora.pk)).status_code == 404
    for name in ("child_consent", "hand_over", "export_child_data", "erase_child_data", "keep_child_data"):
        assert bobs.post(at(name, sora.pk)).status_code == 404
    assert bobs.get(at("new") + f"?for={sora.pk}").status_code == 404
    assert bobs.get(at("follow_up", soras_submission.case_id)).status_code == 404
    assert bobs.post(at("withdraw", soras_submission.pk)).status_code == 404
    photo = soras_submission.photos.get()
    assert bobs.get(at("photo", photo.pk, "display")).status_code == 404


def test_the_api_shows_alice_her_childs_cases_and_bob_none(alice, bob, sora, soras_submission):
    alices, bobs = APIClient(), APIClient()
    alices.force_authenticate(alice)
    bobs.force_authenticate(bob)
    (row,) = alices.get(reverse("api:submissions")).json()["results"]
    assert (row["patient"]["id"], row["written_by"]) == (str(sora.pk), "parent")
    assert bobs.get(reverse("api:submissions")).json()["results"] == []
    assert [each["name"] for each in alices.get(reverse("api:children")).json()] == ["Sora"]
    assert bobs.get(reverse("api:children")).json() == []
    for name in ("child", "child-consents", "child-data"):
        assert alices.get(reverse(f"api:{name}", args=[sora.pk])).status_code == 200
        assert bobs.get(reverse(f"api:{name}", args=[sora.pk])).status_code == 404
    asked = {"answers": CALM, "patient": str(sora.pk)}
    assert alices.post(reverse("api:submissions"), asked).status_code == 201
    assert bobs.post(reverse("api:submissions"), asked).status_code == 404


def test_by_the_api_alice_adds_a_child_with_consents(alice):
    client = APIClient()
    client.force_authenticate(alice)
    texts = client.get(reverse("api:consents")).json()
    form = {"name": "Mei", "birth_date": "2020-02-03", "relation": "other", "care": True, "ai": True}
    form["version"] = texts[0]["version"]
    answer = client.post(reverse("api:children"), form)
    assert answer.status_code == 201, answer.json()
    child = User.objects.get(pk=answer.json()["id"])
    assert {(row.purpose, row.given_by) for row in child.consents.given()} == {("care", alice), ("ai", alice)}
    assert client.post(reverse("api:children"), form | {"care": False}).status_code == 400
    assert client.post(reverse("api:children"), form | {"version": "old"}).status_code == 409
    wish = client.put(
        reverse("api:child-consents", args=[child.pk]), {"version": form["version"], "ai": False}
    )
    assert [row["given"] for row in wish.json() if row["purpose"] == "ai"] == [False]


# --- Consent --------------------------------------------------------------------------------------------
def test_nobody_but_the_guardian_consents_for_a_child(sora, bob):
    with pytest.raises(Exception, match="Only the guardian"):
        people.give_consent(sora, Purpose.TRAINING, by=bob)
    with pytest.raises(Exception, match="Only the guardian"):
        people.give_consent(sora, Purpose.TRAINING)


def test_alice_withdraws_and_gives_a_consent_of_her_child(alices, alice, sora):
    alices.post(at("child_consent", sora.pk), {"purpose": "ai", "verb": "withdraw"})
    assert not sora.consents.given().filter(purpose="ai").exists()
    assert alice.consents.given().filter(purpose="ai").exists()
    alices.post(at("child_consent", sora.pk), {"purpose": "ai", "verb": "give"})
    assert sora.consents.given().get(purpose="ai").given_by == alice


@pytest.fixture
def young(person):
    """An account whose owner is 15."""
    user = person("yui")
    PatientProfile.objects.filter(user=user).update(birth_year=timezone.localdate().year - 15)
    return User.objects.get(pk=user.pk)


def test_an_account_of_a_child_cannot_consent(client, young):
    young.consents.all().delete()
    client.force_login(young)
    year = timezone.localdate().year - 15
    answer = client.post(at("welcome"), {"birth_year": year, "care": "on"})
    assert answer.url == at("guardian_needed")
    client.post(at("consent"), {"purpose": "care", "verb": "give"})
    assert not Consent.objects.exists()
    page = client.get(at("home"), follow=True).content.decode()
    assert "Under 18, a parent or guardian asks for you" in page and 'href="tel:119"' in page
    api = APIClient()
    api.force_authenticate(young)
    version = consent_texts.consent_texts()["version"]
    assert api.put(reverse("api:consents"), {"version": version, "care": True}).status_code == 400
    assert not Consent.objects.exists()


def test_an_account_of_a_child_cannot_ask_or_send_alone(client, young, draft_of, person):
    client.force_login(young)
    assert client.get(at("new")).url == at("guardian_needed")
    with pytest.raises(RefusedError) as refused:
        intake.start(patient=young, answers=CALM)
    assert refused.value.code == "guardian_needed"
    grown = person("rin")
    draft = draft_of(grown)
    PatientProfile.objects.filter(user=grown).update(birth_year=timezone.localdate().year - 15)
    with pytest.raises(RefusedError):
        intake.submit(Submission.objects.get(pk=draft.pk), by=grown)


def test_an_account_of_a_child_cannot_add_children(client, young):
    client.force_login(young)
    assert client.get(at("add_child")).url == at("guardian_needed")


def test_the_age_is_a_setting(young, settings):
    settings.AGE_OF_CONSENT_YEARS = 15
    PatientProfile.objects.filter(user=young).update(birth_year=timezone.localdate().year - 16)
    intake.start(patient=User.objects.get(pk=young.pk), answers=CALM)


def test_who_turns_18_this_year_is_asked_for_the_date_of_birth(client, person):
    user = person("mio")
    user.consents.all().delete()
    client.force_login(user)
    today = timezone.localdate()
    form = {"birth_year": today.year - 18, "care": "on"}
    answer = client.post(at("welcome"), form)
    assert answer.status_code == 422 and "birth_date" in answer.context["form"].errors
    born = today.replace(year=today.year - 18, day=min(today.day, 28))
    assert client.post(at("welcome"), form | {"birth_date": f"{born:%Y-%m-%d}"}).url == at("home")
    assert user.consents.given().filter(purpose="care").exists()


def test_no_intimate_photo_of_a_child_though_the_guardian_is_grown_up(sora):
    draft = intake.start(patient=sora, answers=CALM)
    with pytest.raises(RefusedError) as refused:
        intake.describe(draft, body_site="groin")
    assert refused.value.code == "intimate_photo_of_minor"


# --- What the clinic sees -------------------------------------------------------------------------------
def test_the_dermatologist_reads_name_age_and_that_the_guardian_writes(client, dana, soras_submission):
    client.force_login(dana)
    page = client.get(at("review", soras_submission.pk)).content.decode()
    assert "Sora" in page and "5 years old (small child)" in page and "written by: parent" in page
    row = client.get(at("worklist")).content.decode()
    assert "5 years old (small child)" in row and "written by: parent" in row


@pytest.mark.parametrize(
    ("days", "text"),
    [(5, "0 months old (newborn)"), (200, "6 months old (baby)"), (500, "16 months old (small child)")],
)
def test_a_baby_has_its_age_in_months(sora, days, text):
    from datetime import timedelta

    from teleder.web.clinician.worklist import age_of

    sora.patient.birth_date = timezone.localdate() - timedelta(days=days)
    sora.patient.birth_year = sora.patient.birth_date.year
    assert age_of(sora) == text


# --- Messages -------------------------------------------------------------------------------------------
def test_news_about_the_child_reaches_the_guardian(alices, alice, sora, soras_submission, dana, mailoutbox):
    sign(soras_submission, dana)
    outbox.queue_messages()
    outbox.deliver()
    assert {message.person for message in Message.objects.all()} == {alice}
    assert {tuple(mail.to) for mail in mailoutbox} == {(alice.email,)}
    assert not any("Sora" in mail.subject + mail.body for mail in mailoutbox)
    assert "Sora" in alices.get(at("inbox")).content.decode()


def test_a_look_at_the_childs_photos_is_told_to_the_guardian(
    client, alice, dana, sora, soras_submission, stored
):
    client.force_login(dana)
    client.get(at("review", soras_submission.pk))
    mine = Client()
    mine.force_login(alice)
    mine.get(at("submission", soras_submission.pk))
    entries = Entry.objects.filter(cases__contains=[soras_submission.case_id])
    assert {entry.person for entry in entries} == {dana.pk, alice.pk}


# --- Hand-over ------------------------------------------------------------------------------------------
def test_a_young_child_cannot_be_handed_over(alices, sora, mailoutbox):
    page = alices.get(at("child", sora.pk)).content.decode()
    assert "When Sora is 18" in page
    answer = alices.post(at("hand_over", sora.pk), {"email": "sora@example.com"})
    assert answer.status_code == 422 and not mailoutbox


@pytest.fixture
def link(alices, sora, soras_submission, dana, mailoutbox) -> str:
    """The link that alice sent to her grown-up child, whose case is answered."""
    sign(soras_submission, dana)
    outbox.queue_messages()
    grow_up(sora)
    assert "Sora is 18 now" in alices.get(at("child", sora.pk)).content.decode()
    alices.post(at("hand_over", sora.pk), {"email": "Sora@Example.com"})
    (mail,) = mailoutbox
    assert mail.to == ["sora@example.com"] and "Alice" not in mail.body
    return re.search(r"/hand-over/\S+", mail.body)[0]


def test_a_grown_up_child_takes_the_record_over_and_the_guardian_loses_it(
    alices, alice, sora, soras_submission, link
):
    child = Client()
    assert "sora@example.com" in child.get(link).content.decode()
    assert child.post(link, {"password": PASSWORD}).url == reverse("account_login")
    child.post(reverse("account_login"), {"login": "sora@example.com", "password": PASSWORD})
    assert child.session["_auth_user_id"] == str(sora.pk)
    # Nothing is lost: case, photos, answer and messages are there.
    assert "Moisturise." in child.get(at("submission", soras_submission.pk)).content.decode()
    assert soras_submission.photos.count() == 1
    assert {message.person for message in Message.objects.all()} == {sora}
    # The guardian sees nothing of it.
    assert alices.get(at("submission", soras_submission.pk)).status_code == 404
    assert alices.get(at("child", sora.pk)).status_code == 404
    assert "Sora" not in alices.get(at("inbox")).content.decode()
    # The guardian's consents have ended and stay in the history; the grown-up is asked.
    assert not sora.consents.given().exists() and sora.consents.filter(given_by=alice).count() == 2
    assert child.get(at("home")).url == at("welcome")
    entry = Entry.objects.get(verb="hand_over")
    assert (entry.person, entry.cases) == (sora.pk, [soras_submission.case_id])


def test_the_link_works_once_and_not_after_it_was_stopped(alices, sora, link):
    alices.post(at("hand_over", sora.pk), {"verb": "stop"})
    assert Client().get(link).status_code == 410
    assert Client().post(link, {"password": PASSWORD}).status_code == 410
    assert Guardianship.objects.filter(child=sora).exists()


def test_a_second_use_of_the_link_finds_nothing(link):
    assert Client().post(link, {"password": PASSWORD}).status_code == 302
    assert Client().post(link, {"password": PASSWORD}).status_code == 410


def test_a_weak_password_or_a_used_address_changes_nothing(sora, link, person):
    assert Client().post(link, {"password": "password123"}).status_code == 422
    person("sora")
    assert Client().post(link, {"password": PASSWORD}).status_code == 422
    assert Guardianship.objects.filter(child=sora).exists()


def test_for_a_grown_up_the_guardian_asks_nothing_new(sora):
    grow_up(sora)
    with pytest.raises(RefusedError) as refused:
        intake.start(patient=User.objects.get(pk=sora.pk), answers=CALM)
    assert refused.value.code == "hand_over_due"


# --- Admins ---------------------------------------------------------------------------------------------
def test_an_admin_reads_whose_child_it_is(client, adam, sora):
    client.force_login(adam)
    for page in (client.get(at("people")), client.get(at("person_data", sora.pk))):
        assert "Sora" in page.content.decode() and "child of Alice" in page.content.decode()
