"""What staff who walked the pages for the first time stumbled over, and what the pages say and do now."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.core.exceptions import ValidationError
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import override

from teleder.cases import colleagues, held, pausing, reading, replies, reviews
from teleder.cases.models import Impression, ReplyTemplate, SecondOpinion, Submission
from teleder.notifications import on_call, outbox
from tests.distances import SILENT, STOPS_NEARER, record, report_of

pytestmark = pytest.mark.django_db
ANSWER = {"impression": "AD", "disposition": "self_care", "text": "It looks like a flare of your eczema."}
HERPES = {"AD": 0.1, "HI": 0.8, "IM": 0.05, "MF": 0.03, "OTHER": 0.02}


def page_of(person, name: str, *args, **query) -> str:
    client = Client()
    client.force_login(person)
    page = client.get(reverse(f"web:{name}", args=args), query).content.decode()
    return re.sub(r"\s+", " ", page)


def words(page: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page))


# --- The alarm of an urgent case --------------------------------------------------------------------------
def test_an_alarm_names_place_age_band_and_how_often_it_was_told(dana, alice, submission_of):
    alice.patient.birth_year = timezone.localdate().year - 34
    alice.patient.save()
    urgent = submission_of(alice, fever="yes", grouped_blisters="yes")
    outbox.queue_messages()
    call = urgent.urgent_calls.get()
    strip = words(page_of(dana, "strip"))
    assert f"{urgent.case.place_names} · 30s" in strip and urgent.case.number in strip
    assert "told" not in strip
    on_call.tell_on_call()
    assert "told 1 time" in words(page_of(dana, "strip"))
    for times in (2, 3):
        type(call).objects.update(tell_at=timezone.now())
        on_call.tell_on_call()
        assert f"told {times} times" in words(page_of(dana, "strip"))


# --- A distance strip under the line ----------------------------------------------------------------------
@pytest.mark.usefixtures("ai_is_open")
def test_a_photo_under_the_line_says_that_another_one_rang(dana, alice, submission_of, analyse):
    submission = submission_of(alice, photos=2)
    rang, calm = submission.photos.order_by("created_at")
    analyse(rang, probabilities=HERPES)
    analyse(calm)
    from teleder.pipeline import queue

    queue.request_distance_report(calm)
    record(calm, report_of([SILENT] * 8))
    page = words(page_of(dana, "review", submission.pk, photo=calm.pk))
    assert "cannot rule out herpesvirus" in page
    assert "this photo lies under the alarm line: the alarm is of another photo of the case" in page
    record(rang, report_of(STOPS_NEARER))
    assert "lies under the alarm line" not in words(page_of(dana, "review", submission.pk, photo=rang.pk))


# --- What is signed and waits to be sent ------------------------------------------------------------------
def test_what_a_colleague_has_signed_leaves_the_lists_and_its_undoing_brings_it_back(
    dana, person, alices_submission, settings
):
    settings.HOLD_SECONDS = 60
    erik = person("erik", "dermatologist")
    reviews.claim(alices_submission, by=erik)
    reviews.sign(alices_submission, by=erik, **ANSWER)
    number = alices_submission.case.number
    for show in ("all", alices_submission.level.code, "mine", "overdue"):
        for reader in (dana, erik):
            assert number not in page_of(reader, "worklist", show=show), (show, reader)
    assert number in page_of(erik, "worklist", show="held") and number not in page_of(
        dana, "worklist", show="held"
    )
    held.undo(alices_submission, by=erik)
    assert number in page_of(dana, "worklist") and number in page_of(erik, "worklist", show="mine")


# --- A request for photos ---------------------------------------------------------------------------------
@pytest.fixture
def two_places(alices_submission, dana):
    case = alices_submission.case
    case.places = [{"site": "hand", "side": "left"}, {"site": "neck", "side": ""}]
    case.save()
    reviews.claim(alices_submission, by=dana)
    return alices_submission


def test_dana_says_which_place_and_what_to_show_and_alice_reads_it(client, dana, alice, two_places):
    place = two_places.case.body_places[1]
    client.force_login(dana)
    asked = {"reason": "blurred", "place": str(place), "words": "With a coin beside it, please."}
    client.post(reverse("web:request_photos", args=[two_places.pk]), asked)
    for page in ("submission", "photos"):
        shown = words(page_of(alice, page, two_places.pk))
        assert f"Please take it of: {place.label}" in shown and "With a coin beside it, please." in shown
    two_places.refresh_from_db()
    pausing.withdraw_request(two_places, by=dana)
    two_places.refresh_from_db()
    assert (two_places.photos_wanted_place, two_places.photos_wanted_words) == ("", "")


@pytest.mark.parametrize("wrong", [{"place": "back"}, {"words": "x" * 301}])
def test_a_place_of_another_case_or_too_many_words_are_refused_and_stay_in_the_form(
    client, dana, two_places, wrong
):
    client.force_login(dana)
    asked = {"reason": "blurred", "words": "Closer, please."} | wrong
    reply = client.post(reverse("web:request_photos", args=[two_places.pk]), asked)
    assert reply.status_code == 422 and asked["words"] in reply.content.decode()
    with pytest.raises(ValidationError):
        reviews.request_photos(two_places, by=dana, **asked)


@pytest.mark.parametrize(
    ("language", "not_needed", "taken_back"),
    [("en", "send another photo after all", "took it back"), ("ja", "送らなくて", "見直")],
)
def test_alice_reads_that_the_photo_is_not_needed_or_the_answer_was_taken_back(
    dana, alice, two_places, language, not_needed, taken_back
):
    alice.language = language
    alice.save(update_fields=["language"])
    page = lambda: words(page_of(alice, "submission", two_places.pk))  # noqa: E731
    reviews.request_photos(two_places, by=dana, reason="blurred")
    assert not_needed not in page()
    two_places.refresh_from_db()
    pausing.withdraw_request(two_places, by=dana)
    assert not_needed in page()
    two_places.refresh_from_db()
    reviews.sign(two_places, by=dana, **ANSWER)
    two_places.refresh_from_db()
    reading.take_back_answer(two_places, by=dana, reason="The wrong text")
    assert taken_back in page() and not_needed not in page()


# --- Where a case stands ----------------------------------------------------------------------------------
def test_a_case_says_where_it_stands_in_the_list(dana, alice, bob, submission_of, settings):
    later, urgent = submission_of(bob), submission_of(alice, fever="yes", grouped_blisters="yes")
    assert "case 1 of 2" in words(page_of(dana, "review_state", urgent.pk))
    assert "case 2 of 2" in words(page_of(dana, "review_state", later.pk))
    reviews.claim(urgent, by=dana)
    reviews.sign(urgent, by=dana, **ANSWER | {"reason": "Seen it: no blisters at all."}, at_once=True)
    assert "case 1 of 1" in words(page_of(dana, "review_state", later.pk))
    assert not re.search(r"case \d+ of", words(page_of(dana, "review_state", urgent.pk)))


# --- Among colleagues -------------------------------------------------------------------------------------
def test_the_giver_of_an_opinion_may_give_an_impression(client, dana, person, alices_submission):
    erik = person("erik", "dermatologist")
    reviews.claim(alices_submission, by=dana)
    asked = colleagues.ask_opinion(alices_submission, to=erik, by=dana, question="Zoster?")
    assert f'id="my-impression-{asked.pk}"' in page_of(erik, "review", alices_submission.pk)
    client.force_login(erik)
    answer = {"opinion": str(asked.pk), "text": "I would treat it.", "impression": "HI"}
    client.post(reverse("web:give_opinion", args=[alices_submission.pk]), answer)
    assert SecondOpinion.objects.get().impression == Impression.HI
    assert "herpesvirus infection I would treat it." in words(page_of(dana, "review", alices_submission.pk))


def test_an_impression_that_is_none_is_refused_and_none_is_needed(dana, person, alices_submission):
    erik = person("erik", "dermatologist")
    reviews.claim(alices_submission, by=dana)
    asked = colleagues.ask_opinion(alices_submission, to=erik, by=dana, question="Zoster?")
    with pytest.raises(ValidationError):
        colleagues.give_opinion(asked, by=erik, opinion="No.", impression="x")
    assert colleagues.give_opinion(asked, by=erik, opinion="No.").impression == ""


# --- Templates, merges, corrections, dates ----------------------------------------------------------------
def test_who_approves_a_template_reads_both_languages(dana, alices_submission):
    row = ReplyTemplate.objects.create(
        clinic=dana.clinic,
        disposition="self_care",
        number=1,
        ja="日本語の文です。",
        en="The English text.",
        written_by=dana,
    )
    page = page_of(dana, "reply_template", disposition="self_care", impression="")
    version = page[page.index(f'id="version-{row.number}"') :].partition("</section>")[0]
    assert "日本語の文です。" in version and "The English text." in version and "<details" not in version
    assert "Approve version 1 in both languages" in version
    assert replies.approve(row, by=dana).approved_by == dana


def test_no_case_is_chosen_for_a_merge_before_adam_chooses_one(adam, alice, alices_submission, submission_of):
    submission_of(alice)
    page = page_of(adam, "case_admin", alices_submission.pk)
    assert '<select id="into" name="into" required><option value="">Please choose</option>' in page
    assert "The chosen case stays" in page


def test_two_versions_of_a_correction_stand_beside_each_other(client, dana, person, alices_submission):
    erik = person("erik", "dermatologist")
    reviews.claim(alices_submission, by=dana)
    reviews.sign(alices_submission, by=dana, **ANSWER)
    first = Submission.objects.get().answer()
    reviews.amend(alices_submission, by=erik, **ANSWER | {"text": "Erik's words.", "reason": "A slip"})
    client.force_login(dana)
    mine = {
        **ANSWER,
        "text": "Dana's words.",
        "reason": "A word",
        "amends": str(first.pk),
        "next_photo": "none",
    }
    reply = client.post(reverse("web:answer", args=[alices_submission.pk]), mine)
    page = reply.content.decode()
    both = page[page.index('class="conflict-texts"') :].partition("</section>")[0]
    assert reply.status_code == 409 and "Erik&#x27;s words." in both and "Dana&#x27;s words." in both


@pytest.mark.parametrize(
    ("language", "expected"), [("en", "5 Dec 2026, 07:05"), ("ja", "2026年12月5日 07:05")]
)
def test_a_date_has_one_form(language, expected):
    from datetime import datetime
    from zoneinfo import ZoneInfo

    moment = datetime(2026, 12, 5, 7, 5, tzinfo=ZoneInfo("Asia/Tokyo"))
    with override(language), timezone.override("Asia/Tokyo"):
        local = timezone.localtime(moment)
        for name in ("DATETIME_FORMAT", "SHORT_DATETIME_FORMAT"):
            assert date_format(local, name) == expected
        for name in ("DATE_FORMAT", "SHORT_DATE_FORMAT"):
            assert date_format(local, name) == expected.rpartition(" ")[0].rstrip(",")


# --- Keys -------------------------------------------------------------------------------------------------
def test_the_list_of_keys_names_every_key_of_a_button(dana):
    """Keys that only the scripts know, as j and k, stand in it too."""
    page = page_of(dana, "worklist").partition('id="keys-help"')[2].partition("</dialog>")[0]
    rows = re.findall(r"<dt>(.*?)</dt>", page)
    listed = [set(re.findall(r"<kbd>([^<]+)</kbd>", row)) for row in rows]
    for row, keys in zip(rows, listed, strict=True):
        if "–" in row:  # from the first to the last
            keys |= {*"qwerty"} if "q" in keys else {*"123456789"}
    sources = [path.read_text() for path in Path("teleder/web/templates/web").rglob("*.html")]
    keys = {key for source in sources for key in re.findall(r'data-key="([^"{}]+)"', source)}
    keys |= {"j", "k", "x", "u", "h", "Shift+A", "Shift+q", ",", ".", "l", "Enter", "Esc", "Ctrl+Enter"}
    parts = {key: set(re.split(r"(?<=.)[+ ](?=.)", key)) for key in keys}
    assert [key for key, wanted in parts.items() if not any(wanted <= row for row in listed)] == []
