"""Patients download and erase their data; admins do so for requests by letter, and set legal holds."""

from __future__ import annotations

import re

import pytest
from django.test import Client
from django.urls import reverse

from teleder.accounts.models import Purpose, User
from teleder.audit.models import Entry, Verb
from teleder.cases import consents, reviews
from teleder.privacy import erasure, holds
from teleder.privacy.models import Erasure, Hold, Why
from tests.conftest import PASSWORD

pytestmark = pytest.mark.django_db
HERS = ("web:data", "web:export_data", "web:erase_data")


@pytest.fixture
def as_alice(client, alice) -> Client:
    client.force_login(alice)
    return client


@pytest.fixture
def as_adam(alice, adam) -> Client:
    client = Client()
    client.force_login(adam)
    return client


def expire_authentication(client: Client) -> None:
    """Move the last authentication far into the past."""
    session = client.session
    session["account_authentication_methods"] = [{"method": "password", "at": 0}, {"method": "mfa", "at": 0}]
    session.save()


@pytest.mark.parametrize("name", HERS)
def test_alice_must_authenticate_again(as_alice, name):
    expire_authentication(as_alice)
    method = as_alice.get if name == "web:data" else as_alice.post
    answer = method(reverse(name), {"sure": "1"})
    assert answer.status_code == 302
    assert answer["Location"].startswith(reverse("account_reauthenticate"))
    assert not Erasure.objects.exists()


def test_alice_downloads_her_data(as_alice, alice, submission_of):
    submission = submission_of(alice)
    assert "What else will be kept" in as_alice.get(reverse("web:data")).content.decode()
    answer = as_alice.post(reverse("web:export_data"))
    assert answer["Content-Type"] == "application/zip"
    assert "no-store" in answer["Cache-Control"]
    entry = Entry.objects.first()
    assert (entry.verb, entry.door, entry.cases) == (Verb.EXPORT, "web:export_data", [submission.case_id])


def test_downloads_have_a_limit(as_alice, settings):
    settings.EXPORTS_PER_PATIENT_PER_HOUR = 0
    assert as_alice.post(reverse("web:export_data")).status_code == 429


def test_alice_must_confirm_that_she_read_the_consequences(as_alice):
    as_alice.post(reverse("web:erase_data"))
    assert not Erasure.objects.exists()


def test_a_request_without_the_tick_puts_the_error_at_the_tick(as_alice):
    answer = as_alice.post(reverse("web:erase_data"), follow=True)
    page = answer.content.decode()
    assert "Nothing is deleted yet. First tick “I have read this." in page
    assert re.search(r'name="sure"[^>]* aria-invalid="true" aria-describedby="sure-error"', page)
    assert 'id="sure-error"' in page and not Erasure.objects.exists()
    assert "aria-invalid" not in as_alice.get(reverse("web:data")).content.decode()


def test_alice_requests_erasure_sees_it_on_every_page_and_cancels(as_alice, alice):
    answer = as_alice.post(reverse("web:erase_data"), {"sure": "1"}, follow=True)
    assert "will be deleted" in answer.content.decode()
    assert "will be deleted" in as_alice.get(reverse("web:home")).content.decode()
    expire_authentication(as_alice)
    as_alice.post(reverse("web:keep_data"))
    assert not Erasure.objects.exists()
    assert "will be deleted" not in as_alice.get(reverse("web:home")).content.decode()


def test_alice_sees_a_neutral_text_about_a_legal_hold(as_alice, alice, adam):
    holds.set_hold(alice, reason="court, file 7", by=adam)
    page = as_alice.get(reverse("web:data")).content.decode()
    assert "For now, the law requires the clinic to keep your data" in page
    assert "court" not in page
    assert adam.name not in page


def test_no_page_promises_a_date_during_a_legal_hold(as_alice, as_adam, alice, adam):
    erasure.ask(alice, why=Why.REQUEST)
    hers, his = reverse("web:data"), reverse("web:person_data", args=[alice.pk])
    assert "It will be deleted after" in as_alice.get(hers).content.decode()
    assert "Erased after" in as_adam.get(his).content.decode()
    holds.set_hold(alice, reason="court, file 7", by=adam)
    assert (
        "It will be deleted after" not in (page := as_alice.get(hers).content.decode())
        and "Not before" in page
    )
    assert "Erased after" not in (page := as_adam.get(his).content.decode())
    assert "No data is erased while the legal hold is in force" in page


def test_dana_sees_that_the_patient_of_her_case_will_be_erased(client, alice, dana, submission_of):
    submission = submission_of(alice)
    reviews.claim(submission, by=dana)
    client.force_login(alice)
    client.post(reverse("web:erase_data"), {"sure": "1"})
    client.force_login(dana)
    assert "asked for erasure" in client.get(reverse("web:review", args=[submission.pk])).content.decode()


# --- The admin --------------------------------------------------------------------------------------------
def test_adam_sets_and_lifts_a_hold_and_it_is_audited(as_adam, alice):
    hold, lift = (reverse("web:change_person_data", args=[alice.pk, verb]) for verb in ("hold", "lift"))
    assert as_adam.post(hold).status_code == 422
    as_adam.post(hold, {"reason": "court, file 7"})
    assert "court, file 7" in as_adam.get(reverse("web:person_data", args=[alice.pk])).content.decode()
    as_adam.post(lift)
    assert Hold.objects.get().lifted_at
    verbs = Entry.objects.filter(kind="user", object=str(alice.pk)).values_list("verb", flat=True)
    assert list(verbs[:2]) == [Verb.RELEASE_HOLD, Verb.HOLD]


