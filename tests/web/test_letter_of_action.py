"""A letter fits its action: what stands as it was inserted follows the action, and an edited text of a calmer one is not signed."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse
from rest_framework.test import APIClient

from teleder.cases import held, replies, reviews
from teleder.cases.models import AnswerDraft, Event, HeldAnswer, Review

pytestmark = pytest.mark.django_db


@pytest.fixture
def mine(dana, alices_submission):
    reviews.claim(alices_submission, by=dana)
    return alices_submission


@pytest.fixture
def urgent(dana, alice, submission_of):
    found = submission_of(alice, fever="yes")
    reviews.claim(found, by=dana)
    return found


@pytest.fixture
def danas(dana):
    client = Client()
    client.force_login(dana)
    return client


def at(name, submission):
    return reverse(f"web:{name}", args=[submission.pk])


def letter(disposition="self_care", impression="unclear", language="en", **more):
    """What the form sends of an untouched template."""
    plan = replies.plan(disposition, language, impression)
    return {
        "impression": impression,
        "disposition": disposition,
        "text": replies.product_letter(disposition, language, impression),
        "template": f"{disposition}/{impression}/{language}/{replies.texts()['version']}",
        "plan_template": replies.plan_key(disposition, language, impression),
        **{name: "\n".join(lines) for name, lines in plan.items()},
        **more,
    }


def form_of(response):
    return response.context["form"]


def fields(form):
    names = ("text", "template", "today", "this_week", "plan_template")
    return {name: form[name].value() for name in names}


def as_inserted(**of):
    return {name: letter(**of)[name] for name in ("text", "template", "today", "this_week", "plan_template")}


def test_an_unedited_letter_follows_the_action_after_an_undo_and_a_reload(danas, dana, mine, settings):
    settings.HOLD_SECONDS = 60
    assert danas.post(at("answer", mine), letter()).status_code == 302
    held.undo(mine, by=dana)
    kept = fields(form_of(danas.get(at("review", mine))))  # as a newly opened page has it
    assert {name: text.split() for name, text in kept.items()} == {
        name: text.split() for name, text in as_inserted().items()
    }
    raised = {**kept, "impression": "unclear", "disposition": "emergency", "insert": "en"}
    assert fields(form_of(danas.post(at("answer", mine), raised))) == as_inserted(disposition="emergency")


def test_an_edited_text_stays_its_unedited_plan_follows_and_the_page_says_so(danas, mine):
    typed = letter(text="My own words.", disposition="emergency", template=letter()["template"])
    typed |= {name: letter()[name] for name in ("today", "this_week", "plan_template")}
    reply = danas.post(at("answer", mine), typed | {"insert": "en"})
    form = form_of(reply)
    assert form["text"].value() == "My own words." and form["template"].value() == letter()["template"]
    assert form["today"].value() == letter("emergency")["today"]
    page = reply.content.decode()
    assert "Text or plan is for: go on with the usual care at home" in page
    assert 'name="insert_over"' in page and 'name="keep_text"' in page
    over = form_of(danas.post(at("answer", mine), typed | {"insert_over": "en"}))
    assert fields(over) == as_inserted(disposition="emergency") and over.replaced_text == "My own words."
    # An edited plan is not lost either.
    over = form_of(danas.post(at("answer", mine), typed | {"today": "My line.", "insert_over": "en"}))
    assert "My own words." in over.replaced_text and "My line." in over.replaced_text


@pytest.mark.parametrize("part", ["template", "plan_template"])
def test_text_or_plan_of_a_calmer_action_is_not_signed_unless_it_is_kept(danas, mine, part):
    typed = letter("emergency", text="Edited.", today="Edited.") | {part: letter()[part]}
    refused = danas.post(at("answer", mine), typed)
    assert refused.status_code == 422 and "began as the template for" in refused.content.decode()
    # The tick is for one action: after another choice it must be given again.
    assert danas.post(at("answer", mine), typed | {"keep_text": "today"}).status_code == 422
    assert danas.post(at("answer", mine), typed | {"keep_text": "emergency"}).status_code == 302
    event = Event.objects.get(submission=mine, kind="signed")
    assert letter()[part] in event.detail["kept"]
    assert "kept a text that began" in danas.get(at("review", mine)).content.decode()


def test_a_text_of_a_more_urgent_action_is_only_named(danas, mine):
    typed = letter(text="Edited.", template=letter("today")["template"])
    assert "Text or plan is for" in danas.post(at("answer", mine), typed | {"insert": "en"}).content.decode()
    assert danas.post(at("answer", mine), typed).status_code == 302


def test_the_api_keeps_the_same_rule(dana, mine):
    api = APIClient()
    api.force_authenticate(dana)
    sent = {
        "impression": "unclear",
        "disposition": "emergency",
        "text": "Edited.",
        "template": letter()["template"],
    }
    address = f"/api/v1/submissions/{mine.pk}/reviews"
    refused = api.post(address, sent, format="json")
    assert refused.status_code in (400, 422) and not Review.objects.exists()
    assert api.post(address, sent | {"keep_text": True}, format="json").status_code == 201


# --- The language of the template ---------------------------------------------------------------------------
def test_the_language_is_a_choice_and_appends_nothing(danas, mine):
    japanese = form_of(danas.post(at("answer", mine), letter() | {"insert": "ja"}))
    assert fields(japanese) == as_inserted(language="ja")
    edited = letter(text="My own words.", today="My own line.")
    reply = danas.post(at("answer", mine), edited | {"insert": "ja"})
    assert fields(form_of(reply)) == {**as_inserted(), "text": "My own words.", "today": "My own line."}
    assert 'name="insert_over" value="ja"' in reply.content.decode()


def test_the_chosen_language_is_shown_after_a_reload(danas, mine):
    for language in ("ja", "en"):
        danas.post(at("keep_draft", mine), letter(text="Mine.", template_language=language, amends="nothing"))
        form = form_of(danas.get(at("review", mine)))
        assert form.language == language
        assert AnswerDraft.objects.get().typed["template_language"] == language
    page = danas.get(at("review", mine)).content.decode()
    assert 'data-insert aria-pressed="true"' in page.partition('id="insert-en"')[2].partition(">")[0]


# --- The reason -------------------------------------------------------------------------------------------
def test_a_reason_that_is_no_longer_needed_is_not_signed(danas, urgent):
    assert danas.post(at("answer", urgent), letter("today", reason="No blisters seen.")).status_code == 302
    assert Review.objects.get().reason == ""


@pytest.mark.parametrize(("reason", "status"), [("x", 422), ("....", 422), ("軽い湿疹", 302), ("Seen.", 302)])
def test_a_letter_is_no_reason_for_less_than_same_day(danas, urgent, reason, status):
    assert danas.post(at("answer", urgent), letter(reason=reason)).status_code == status


def test_who_told_of_blisters_is_not_answered_that_there_are_none(danas, dana, alice, submission_of):
    for answers, is_offered in (({"grouped_blisters": "yes"}, False), ({"fever": "yes"}, True)):
        found = submission_of(alice, **answers)
        reviews.claim(found, by=dana)
        page = danas.get(at("review", found)).content.decode()
        assert ('data-key="7"' in page) is is_offered


def test_the_refusal_says_once_that_a_reason_is_missing(danas, urgent):
    page = danas.post(at("answer", urgent), letter()).content.decode()
    link = page.partition('href="#field-reason">')[2].partition("<")[0]
    assert link == "Please say why this is less urgent than the triage."


# --- Corrections and the preview ----------------------------------------------------------------------------
@pytest.mark.parametrize("seconds", [0, 60])
def test_a_correction_claims_nothing(danas, dana, bob, mine, submission_of, settings, seconds):
    reviews.sign(mine, by=dana, impression="AD", disposition="self_care", text="Go on.")
    settings.HOLD_SECONDS = seconds
    other = submission_of(bob)
    correction = letter(reason="A mistake.", amends=str(mine.answer().pk))
    reply = danas.post(at("answer", mine), correction)
    assert reply.url == f"{at('review', mine)}?done={mine.pk}"
    other.refresh_from_db()
    assert other.claimed_by is None
    assert HeldAnswer.objects.exists() is bool(seconds)


@pytest.mark.parametrize(("language", "heading"), [("ja", "今日"), ("en", "Today")])
def test_the_preview_is_the_patients_letter_in_the_readers_language(danas, alice, mine, language, heading):
    type(alice).objects.filter(pk=alice.pk).update(language=language)
    reply = danas.post(at("answer", mine), letter("emergency") | {"preview": "1"})
    shown = reply.content.decode().partition('class="phone"')[2]
    assert f'<div lang="{language}">' in shown and f'<p class="when">{heading}</p>' in shown
    assert 'id="preview-warning-signs"' in shown and 'href="tel:' not in shown
