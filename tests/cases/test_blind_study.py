"""A clinic that reads in a blind study: nothing of the AI before a signed impression, and figures of what came after."""

from __future__ import annotations

from collections import Counter

import pytest
from django.urls import reverse
from rest_framework.test import APIClient

from teleder.audit.models import Entry
from teleder.cases import ai_opinion, reviews
from teleder.cases.automation_bias import StudyRead, _rows, bias_report
from teleder.cases.models import FirstImpression, Submission
from teleder.cases.transitions import IllegalMoveError

pytestmark = pytest.mark.django_db
ANSWER = {"disposition": "self_care", "text": "Go on.", "reason": "Seen."}
HERPES = {"AD": 0.1, "HI": 0.8, "IM": 0.05, "MF": 0.03, "OTHER": 0.02}


@pytest.fixture
def study(dana):
    dana.clinic.ai_opinion = "study"
    dana.clinic.save()


@pytest.fixture
def read(study, alices_submission, analyse) -> Submission:
    analyse(alices_submission.photos.get(), probabilities=HERPES)
    return Submission.objects.get()


@pytest.fixture
def erik(person):
    return person("erik", "dermatologist")


def test_only_a_signed_impression_opens_it_and_only_to_its_reader(read, dana, erik):
    ai_opinion.choose(read, by=dana, impression="AD")
    assert not FirstImpression.objects.exists()
    with pytest.raises(ai_opinion.NotOpenError):
        ai_opinion.see_first(read, by=dana)
    assert not ai_opinion.is_open(read, dana)
    row = ai_opinion.sign_look(read, by=dana, impression="AD", confidence="high")
    assert (row.independent, row.confidence, row.looked_before) == ("AD", "high", False) and row.signed_at
    assert ai_opinion.is_open(read, dana) and not ai_opinion.is_open(read, erik)


def test_a_signed_impression_cannot_be_changed(read, dana):
    signed = ai_opinion.sign_look(read, by=dana, impression="AD").signed_at
    assert ai_opinion.sign_look(read, by=dana, impression="AD").signed_at == signed
    with pytest.raises(IllegalMoveError):
        ai_opinion.sign_look(read, by=dana, impression="HI")
    ai_opinion.choose(read, by=dana, impression="HI")
    row = FirstImpression.objects.get()
    assert (row.independent, row.latest, row.signed_at) == ("AD", "HI", signed)


def test_the_answer_is_kept_beside_it_with_what_the_ai_said(read, dana):
    ai_opinion.sign_look(read, by=dana, impression="AD")
    reviews.claim(read, by=dana)
    reviews.sign(read, by=dana, impression="HI", **ANSWER, at_once=True)
    row = FirstImpression.objects.get()
    assert (row.independent, row.final, row.ai_said) == ("AD", "HI", ["HI"])
    reviews.amend(Submission.objects.get(), by=dana, impression="IM", **ANSWER, at_once=True)
    assert FirstImpression.objects.get().final == "HI"
    (total, *_more) = bias_report(dana).rows
    assert (total.n, total.changed.of, total.toward.of, total.toward.n, total.away.n) == (1, 1, 1, 1, 0)


def test_who_answers_without_signing_first_is_no_read_of_the_study(read, dana):
    reviews.claim(read, by=dana)
    reviews.sign(read, by=dana, impression="HI", **ANSWER, at_once=True)
    assert not FirstImpression.objects.exists() and bias_report(dana).rows[0].n == 0


def test_a_later_photo_closes_it_and_the_read_is_left_out(read, dana):
    ai_opinion.sign_look(read, by=dana, impression="AD")
    ai_opinion.close_for_new_photo(read)
    read = Submission.objects.get()
    assert not ai_opinion.is_open(read, dana)
    ai_opinion.sign_look(read, by=dana, impression="HI")
    row = FirstImpression.objects.get()
    assert (row.independent, row.latest, row.looked_before) == ("AD", "HI", True)
    reviews.claim(read, by=dana)
    reviews.sign(read, by=dana, impression="HI", **ANSWER, at_once=True)
    report = bias_report(dana)
    assert (report.rows[0].n, report.left_out) == (0, 1)


def test_who_looked_under_another_rule_is_left_out_and_looks_again(alices_submission, analyse, dana):
    analyse(alices_submission.photos.get(), probabilities=HERPES)
    ai_opinion.choose(alices_submission, by=dana, impression="AD")
    dana.clinic.ai_opinion = "study"
    dana.clinic.save()
    (row,) = ai_opinion.with_impressions(Submission.objects.all(), dana)
    assert not ai_opinion.is_open(row, dana) and not ai_opinion.is_open(Submission.objects.get(), dana)
    assert ai_opinion.sign_look(row, by=dana, impression="AD").looked_before
    assert ai_opinion.is_open(row, dana)


def test_a_list_knows_it_without_further_queries(read, dana, django_assert_num_queries):
    (row,) = ai_opinion.with_impressions(Submission.objects.all(), dana)
    with django_assert_num_queries(0):
        assert not ai_opinion.is_open(row, dana)
    ai_opinion.sign_look(read, by=dana, impression="AD")
    (row,) = ai_opinion.with_impressions(Submission.objects.all(), dana)
    with django_assert_num_queries(0):
        assert ai_opinion.is_open(row, dana)


