"""Dana reads and answers a submission, and cannot exceed her rights."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

import pytest
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format

from contract.messages import Abstention, QualityFault, Reason
from teleder.accounts import people
from teleder.accounts.models import Purpose
from teleder.cases import consents, intake, replies, reviews
from teleder.cases.answers import record_answer
from teleder.cases.models import AIStatus, Disposition, Review, Status, Submission
from teleder.cases.verdict import CONDITIONS
from teleder.security import sessions
from tests.conftest import NO_WORTH, alarm

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("ai_is_open")]
ANSWER = {
    "impression": "AD",
    "disposition": "self_care",
    "text": "It looks like a flare of your eczema.",
    "reason": "",
}


@pytest.fixture
def danas(client, dana):
    client.force_login(dana)
    return client


@pytest.fixture
def claimed(dana, alices_submission):
    reviews.claim(alices_submission, by=dana)
    return alices_submission


@pytest.fixture
def erik(person):
    return person("erik", "dermatologist")


def at(name: str, submission) -> str:
    return reverse(f"web:{name}", args=[submission.pk])


def page_of(client, submission, **query) -> str:
    reply = client.get(at("review", submission), query)
    assert reply.status_code == 200
    return reply.content.decode()


# --- Access -----------------------------------------------------------------------------------------------
VERBS = ["claim", "release", "keep_claim", "request_photos", "answer"]


@pytest.mark.parametrize("name", VERBS)
def test_only_dermatologists_can_act_on_a_submission(client, alice, adam, alices_submission, name):
    assert client.post(at(name, alices_submission)).url.startswith(reverse("account_login"))
    for person in (alice, adam):
        client.force_login(person)
        assert client.post(at(name, alices_submission)).status_code == 403


@pytest.mark.parametrize("name", ["review", "review_state"])
def test_only_dermatologists_read_the_review_page(client, alice, adam, alices_submission, name):
    for person in (alice, adam):
        client.force_login(person)
        assert client.get(at(name, alices_submission)).status_code == 403


@pytest.mark.parametrize("name", VERBS)
def test_dana_cannot_open_a_draft(danas, alices_draft, name):
    assert danas.post(at(name, alices_draft)).status_code == 404


# --- Content of the page ----------------------------------------------------------------------------------
def test_dana_reads_the_answers_with_yes_first(danas, alice, submission_of):
    page = page_of(danas, submission_of(alice, fever="yes", cold_sore="unsure"))
    fever, sore, ill = (
        page.index(words) for words in ("38 °C", "cold sore, or close contact", "very unwell: drowsy")
    )
    assert fever < sore < ill
    assert "Reasons to look sooner" in page and "same day" in page


def test_dana_sees_that_a_consent_was_withdrawn_until_it_is_given_again(danas, alice, alices_submission):
    assert "withdrew a consent" not in page_of(danas, alices_submission)
    consents.withdraw_consent(alice, Purpose.CARE)
    page = page_of(danas, alices_submission)
    assert page.count("withdrew a consent") == 1
    assert "care: a dermatologist reads" in page
    people.give_consent(alice, Purpose.CARE)
    assert "withdrew a consent" not in page_of(danas, alices_submission)


def test_dana_reads_the_history(danas, alices_submission):
    assert "<dt>Itch</dt><dd>5 / 10</dd>" in page_of(danas, alices_submission)


def test_layers_are_off_by_default(danas, alices_submission, analyse):
    analyse(alices_submission.photos.get())
    page = page_of(danas, alices_submission)
    assert 'data-layer="mask" data-key="m" aria-pressed="false"' in page
    assert 'aria-hidden="true" hidden></canvas>' in page
    assert 'preserveAspectRatio="none" aria-hidden="true" hidden>' in page
    assert page.index('class="original"') < page.index("AI results for this photo")


HERPES = {"AD": 0.1, "HI": 0.8, "IM": 0.05, "MF": 0.03, "OTHER": 0.02}


def test_a_heat_map_has_an_explanation_of_its_meaning_and_limits(danas, alices_submission, analyse):
    analyse(alices_submission.photos.get(), probabilities=HERPES)
    page = page_of(danas, alices_submission)
    assert 'data-layer="map" data-key="h" aria-pressed="false"' in page
    assert "Heat map of area 1" in page
    assert "contributed more to “herpesvirus infection”" in page and "shows neither how likely" in page


def test_there_is_no_heat_map_of_what_the_verdict_does_not_speak_of(danas, alices_submission, analyse):
    analyse(alices_submission.photos.get())  # drawn for eczema, which a demonstration model does not name
    page = page_of(danas, alices_submission)
    assert 'data-layer="mask"' in page and "Heat map" not in page


def test_an_analysis_of_an_older_worker_has_no_heat_map(danas, alices_submission, analyse):
    analyse(alices_submission.photos.get(), probabilities=HERPES, attribution=None)
    page = page_of(danas, alices_submission)
    assert 'data-layer="mask"' in page and "Heat map" not in page


def test_the_verdict_has_numbers_for_the_alarm_and_no_table(danas, alices_submission, analyse):
    analyse(alices_submission.photos.get(), probabilities=HERPES)
    page = page_of(danas, alices_submission)
    assert "The AI cannot rule out herpesvirus infection." in page
    assert "Of 100 photos like this in a clinic like this, about 10 show it (6–16)." in page
    assert "Measured on 402 teaching photos, not on this clinic&#x27;s patients." in page
    assert "AI: herpesvirus infection cannot be ruled out" in page  # the reason to look sooner
    assert "Demonstration model" in page and "test 1 <code>000000000000</code>" in page
    assert "Area 1: skin 95%, lesion 40%" in page
    said = page[page.index('id="verdict-title"') : page.index('id="findings-title"')]
    assert "%" not in said  # no probability
    assert 'class="bars"' not in page and "Results of each crop" not in page


def test_a_flag_of_the_body_site_is_shown_and_one_of_the_ai_that_raises_nothing_is_not(
    danas, alice, draft_of, analyse
):
    draft = draft_of(alice)
    intake.describe(draft, body_site="around_eyes")
    submission = intake.submit(draft, by=alice)
    analyse(submission.photos.get(), probabilities=HERPES, alarms=(alarm("HI", 0.8, worth=NO_WORTH),))
    page = page_of(danas, submission)
    reasons = page[page.index('id="flags-title"') : page.index('id="answers-title"')]
    assert "<strong>around the eyes</strong>" in reasons and "→" not in reasons and "AI:" not in reasons


def test_where_the_ai_says_nothing_the_page_speaks_of_no_condition(danas, alices_submission, analyse):
    analyse(alices_submission.photos.get(), abstention=Abstention.OUT_OF_SCOPE)
    page = page_of(danas, alices_submission)
    assert "The AI says nothing: the photo is unlike those it learned from." in page
    said = page[page.index('id="reasons"') : page.index('id="answers-title"')]
    said += page[page.index('id="verdict-title"') : page.index('id="events-title"')]
    assert not [name for name in CONDITIONS.values() if str(name) in said]
    assert 'class="bars"' not in page and "AI: look sooner" not in page


def test_an_alarm_stays_with_a_poor_photo_and_only_its_numbers_are_muted(danas, alices_submission, analyse):
    blurred = {"reason": Reason.POOR_QUALITY, "fault": QualityFault.BLURRED}
    analyse(alices_submission.photos.get(), probabilities=HERPES, **blurred)
    page = page_of(danas, alices_submission)
    assert "The AI cannot rule out herpesvirus infection." in page
    assert "No numbers: the photo is blurred." in page and "Of 100 photos" not in page


def test_a_clinics_own_model_shows_all_numbers(
    danas, dana, alice, alices_submission, submission_of, analyse, settings
):
    settings.SIGNED_CASES_TO_NAME = 1
    for impression in ("AD", "HI", "IM", "MF", "other"):
        signed = submission_of(alice)
        reviews.claim(signed, by=dana)
        reviews.sign(signed, by=dana, **ANSWER | {"impression": impression})
    analyse(alices_submission.photos.get(), demonstration=False)
    page = page_of(danas, alices_submission)
    assert "The AI: this fits atopic dermatitis." in page
    assert 'class="bars"' in page and "alarm from 20%" in page and "Results of each crop" in page
    assert "alarm from 60%" not in page  # that of naming eczema is no alarm
    assert "whole photo" in page and "area 1" in page


def test_a_photo_sent_despite_the_warning_is_marked(danas, alice, draft_of, analyse):
    draft = draft_of(alice)
    analyse(draft.photos.get(), reason=Reason.POOR_QUALITY, fault=QualityFault.BLURRED)
    page = page_of(danas, intake.submit(draft, by=alice, send_anyway=True))
    assert "hard to read: blurred" in page and "the patient sent it despite the warning" in page


def test_a_submission_without_any_finding_can_be_read(danas, claimed):
    Submission.objects.update(ai_status=AIStatus.UNAVAILABLE)
    page = page_of(danas, claimed)
    assert "AI: stopped" in page and "The AI is not available." in page and "Sign, next" in page


def test_dana_can_view_each_photo(danas, alice, submission_of, analyse):
    submission = submission_of(alice, photos=3)
    for photo in submission.photos.all():
        analyse(photo)
    second = submission.photos.all()[1]
    page = page_of(danas, submission, photo=str(second.pk))
    assert re.search(rf'src="{reverse("web:photo", args=[second.pk, "display"])}\?v=\d+"', page)
    assert 'data-key="["' in page and 'data-key="]"' in page


def test_dana_sees_earlier_submissions_with_their_answers(danas, dana, alice, claimed):
    reviews.sign(claimed, by=dana, **ANSWER)
    follow_up = intake.start(patient=alice, answers=claimed.answers, case=claimed.case)
    draft_page = page_of(danas, claimed)
    assert str(follow_up.pk) not in draft_page
    Submission.objects.filter(pk=follow_up.pk).update(
        status=Status.SUBMITTED, submitted_at=timezone.now(), due_at=timezone.now()
    )
    page = page_of(danas, follow_up)
    assert at("review", claimed) in page and ANSWER["text"] in page


def test_the_timeline_lists_events_with_their_actor(danas, claimed):
    page = page_of(danas, claimed)
    assert "Timeline" in page and "claimed · Dana" in page


# --- Claim, release, heartbeat ----------------------------------------------------------------------------
def test_without_a_claim_there_is_no_form(danas, alices_submission):
    page = page_of(danas, alices_submission)
    assert "Claim the case to answer it." in page and "Sign, next" not in page


def test_dana_releases_a_claim(danas, claimed):
    assert danas.post(at("release", claimed)).url == reverse("web:worklist")
    claimed.refresh_from_db()
    assert (claimed.status, claimed.claimed_by) == (Status.SUBMITTED, None)


def test_the_open_page_keeps_the_claim(danas, claimed):
    Submission.objects.update(claimed_at=timezone.now() - timedelta(minutes=14))
    assert danas.post(at("keep_claim", claimed)).status_code == 204
    claimed.refresh_from_db()
    assert timezone.now() - claimed.claimed_at < timedelta(minutes=1)


def test_dana_is_warned_when_she_lost_her_claim(danas, adam, erik, claimed):
    reviews.reassign(claimed, to=erik, by=adam)
    reply = danas.post(at("keep_claim", claimed))
    assert reply.status_code == 200 and "Erik has claimed it" in reply.content.decode()


def test_the_open_page_is_updated_about_the_claim_and_the_ai(danas, dana, alices_submission, analyse):
    first = danas.get(at("review_state", alices_submission))
    assert (
        danas.get(at("review_state", alices_submission), headers={"If-None-Match": first["ETag"]}).status_code
        == 304
    )
    analyse(alices_submission.photos.get())
    later = danas.get(at("review_state", alices_submission), headers={"If-None-Match": first["ETag"]})
    assert later.status_code == 200
    stamps = [re.findall('data-(?:photos|ai)="([^"]*)"', one.content.decode()) for one in (first, later)]
    assert all(before != after for before, after in zip(*stamps, strict=True))


def test_erik_sees_that_dana_has_claimed_it_and_cannot_sign(client, erik, claimed):
    client.force_login(erik)
    page = page_of(client, claimed)
    assert "Claimed by Dana" in page and "Sign, next" not in page
    reply = client.post(at("answer", claimed), ANSWER | {"text": "Something I wrote."})
    assert reply.status_code == 409
    assert "claimed by Dana" in reply.content.decode() and "Something I wrote." in reply.content.decode()
    assert not Review.objects.exists()


# --- Requesting photos ------------------------------------------------------------------------------------
def test_dana_requests_a_sharper_photo(danas, claimed):
    assert danas.post(at("request_photos", claimed), {"reason": "blurred"}).status_code == 302
    claimed.refresh_from_db()
    assert (claimed.status, claimed.photos_wanted) == (Status.NEEDS_PHOTOS, "blurred")


def test_a_same_day_case_does_not_wait_for_photos(danas, dana, alice, submission_of):
    urgent = submission_of(alice, fever="yes")
    reviews.claim(urgent, by=dana)
    assert "cannot wait for photos" in page_of(danas, urgent)
    reply = danas.post(at("request_photos", urgent), {"reason": "blurred"})
    assert reply.status_code == 422 and "cannot wait for photos" in reply.content.decode()
    urgent.refresh_from_db()
    assert urgent.status == Status.IN_REVIEW


def test_photos_are_requested_with_a_reason_from_the_list(danas, claimed):
    reply = danas.post(at("request_photos", claimed), {"reason": "ugly"})
    assert reply.status_code == 422 and "not one of the available choices" in reply.content.decode()


# --- The answer -------------------------------------------------------------------------------------------
def test_dana_signs_and_continues_with_the_next(danas, dana, bob, claimed, submission_of):
    following = submission_of(bob)
    reply = danas.post(at("answer", claimed), ANSWER)
    assert reply.url == f"{at('review', following)}?done={claimed.pk}"
    review = claimed.reviews.get()
    assert (review.author, review.text, review.disposition) == (dana, ANSWER["text"], Disposition.SELF_CARE)


def test_after_the_last_one_dana_is_back_on_the_worklist(danas, claimed):
    assert danas.post(at("answer", claimed), ANSWER).url == f"{reverse('web:worklist')}?done={claimed.pk}"


@pytest.mark.parametrize("missing", ["impression", "disposition", "text"])
def test_an_incomplete_answer_is_not_signed_and_not_lost(danas, claimed, missing):
    reply = danas.post(at("answer", claimed), ANSWER | {missing: ""})
    page = reply.content.decode()
    assert reply.status_code == 422 and "This field is required." in page
    assert missing == "text" or ANSWER["text"] in page
    assert not Review.objects.exists()


def test_an_answer_less_urgent_than_the_triage_needs_a_reason(danas, dana, alice, submission_of):
    urgent = submission_of(alice, fever="yes")
    reviews.claim(urgent, by=dana)
    reply = danas.post(at("answer", urgent), ANSWER)
    assert reply.status_code == 422 and "less urgent than the triage" in reply.content.decode()
    assert (
        danas.post(
            at("answer", urgent), ANSWER | {"reason": "A cold with fever; the skin is as usual."}
        ).status_code
        == 302
    )


def test_a_draft_text_is_inserted_below_what_was_typed(danas, claimed):
    page = danas.post(
        at("answer", claimed), ANSWER | {"text": "Dear Alice,", "insert_over": "ja"}
    ).content.decode()
    assert page.index("Dear Alice,") < page.index("写真を見ました") < page.index("いつもの保湿をします")
    assert "These texts are drafts" in page
    assert not Review.objects.exists()


@pytest.mark.parametrize("language", ["ja", "en"])
@pytest.mark.parametrize("disposition", Disposition.values)
def test_a_draft_text_never_names_eczema_for_another_impression(disposition, language):
    for impression in ("HI", "IM", "MF", "other", "unclear", ""):
        text = replies.product_letter(Disposition(disposition), language, impression)
        assert "eczema" not in text and "アトピー" not in text and "{" not in text
    assert (
        "eczema" in replies.product_letter(Disposition.SELF_CARE, "en", "AD")
    ) and "アトピー" in replies.product_letter(Disposition.SELF_CARE, "ja", "AD")


def test_without_a_choice_no_text_is_inserted(danas, claimed):
    reply = danas.post(at("answer", claimed), {"text": "Dear Alice,", "insert": "en"})
    assert "Please choose the action for the patient first." in reply.content.decode()
    assert "This field is required." not in reply.content.decode()


@pytest.mark.parametrize("disposition", Disposition.values)
@pytest.mark.parametrize("language", ["ja", "en"])
def test_there_is_a_text_for_each_disposition(disposition, language):
    text, plan = (make(Disposition(disposition), language) for make in (replies.product_letter, replies.plan))
    assert len(text) > 20 and len(plan["today"]) >= 2
    assert all(len(line) > 5 for line in plan["today"] + plan["this_week"])


def test_the_preview_shows_name_and_licence_and_signs_nothing(danas, claimed):
    page = danas.post(at("answer", claimed), ANSWER | {"preview": "1"}).content.decode()
    assert "What the patient will see" in page and "licence number 123456" in page
    claimed.refresh_from_db()
    assert claimed.status == Status.IN_REVIEW


def test_dana_corrects_a_signed_answer_and_says_why(danas, dana, claimed):
    reviews.sign(claimed, by=dana, **ANSWER)
    assert "Correct the answer" in page_of(danas, claimed)
    changed = ANSWER | {"text": "It is more likely impetigo.", "impression": "IM", "disposition": "days_2"}
    assert danas.post(at("answer", claimed), changed).status_code == 422
    assert (
        danas.post(at("answer", claimed), changed | {"reason": "Read again with a colleague."}).status_code
        == 302
    )
    first, second = claimed.reviews.order_by("signed_at")
    assert (second.amends, second.text) == (first, "It is more likely impetigo.")
    page = page_of(danas, claimed)
    assert "corrected later" in page and "Read again with a colleague." in page


def test_a_second_signature_is_refused(danas, dana, claimed):
    assert danas.post(at("answer", claimed), ANSWER).status_code == 302
    again = danas.post(at("answer", claimed), ANSWER)
    assert again.status_code == 422  # it is now a correction, which needs a reason
    assert claimed.reviews.count() == 1


def test_a_text_with_markup_is_shown_as_text(danas, dana, claimed):
    reviews.sign(claimed, by=dana, **ANSWER | {"text": "<script>alert(1)</script>"})
    page = page_of(danas, claimed)
    assert "<script>alert" not in page and "&lt;script&gt;" in page


def test_the_number_of_queries_does_not_grow_with_the_photos(
    danas, alice, bob, submission_of, analyse, django_assert_max_num_queries, monkeypatch
):
    monkeypatch.setattr(
        sessions, "SEEN_EACH_SECONDS", 3600
    )  # the first request stores the activity in the session

    def queries(submission) -> int:
        with django_assert_max_num_queries(12) as seen:
            page_of(danas, submission)
        return len(seen)

    one, six = submission_of(alice), submission_of(bob, photos=6)
    for submission in (one, six):
        for photo in submission.photos.all():
            analyse(photo)
    page_of(danas, one)
    assert queries(six) == queries(one)


def test_answers_and_earlier_submissions_cost_no_query_each(
    danas, dana, alice, submission_of, analyse, django_assert_max_num_queries, monkeypatch
):
    monkeypatch.setattr(sessions, "SEEN_EACH_SECONDS", 3600)
    made = [submission_of(alice) for _ in range(4)]
    Submission.objects.update(case=made[0].case)
    for submission in made:
        analyse(submission.photos.get(), demonstration=False)
        reviews.claim(submission, by=dana)
        reviews.sign(submission, by=dana, **ANSWER)
        reviews.amend(submission, by=dana, **ANSWER | {"reason": "A word was missing."})
    page_of(danas, made[0])
    with django_assert_max_num_queries(12):
        page = page_of(danas, made[0])
    assert page.count("corrected later") == 1 and "Other submissions of this case" in page


def test_a_corrected_red_flag_is_shown_with_what_it_was_and_when(danas, alice, alices_draft):
    for value in ("yes", "no"):
        alices_draft = record_answer(alices_draft, question="fever", value=value)
    submission = intake.submit(alices_draft, by=alice)
    page = page_of(danas, submission)
    shown = page[page.index('id="answers-title"') : page.index("<details>", page.index('id="answers-title"'))]
    until = datetime.fromisoformat(submission.answer_changes[0]["until"])
    assert f"was “Yes” until {date_format(timezone.localtime(until), 'DATETIME_FORMAT')}" in shown
    assert "answers corrected from the same day" in page