def test_a_hold_after_repeated_authentication_is_audited_with_alices_name(as_adam, alice):
    hold = reverse("web:change_person_data", args=[alice.pk, "hold"])
    expire_authentication(as_adam)
    before = Entry.objects.count()  # entries of other tests: the audit log keeps them
    asked = as_adam.post(hold, {"reason": "court, file 7"})
    assert Entry.objects.count() == before, "nothing has happened yet"
    as_adam.post(asked["Location"], {"password": PASSWORD})
    assert Hold.objects.get().person == alice
    entry = Entry.objects.first()
    assert (entry.verb, entry.door, entry.object) == (Verb.HOLD, "web:change_person_data", str(alice.pk))


def test_adam_cannot_cancel_alices_own_request(as_adam, alice):
    erasure.ask(alice, why=Why.REQUEST)
    refused = as_adam.post(reverse("web:change_person_data", args=[alice.pk, "keep"]))
    assert refused.status_code == 422 and "only they can call it off" in refused.content.decode()
    assert Erasure.objects.exists()


def test_adam_enters_and_cancels_an_erasure_and_alice_is_notified_of_both(as_adam, alice, mailoutbox):
    erase = reverse("web:change_person_data", args=[alice.pk, "erase"])
    assert as_adam.post(erase).status_code == 422
    as_adam.post(erase, {"sure": "1"})
    wish = Erasure.objects.get()
    assert (wish.why, wish.by_admin.email) == ("letter", "adam@example.com")
    erasure.notify_people()
    as_adam.post(reverse("web:change_person_data", args=[alice.pk, "keep"]))
    assert not Erasure.objects.exists()
    assert [mail.subject for mail in mailoutbox] == [
        "Your teleder account will be deleted",
        "Your teleder account stays",
    ]


@pytest.mark.parametrize("verb", ["hold", "lift", "erase", "keep"])
def test_adam_must_authenticate_again(as_adam, alice, verb):
    expire_authentication(as_adam)
    answer = as_adam.post(
        reverse("web:change_person_data", args=[alice.pk, verb]), {"reason": "x", "sure": "1"}
    )
    assert answer["Location"].startswith(reverse("account_reauthenticate"))
    assert not Erasure.objects.exists()
    assert not Hold.objects.exists()


def test_staff_have_no_data_page(as_adam, dana):
    assert as_adam.get(reverse("web:person_data", args=[dana.pk])).status_code == 404


# --- In a browser -----------------------------------------------------------------------------------------
EACH_WAY = pytest.mark.parametrize(
    ("language", "size"), [("ja", "phone"), ("en", "phone"), ("ja", "desk"), ("en", "desk")]
)


@pytest.mark.browser
@pytest.mark.django_db(transaction=True)
@EACH_WAY
def test_alice_completes_the_flow_by_keyboard(
    visit, is_accessible, alice, submission_of, settings, language, size
):
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    submission_of(alice, photos=2)
    page = visit(alice, language=language, size=size)
    page.goto(reverse("web:settings"))
    is_accessible(page, language)
    page.focus(f"a[href='{reverse('web:data')}']")
    page.keyboard.press("Enter")
    page.wait_for_url("**" + reverse("web:data"))
    is_accessible(page, language)
    with page.expect_download() as download:
        page.focus(f"form[action='{reverse('web:export_data')}'] button")
        page.keyboard.press("Enter")
    assert download.value.suggested_filename.endswith(".zip")
    page.focus("[name=sure]")
    page.keyboard.press("Space")
    page.focus(f"form[action='{reverse('web:erase_data')}'] button")
    page.keyboard.press("Enter")
    page.wait_for_selector(f"form[action='{reverse('web:keep_data')}']")
    is_accessible(page, language)
    page.goto(reverse("web:home"))
    is_accessible(page, language)


@pytest.mark.browser
@pytest.mark.django_db(transaction=True)
@EACH_WAY
def test_adams_data_page_is_accessible(visit, is_accessible, alice, adam, language, size):
    page = visit(adam, language=language, size=size)
    page.goto(reverse("web:person_data", args=[alice.pk]))
    is_accessible(page, language)
    page.fill("[name=reason]", "court")
    page.click(f"form[action$='{reverse('web:change_person_data', args=[alice.pk, 'hold'])}'] button")
    page.wait_for_selector("form[action$='/lift/']")
    is_accessible(page, language)
    page.goto(reverse("web:people"))
    is_accessible(page, language)


def test_the_page_opens_after_the_password(as_alice, alice):
    expire_authentication(as_alice)
    asked = as_alice.get(reverse("web:data"))["Location"]
    answer = as_alice.post(asked, {"password": PASSWORD}, follow=True)
    assert answer.redirect_chain[-1][0] == reverse("web:data")
    assert User.objects.filter(pk=alice.pk).exists()


def test_adam_sees_alices_given_and_withdrawn_consents(as_adam, alice):
    consents.withdraw_consent(alice, Purpose.AI)
    page = as_adam.get(reverse("web:person_data", args=[alice.pk])).content.decode()
    withdrawn, given = (page.index(words) for words in (": withdrawn ", ": given "))
    assert page.rindex("AI processing", 0, withdrawn) < page.rindex("care: ", 0, given)
