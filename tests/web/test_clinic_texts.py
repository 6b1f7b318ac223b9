"""What costs, contact, terms and privacy say, who may change them, and that earlier versions stay."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.db import InternalError, transaction
from django.db.utils import ProgrammingError
from django.urls import reverse
from django.utils import timezone, translation

from teleder.accounts import clinic_texts
from teleder.accounts.clinic_texts import ClinicText, ClinicTextApproval, TextKind
from teleder.audit.models import Entry
from teleder.cases import reply_times, reviews
from teleder.cases.models import Review, Submission
from teleder.privacy.policy import retention_policy
from teleder.web.clinic_texts import as_html, draft

pytestmark = pytest.mark.django_db
TERMS = reverse("web:clinic_text", args=["terms"])
EDIT = reverse("web:edit_text", args=["terms"])


@pytest.fixture
def adams(client, adam):
    client.force_login(adam)
    return client


def version(adam, words: str, *, kind: TextKind = TextKind.TERMS, approved: bool = True) -> ClinicText:
    row = clinic_texts.save_draft(clinic=adam.clinic, kind=kind, ja=f"{words}（日本語）", en=words, by=adam)
    if approved:
        clinic_texts.put_in_force(row, by=adam)
    return row


# --- What readers see -------------------------------------------------------------------------------------
@pytest.mark.parametrize("kind", TextKind)
@pytest.mark.parametrize("language", ["ja", "en"])
def test_until_the_clinic_approves_a_text_a_visitor_reads_a_draft_that_says_so(client, kind, language):
    client.cookies["teleder_language"] = language
    page = client.get(reverse("web:clinic_text", args=[kind])).content.decode()
    with translation.override(language):
        note = translation.gettext("This is a draft. The clinic has not checked and approved it yet.")
    assert note in page
    assert "{" not in draft(kind).ja + draft(kind).en, "a period was not filled in"


def test_a_visitor_reads_the_approved_text_with_its_version_and_no_draft(client, adam):
    version(adam, "Our terms")
    version(adam, "Not approved yet", approved=False)
    client.cookies["teleder_language"] = "en"
    page = client.get(TERMS).content.decode()
    assert "Our terms" in page and "Version 1, approved by the clinic on" in page
    assert "draft" not in page and "Not approved yet" not in page


def test_an_earlier_version_can_be_read_and_says_that_it_is_no_longer_in_force(client, adam):
    version(adam, "Old terms")
    version(adam, "New terms")
    client.cookies["teleder_language"] = "en"
    first = reverse("web:clinic_text_version", args=["terms", 1])
    assert first in client.get(TERMS).content.decode()
    page = client.get(first).content.decode()
    assert "Old terms" in page and "no longer in force" in page


def test_a_visitor_cannot_read_a_draft_by_its_number(client, adam):
    version(adam, "Not approved yet", approved=False)
    assert client.get(reverse("web:clinic_text_version", args=["terms", 1])).status_code == 404


def test_another_clinics_text_is_not_shown(client, adam, nora):
    version(adam, "Our terms")
    client.force_login(nora)
    assert "Our terms" not in client.get(TERMS).content.decode()


def test_html_and_dangerous_links_are_shown_as_they_were_typed():
    html = as_html("<script>alert(1)</script> [x](javascript:alert(1)) ![](https://evil.example/y.png)")
    assert not re.search(r"<(?!/?p>|a href=\"https:|/a>)", html)
    assert as_html("# Head\n\n- one\n- [two](https://example.com)") == (
        '<h2>Head</h2>\n<ul>\n<li>one</li>\n<li><a href="https://example.com">two</a></li>\n</ul>\n'
    )


def test_the_first_page_shows_the_first_line_about_costs(client, adam):
    version(adam, "1,650 yen, paid by you\n\nMore of it", kind=TextKind.COST)
    client.cookies["teleder_language"] = "en"
    page = client.get("/").content.decode()
    assert "1,650 yen, paid by you" in page and "More of it" not in page


def test_the_drafts_name_the_periods_of_the_retention_policy():
    policy, words = retention_policy(), draft(TextKind.PRIVACY)
    assert f"{policy.cooling_off_days}日後" in words.ja and f"{policy.cooling_off_days} days" in words.en
    assert f"{policy.backup_days}日" in words.ja and f"{policy.backup_days} days" in words.en
    assert "5年" in words.ja and "5 years" in words.en


FOOT = ["/", reverse("account_login"), reverse("account_signup"), reverse("account_reset_password")]
OWN = [reverse("web:settings"), reverse("web:inbox"), reverse("web:data"), reverse("web:emergency")]


@pytest.mark.parametrize("path", [*FOOT, *OWN])
def test_the_texts_are_linked_on_every_page_of_patients(client, alice, path):
    if path in OWN:
        client.force_login(alice)
    page = client.get(path).content.decode()
    assert all(reverse("web:clinic_text", args=[kind]) in page for kind in TextKind)


def test_the_texts_are_linked_while_answering(client, alice, alices_draft):
    client.force_login(alice)
    for name, more in (("question", [1]), ("about", []), ("history", ["itch"]), ("photos", []), ("send", [])):
        page = client.get(reverse(f"web:{name}", args=[alices_draft.pk, *more]), follow=True).content.decode()
        assert TERMS in page, name


# --- Writing ----------------------------------------------------------------------------------------------
def test_adam_previews_saves_and_approves_and_each_change_is_in_the_audit_log(adams, adam):
    words = {"ja": "## 約束", "en": "## A promise"}
    preview = adams.post(EDIT, words | {"verb": "preview"}).content.decode()
    assert "<h3>A promise</h3>" in preview and not ClinicText.objects.exists()
    saved = adams.post(EDIT, words | {"verb": "save"})
    row = ClinicText.objects.get()
    assert (row.number, row.written_by, row.en) == (1, adam, "## A promise")
    assert not ClinicTextApproval.objects.exists()
    adams.post(saved.url)
    assert ClinicTextApproval.objects.get().approved_by == adam
    doors = set(Entry.objects.filter(person=adam.pk).values_list("door", flat=True))
    assert {"web:edit_text", "web:text_version"} <= doors


def test_an_earlier_version_can_be_put_in_force_again(adams, adam):
    version(adam, "Old terms")
    version(adam, "New terms")
    adams.post(reverse("web:text_version", args=["terms", 1]))
    assert clinic_texts.approval_in_force(adam.clinic, TextKind.TERMS).text.en == "Old terms"
    assert ClinicTextApproval.objects.count() == 3


def test_saving_or_approving_twice_changes_no_more_than_once(adam):
    assert version(adam, "Terms").pk == version(adam, "Terms").pk
    assert ClinicTextApproval.objects.count() == 1


def test_a_text_in_one_language_only_is_refused_and_comes_back(adams):
    answer = adams.post(EDIT, {"ja": "", "en": "Only English", "verb": "save"})
    assert answer.status_code == 422 and "Only English" in answer.content.decode()
    assert not ClinicText.objects.exists()


@pytest.mark.parametrize("change", [{"en": "Forged"}, None])
def test_the_database_refuses_to_change_or_delete_a_version(adam, change):
    row = version(adam, "Terms")
    rows = ClinicText.objects.filter(pk=row.pk)
    with pytest.raises((InternalError, ProgrammingError), match="kept as they are"), transaction.atomic():
        rows.update(**change) if change else rows._raw_delete(rows.db)


# --- The usual reply time ---------------------------------------------------------------------------------
@pytest.fixture
def answered(alices_submission, dana):
    """Return a function that has alice's submission answered after some hours; each call adds an answer."""
    reviews.claim(alices_submission, by=dana)
    reviews.sign(alices_submission, by=dana, impression="AD", disposition="self_care", text="Go on.")
    review = Review.objects.get()
    sent = timezone.now() - timedelta(days=30)
    Submission.objects.filter(pk=alices_submission.pk).update(submitted_at=sent)

    def after(hours: float, urgency: int = 0) -> None:
        copy = Review.objects.get(pk=review.pk)
        copy.pk, copy.signed_at = None, sent + timedelta(hours=hours)
        copy.triage_urgency = copy.urgency = urgency
        copy.save(force_insert=True)

    return after


def test_the_usual_time_is_what_eight_of_ten_answers_took(client, answered, adam):
    for hours in range(1, 20):
        answered(hours)
    assert reply_times.usual_reply_time(adam.clinic) is not None  # nineteen and the first
    for hours in (200, 300, 400, 500, 600):
        answered(hours, urgency=3)  # urgent cases have another promise
    found = reply_times.usual_reply_time(adam.clinic)
    assert (found.answers, found.time) == (20, timedelta(hours=16))
    client.cookies["teleder_language"] = "en"
    assert "Usually within 16 hours (8 of 10 of the last 20 answers)" in client.get("/").content.decode()


def test_with_few_answers_no_usual_time_is_shown(client, answered, adam):
    answered(1)
    assert reply_times.usual_reply_time(adam.clinic) is None
    assert "Usually" not in client.get("/").content.decode()
