"""What dana types is on the server: erik, who holds the case next, reads it, and nobody overwrites it."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from teleder.cases import answer_drafts, reviews
from teleder.cases.models import AnswerDraft

pytestmark = pytest.mark.django_db
ANSWER = {"impression": "AD", "disposition": "self_care", "text": "Continue your usual care."}
TYPED = {"text": "Half an answer", "disposition": "days_2", "reason": "", "amends": "nothing"}


@pytest.fixture
def erik(person):
    return person("erik", "dermatologist")


@pytest.fixture
def claimed(dana, alices_submission):
    reviews.claim(alices_submission, by=dana)
    return alices_submission


def client_of(person) -> Client:
    client = Client()
    client.force_login(person)
    return client


def at(name: str, submission) -> str:
    return reverse(f"web:{name}", args=[submission.pk])


def page_of(person, submission) -> str:
    return client_of(person).get(at("review", submission)).content.decode()


def test_on_another_device_dana_finds_her_text(claimed, dana):
    reply = client_of(dana).post(at("keep_draft", claimed), TYPED)
    assert reply.status_code == 200 and "Unsigned text saved" in reply.content.decode()
    page = page_of(dana, claimed)
    assert "Half an answer" in page
    assert 'value="days_2" checked' in page


def test_what_dana_types_after_she_lost_the_claim_is_kept_and_erik_reads_it(claimed, dana, erik, adam):
    danas = client_of(dana)
    danas.post(at("keep_draft", claimed), TYPED)
    reviews.reassign(claimed, to=erik, by=adam)
    lost = danas.post(at("keep_draft", claimed), TYPED | {"text": "Half an answer, and more"})
    assert lost.status_code == 409
    assert "Erik has claimed it" in lost.content.decode() and "on the server" in lost.content.decode()
    page = page_of(erik, claimed)
    assert "Unsigned text of Dana" in page and "Half an answer, and more" in page
    draft = AnswerDraft.objects.get()
    inserted = (
        client_of(erik)
        .post(at("answer", claimed), {"text": "Dear Alice,", "amends": "nothing", "use_draft": str(draft.pk)})
        .content.decode()
    )
    assert inserted.index("Dear Alice,") < inserted.rindex("Half an answer, and more")


def test_erik_and_dana_do_not_overwrite_each_other(claimed, dana, erik, adam):
    reviews.reassign(claimed, to=erik, by=adam)
    client_of(erik).post(at("keep_draft", claimed), TYPED | {"text": "Of Erik"})
    client_of(dana).post(at("keep_draft", claimed), TYPED | {"text": "Of Dana"})
    assert {row.typed["text"] for row in AnswerDraft.objects.all()} == {"Of Erik", "Of Dana"}
    assert "Of Erik</textarea>" in page_of(erik, claimed)


def test_a_signature_that_is_refused_since_the_claim_is_lost_keeps_the_text(claimed, dana, erik, adam):
    reviews.reassign(claimed, to=erik, by=adam)
    reply = client_of(dana).post(at("answer", claimed), ANSWER | {"text": "Something I wrote."})
    assert reply.status_code == 409 and "Something I wrote." in reply.content.decode()
    assert "Something I wrote." in page_of(erik, claimed)


def test_the_signature_ends_the_draft_and_a_late_save_does_not_bring_it_back(claimed, dana):
    answer_drafts.keep(claimed, by=dana, typed=TYPED)
    reviews.sign(claimed, by=dana, **ANSWER)
    assert not AnswerDraft.objects.exists()
    assert answer_drafts.keep(claimed, by=dana, typed=TYPED) is None
    assert not AnswerDraft.objects.exists()


def test_an_emptied_form_is_no_draft(claimed, dana):
    answer_drafts.keep(claimed, by=dana, typed=TYPED)
    answer_drafts.keep(claimed, by=dana, typed=TYPED | {"text": " "})
    assert not AnswerDraft.objects.exists()


def test_a_draft_far_too_long_is_refused_and_the_earlier_one_stays(claimed, dana):
    answer_drafts.keep(claimed, by=dana, typed=TYPED)
    reply = client_of(dana).post(at("keep_draft", claimed), TYPED | {"text": "x" * 20_001})
    assert reply.status_code == 422
    assert AnswerDraft.objects.get().typed["text"] == "Half an answer"


def test_misleading_characters_do_not_reach_a_draft(claimed, dana):
    draft = answer_drafts.keep(claimed, by=dana, typed=TYPED | {"text": "a\u202eb\x00", "other": "x"})
    assert draft.typed["text"] == "ab" and "other" not in draft.typed


def test_another_clinic_reads_and_writes_no_draft(claimed, dana, nora):
    answer_drafts.keep(claimed, by=dana, typed=TYPED)
    assert client_of(nora).post(at("keep_draft", claimed), TYPED).status_code == 404
    assert AnswerDraft.objects.count() == 1


def test_the_text_of_a_correction_that_a_colleague_overtook_is_still_shown(claimed, dana, erik):
    reviews.sign(claimed, by=dana, **ANSWER)
    answer = claimed.answer()
    answer_drafts.keep(claimed, by=dana, typed=TYPED | {"amends": str(answer.pk), "text": "My correction"})
    assert "My correction</textarea>" in page_of(dana, claimed)
    reviews.amend(claimed, by=erik, **ANSWER | {"text": "By Erik.", "reason": "Seen."})
    page = page_of(dana, claimed)
    assert "By Erik.</textarea>" in page and "My correction" in page


# --- Two corrections --------------------------------------------------------------------------------------
def test_the_second_of_two_corrections_sees_the_first_and_decides(claimed, dana, erik):
    reviews.sign(claimed, by=dana, **ANSWER)
    first = claimed.answer()
    reviews.amend(claimed, by=erik, **ANSWER | {"text": "By Erik.", "reason": "Seen."}, amends=first.pk)
    mine = ANSWER | {"text": "By Dana.", "reason": "Read again.", "amends": str(first.pk)}
    danas = client_of(dana)
    reply = danas.post(at("answer", claimed), mine)
    page = reply.content.decode().partition('id="answer"')[2]
    assert reply.status_code == 409
    assert (
        page.index("Erik has signed another answer meanwhile")
        < page.index("By Erik.")
        < page.index("By Dana.")
    )
    assert claimed.reviews.count() == 2
    newer = claimed.answer()
    # She begins again from his text, with hers beside it …
    again = danas.post(at("answer", claimed), mine | {"amends": str(newer.pk), "start_again": "1"})
    page = again.content.decode()
    assert "By Erik.</textarea>" in page and "By Dana.</textarea>" in page
    # … or replaces his.
    assert danas.post(at("answer", claimed), mine | {"amends": str(newer.pk)}).status_code == 302
    assert claimed.answer().text == "By Dana."