def test_a_clinics_rule_goes_before_that_of_the_installation(read, dana, settings):
    settings.AI_OPINION = "always"
    assert not ai_opinion.is_open(read, dana)
    dana.clinic.ai_opinion = ""
    dana.clinic.save()
    assert ai_opinion.is_open(Submission.objects.get(), dana)


# --- By the API and the pages -----------------------------------------------------------------------------
def test_the_api_keeps_the_same_rule(read, dana):
    client = APIClient()
    client.force_login(dana)
    path = f"/api/v1/submissions/{read.pk}/impression"
    answer = client.post(path, {"impression": "AD"}).json()
    assert (answer["ai_is_open"], answer["independent"], answer["signed_at"]) == (False, "", None)
    assert client.get(f"/api/v1/submissions/{read.pk}/findings").status_code == 409
    assert client.post(path, {"impression": ""}).status_code == 409
    answer = client.post(path, {"impression": "AD", "signed": True, "confidence": "low"}).json()
    assert (answer["ai_is_open"], answer["independent"], answer["confidence"]) == (True, "AD", "low")
    assert client.post(path, {"impression": "HI", "signed": True}).status_code == 409
    assert client.get(f"/api/v1/submissions/{read.pk}/findings").status_code == 200


def test_elsewhere_nothing_can_be_signed(alices_submission, dana):
    client = APIClient()
    client.force_login(dana)
    path = f"/api/v1/submissions/{alices_submission.pk}/impression"
    assert client.post(path, {"impression": "AD", "signed": True}).status_code == 409


def test_an_admin_changes_the_rule_and_the_audit_log_says_from_what_to_what(client, adam, dana):
    client.force_login(adam)
    answer = client.post(reverse("web:set_ai_opening"), {"opening": "study"}, follow=True)
    assert "Blind study" in answer.content.decode()
    adam.clinic.refresh_from_db()
    assert adam.clinic.ai_opinion == "study"
    entry = Entry.objects.order_by("number").last()
    assert (entry.door, entry.object) == ("web:set_ai_opening", "ai_opinion:installation:study")
    client.post(reverse("web:set_ai_opening"), {"opening": "now"})
    adam.clinic.refresh_from_db()
    assert adam.clinic.ai_opinion == "study"


def test_each_reader_sees_the_own_row_and_admins_and_leads_all(client, read, dana, erik, adam):
    ai_opinion.sign_look(read, by=dana, impression="AD")
    reviews.claim(read, by=dana)
    reviews.sign(read, by=dana, impression="HI", **ANSWER, at_once=True)
    assert bias_report(erik).rows[0].n == 0
    assert {row.group for row in bias_report(dana).rows} == {"clinic", "confidence"}
    erik.dermatologist.is_lead = True
    erik.dermatologist.save()
    for reader in (adam, erik):
        assert [row.label for row in bias_report(reader).rows if row.group == "reader"] == ["Dana"]
    client.force_login(adam)
    page = client.get(reverse("web:reading_study")).content.decode()
    assert "Outcomes are not recorded yet" in page and "1 of 1" in page and "100%" not in page
    rows = client.get(reverse("web:reading_study_csv")).content.decode().splitlines()
    assert "reader,Dana,1,1,1,,,,1,1,,,,0,0,,," in rows


def test_another_clinics_reads_are_not_counted(read, dana, noel):
    ai_opinion.sign_look(read, by=dana, impression="AD")
    reviews.claim(read, by=dana)
    reviews.sign(read, by=dana, impression="HI", **ANSWER, at_once=True)
    assert bias_report(noel).rows[0].n == 0


# --- The figures ------------------------------------------------------------------------------------------
READS = {  # first, final, what the AI said: how many
    ("AD", "HI", ("HI",)): 3,  # toward
    ("AD", "AD", ("HI",)): 9,
    ("HI", "AD", ("HI",)): 2,  # away
    ("HI", "HI", ("HI",)): 8,
    ("AD", "IM", ("HI",)): 1,  # changed, neither
    ("AD", "IM", ()): 1,  # the AI said nothing
    ("HI", "MF", ("HI", "MF")): 1,  # within what the AI said
}


def test_the_figures_of_known_reads():
    reads = [
        StudyRead(reader=1, name="Dana", first=first, final=final, confidence="low", ai_said=said)
        for (first, final, said), n in Counter(READS).items()
        for _each in range(n)
    ]
    (row, low, dana) = _rows(reads, by_reader=True)
    assert [(share.of, share.n, enough) for share, enough in row.shares] == [
        (8, 25, True),
        (3, 13, True),
        (2, 11, True),
    ]
    assert row.toward.interval == pytest.approx((8.2, 50.3), abs=0.1)
    assert (low.n, dana.n, low.group, dana.label) == (25, 25, "confidence", "Dana")
    few = next(iter(_rows(reads[:9], by_reader=False)))
    assert not any(enough for _share, enough in few.shares)
