"""A lead writes a reply template, a named dermatologist approves it, and an answer keeps which version it began as."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse
from rest_framework.test import APIClient

from teleder.cases import replies, reviews
from teleder.cases.models import Disposition, ReplyTemplate, Review, Snippet

pytestmark = pytest.mark.django_db
KIND = {"disposition": "self_care", "impression": "AD"}
WORDS = {"ja": "湿疹が悪くなっています。", "en": "Your eczema is worse."}
ANSWER = {"impression": "AD", "disposition": "self_care"}


@pytest.fixture
def lead(person):
    found = person("mori", "dermatologist")
    found.dermatologist.is_lead = True
    found.dermatologist.save()
    return found


@pytest.fixture
def claimed(dana, alices_submission):
    reviews.claim(alices_submission, by=dana)
    return alices_submission


def client_of(person) -> Client:
    client = Client()
    client.force_login(person)
    return client


def save(person, **words):
    return client_of(person).post(reverse("web:reply_template"), KIND | WORDS | words | {"verb": "save"})


def approve(person, row):
    data = KIND | {"verb": "approve", "version": row.pk}
    return client_of(person).post(reverse("web:reply_template"), data)


def offered(clinic, language="en"):
    return replies.offered(clinic, Disposition.SELF_CARE, language, "AD")


def test_a_lead_and_an_admin_write_versions_and_old_ones_stay(lead, adam):
    assert save(lead).status_code == 302 and save(adam, en="Better words.").status_code == 302
    assert list(ReplyTemplate.objects.values_list("number", "en")) == [(2, "Better words."), (1, WORDS["en"])]
    save(lead, en="Better words.")
    assert ReplyTemplate.objects.count() == 2  # the same words are no new version


def test_another_dermatologist_writes_none(dana):
    assert save(dana).status_code == 403 and not ReplyTemplate.objects.exists()


def test_until_a_clinician_approves_it_the_products_draft_is_offered(lead, dana):
    save(lead)
    assert offered(dana.clinic).approved_by == "" and "flare of your eczema" in offered(dana.clinic).text
    assert approve(dana, ReplyTemplate.objects.get()).status_code == 302
    found = offered(dana.clinic)
    assert (found.text, found.approved_by) == (WORDS["en"], "Dana")
    assert offered(dana.clinic, "ja").text == WORDS["ja"]
    page = client_of(dana).get(reverse("web:reply_templates")).content.decode()
    assert "version 1, approved by Dana" in page
    save(lead, en="Newer.")
    assert offered(dana.clinic).text == WORDS["en"]
    assert (
        "version 2 waits for approval" in client_of(lead).get(reverse("web:reply_templates")).content.decode()
    )


def test_an_admin_does_not_approve(adam, lead):
    save(lead)
    assert approve(adam, ReplyTemplate.objects.get()).status_code == 403


def test_whose_licence_has_expired_does_not_approve(lead, dana, monkeypatch):
    from django.core.exceptions import ValidationError

    from teleder.accounts import licences

    save(lead)

    def refuse(*_args, **_more):
        raise ValidationError({"version": "Your licence has expired."})

    monkeypatch.setattr(licences, "require_in_force", refuse)
    approve(dana, ReplyTemplate.objects.get())
    assert ReplyTemplate.objects.get().approved_by is None


def test_another_clinics_templates_are_its_own(lead, nora, noel):
    save(lead)
    row = ReplyTemplate.objects.get()
    assert approve(nora, row).status_code == 404
    assert WORDS["en"] not in client_of(noel).get(reverse("web:reply_template"), KIND).content.decode()
    replies.approve(row, by=lead)
    assert offered(nora.clinic).text != WORDS["en"]


def test_both_languages_are_needed(lead):
    answer = save(lead, ja=" ")
    assert answer.status_code == 422 and WORDS["en"] in answer.content.decode()


def test_the_answer_keeps_the_version_and_that_it_was_edited(claimed, lead, dana):
    save(lead)
    replies.approve(ReplyTemplate.objects.get(), by=lead)
    danas, at = client_of(dana), reverse("web:answer", args=[claimed.pk])
    page = danas.post(at, ANSWER | {"insert": "en"}).content.decode()
    assert WORDS["en"] in page and "approved by Mori" in page
    key = "self_care/AD/en/clinic-1"
    assert f'name="template" value="{key}"' in page
    danas.post(at, ANSWER | {"template": key, "text": WORDS["en"] + " Come back."})
    review = Review.objects.get()
    assert (review.template, review.template_edited) == (key, True)


def test_an_answer_as_the_template_stands_is_not_edited(claimed, dana):
    text = replies.product_letter(Disposition.SELF_CARE, "en", "AD")
    key = offered(dana.clinic).key
    review = reviews.sign(claimed, by=dana, **ANSWER, text=f"{text}\n", template=key)
    assert (review.template, review.template_edited) == (key, False)


@pytest.mark.parametrize(
    "key", ["nonsense", "self_care/AD/en/clinic-99", "self_care/XX/en/clinic-1", "a/b/c/d"]
)
def test_a_made_up_template_is_none(claimed, dana, key):
    review = reviews.sign(claimed, by=dana, **ANSWER, text="Own words.", template=key)
    assert (review.template, review.template_edited) == ("", False)


def test_the_api_offers_it_and_keeps_it(claimed, dana):
    api = APIClient()
    api.force_authenticate(dana)
    found = api.get("/api/v1/reply-template", KIND | {"language": "en"}).json()
    assert found["approved_by"] == "" and "eczema" in found["text"]
    typed = ANSWER | {"text": found["text"], "template": found["key"]}
    signed = api.post(f"/api/v1/submissions/{claimed.pk}/reviews", typed, format="json").json()
    assert (signed["template"], signed["template_edited"]) == (found["key"], False)


# --- Texts of one's own -----------------------------------------------------------------------------------
def test_dana_adds_edits_inserts_and_deletes_a_text_of_her_own(claimed, dana, lead):
    danas, at = client_of(dana), reverse("web:own_texts")
    assert danas.post(at, {"title": "", "text": "x"}).status_code == 422
    assert danas.post(at, {"title": "Sun", "text": "Keep out of the sun."}).status_code == 302
    row = Snippet.objects.get(owner=dana)
    danas.post(at, {"edit": row.pk, "title": "Sun", "text": "Please keep out of the sun."})
    assert Snippet.objects.get().text == "Please keep out of the sun."
    answer = reverse("web:answer", args=[claimed.pk])
    typed = ANSWER | {"text": "Hello.", "diagnosis": "atopic"}
    chosen = danas.post(answer, typed | {"own_texts": "1"}).content.decode()
    assert "Sun" in chosen and "Hello." in chosen
    page = danas.post(answer, typed | {"own_text": row.pk}).content.decode()
    assert "Hello.\n\nPlease keep out of the sun." in page
    assert client_of(lead).post(at, {"verb": "delete", "edit": row.pk}).status_code == 404
    danas.post(at, {"verb": "delete", "edit": row.pk})
    assert not Snippet.objects.exists()


def test_who_has_no_text_yet_is_led_to_the_page_of_them(claimed, dana):
    answer = reverse("web:answer", args=[claimed.pk])
    page = client_of(dana).post(answer, ANSWER | {"own_texts": "1"}).content.decode()
    panel = page.partition('class="field own-texts"')[2].partition("</div>")[0]
    assert "You have no texts of your own yet." in panel and reverse("web:own_texts") in panel


def test_a_colleagues_text_is_not_hers(claimed, dana, lead):
    row = lead.snippets.create(title="Mine", text="Mine alone.")
    answer = client_of(dana).post(reverse("web:answer", args=[claimed.pk]), ANSWER | {"own_text": row.pk})
    assert answer.status_code == 404
    assert (
        "Mine alone." not in client_of(dana).get(reverse("web:own_texts"), {"edit": row.pk}).content.decode()
    )
