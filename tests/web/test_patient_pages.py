"""The patient's pages with valid and invalid input, and what they never show."""

from __future__ import annotations

import re
import uuid
from datetime import timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from django.conf import settings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import override

from teleder.accounts.models import PatientProfile, Purpose, User
from teleder.cases import reviews, triage
from teleder.cases.models import AIStatus, Photo, PhotoState, PhotosWanted, Status, Submission
from teleder.cases.remedies import remedy_for_wish
from teleder.notifications import outbox
from teleder.notifications.models import Preference
from teleder.web.templatetags.dates import days_left, promise
from tests.conftest import CALM, PASSWORD

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _english():
    with override("en"):
        yield


@pytest.fixture
def alices(client, alice):
    client.force_login(alice)
    return client


@pytest.fixture
def signed(alices_submission, dana):
    reviews.claim(alices_submission, by=dana)
    text = "Continue with your moisturiser."
    reviews.sign(alices_submission, by=dana, impression="AD", disposition="self_care", text=text)
    return alices_submission


def at(name: str, *args) -> str:
    return reverse(f"web:{name}", args=args)


def text_of(response) -> str:
    return response.content.decode()


# --- Access ---------------------------------------------------------------------------------------------
FLOW_PAGES = ("submission", "status", "answers", "about", "photos", "tiles", "send", "advice")


@pytest.mark.parametrize("name", FLOW_PAGES)
def test_bob_and_a_visitor_cannot_open_alices_pages(client, bob, alices_submission, name):
    assert client.get(at(name, alices_submission.pk)).url.startswith(reverse("account_login"))
    client.force_login(bob)
    assert client.get(at(name, alices_submission.pk)).status_code == 404


def test_bob_can_neither_read_nor_answer_alices_questions(client, bob, alices_draft):
    client.force_login(bob)
    assert client.get(at("question", alices_draft.pk, 1)).status_code == 404
    assert client.post(at("question", alices_draft.pk, 1), {"answer": "yes"}).status_code == 404
    alices_draft.refresh_from_db()
    assert alices_draft.answers == CALM


@pytest.mark.parametrize("name", ["add_photo", "send", "withdraw", "restore"])
def test_bob_cannot_change_alices_submission(client, bob, alices_submission, name):
    client.force_login(bob)
    assert client.post(at(name, alices_submission.pk)).status_code == 404


def test_bob_can_neither_see_remove_nor_send_alices_photo_nor_follow_up_her_case(
    client, bob, alices_submission
):
    photo = alices_submission.photos.get()
    client.force_login(bob)
    assert client.get(at("photo", photo.pk, "thumbnail")).status_code == 404
    for name in ("remove_photo", "send_photo_anyway"):
        assert client.post(at(name, photo.pk)).status_code == 404
    assert client.post(at("follow_up", alices_submission.case_id), {"answer": "no"}).status_code == 404


def test_dana_and_adam_cannot_use_patients_pages(client, dana, adam, alices_submission):
    for person, first in ((dana, "worklist"), (adam, "operations")):
        client.force_login(person)
        assert client.get(at("submission", alices_submission.pk)).status_code == 403
        assert client.get(at("home")).url == at(first)


def test_an_unknown_consultation_is_not_found(alices):
    assert alices.get(at("submission", uuid.uuid4())).status_code == 404


# --- Signing up -----------------------------------------------------------------------------------------
def test_carol_signs_up_completes_her_profile_and_consents(client, mailoutbox):
    form = {"name": "Carol", "email": "carol@example.com", "password1": PASSWORD, "password2": PASSWORD}
    form["role"] = "admin"
    assert client.post(reverse("account_signup"), form).status_code == 302
    carol = User.objects.get(email="carol@example.com")
    assert carol.is_patient
    assert "teleder" in mailoutbox[0].body and "from testserver" not in mailoutbox[0].body
    assert client.get(at("new")).url.startswith(reverse("account_login"))
    code = re.search(r"^\d{6}$", mailoutbox[0].body, re.M)[0]
    client.post(reverse("account_email_verification_sent"), {"code": code})
    assert client.get(at("home")).url == at("welcome")
    assert client.get(at("new")).url == at("welcome")
    reply = client.post(at("welcome"), {"birth_year": "1990", "ai": "on"})
    assert reply.status_code == 422
    assert not carol.consents.exists()
    assert client.post(at("welcome"), {"birth_year": "1990", "care": "on"}).url == at("home")
    assert [row.purpose for row in carol.consents.given()] == [Purpose.CARE]


def test_consent_to_training_needs_a_tick(alices, alice):
    page = alices.get(at("welcome")).content.decode()
    box = re.search(r'<input[^>]*name="training"[^>]*>', page)[0]
    assert "checked" not in box and "required" not in box
    alices.post(at("welcome"), {"birth_year": "1990", "care": "on", "training": "on"})
    assert alice.consents.given().filter(purpose=Purpose.TRAINING).exists()


@pytest.mark.parametrize("year", ["", "abc", "1789", "2999", "-1", "99999999999"])
def test_an_impossible_year_of_birth_is_refused(alices, alice, year):
    reply = alices.post(at("welcome"), {"birth_year": year, "care": "on"})
    assert reply.status_code == 422
    assert PatientProfile.objects.get(user=alice).birth_year == 1990


# --- The questions --------------------------------------------------------------------------------------
QUESTIONS = list(CALM)


def answer_all(client, address: str, **answers: str):
    """Answer question after question, each at the address to which the one before led; return the last response."""
    for id, value in (CALM | answers).items():
        reply = client.post(address, {"answer": value})
        assert reply.status_code == 303
        if reply.url.endswith("/advice/") and id != QUESTIONS[-1]:
            reply = client.get(reply.url)
            address = reply.context["next"]
        else:
            address = reply.url
    return reply


def test_each_choice_is_stored_and_leads_to_the_next_question(alices):
    reply = alices.post(at("new"), {"answer": "no"})
    draft = Submission.objects.get()
    assert (reply.status_code, reply.url) == (303, at("question", draft.pk, 2))
    alices.post(reply.url, {"answer": "unsure"})
    draft.refresh_from_db()
    assert draft.answers == {"very_ill": "no", "eye_symptoms": "unsure"}
    page = alices.get(at("question", draft.pk, 2))
    chosen = re.search(r'value="(\w+)" aria-current="true"', text_of(page))
    assert chosen[1] == "unsure" and "Your answer" in text_of(page)
    assert "no-store" in page["Cache-Control"]


def test_an_emergency_leads_at_once_to_its_own_page_and_on(alices):
    reply = alices.post(at("new"), {"answer": "yes"})
    draft = Submission.objects.get()
    assert (reply.status_code, reply.url) == (303, at("advice", draft.pk))
    page = text_of(alices.get(reply.url))
    assert 'role="alert"' in page and 'type="file"' not in page
    assert 'href="tel:119"' in page and 'href="tel:%237119"' in page
    assert f'href="{at("question", draft.pk, 1)}"' in page  # change my answer
    assert f'href="{at("question", draft.pk, 2)}"' in page  # I have called
    assert at("advice", draft.pk) in text_of(alices.get(at("question", draft.pk, 2)))
    assert alices.post(at("question", draft.pk, 2), {"answer": "no"}).url == at("question", draft.pk, 3)
    assert at("advice", draft.pk) in text_of(alices.get(at("about", draft.pk)))


def test_after_the_call_the_button_says_what_comes_next(alices):
    alices.post(at("new"), {"answer": "yes"})
    opened = Submission.objects.get()
    more = "I have called. Go on: a few more questions, then photos"
    assert more in text_of(alices.get(at("advice", opened.pk)))


def test_a_rash_without_eye_problems_is_not_asked_after_yes_to_eye_problems(alices):
    alices.post(at("new"), {"answer": "no"})
    draft = Submission.objects.get()
    alices.post(at("question", draft.pk, 2), {"answer": "yes"})
    assert alices.get(at("advice", draft.pk)).context["next"] == at("question", draft.pk, 4)
    assert f'href="{at("question", draft.pk, 2)}"' in text_of(alices.get(at("question", draft.pk, 4)))  # back
    for number in range(4, 13):
        reply = alices.post(at("question", draft.pk, number), {"answer": "no"})
    assert reply.url == at("about", draft.pk)
    draft.refresh_from_db()
    assert draft.unanswered() == [] and "near_eye" not in draft.answers
    assert draft.rule_urgency == triage.Urgency.EMERGENCY
    advice = text_of(alices.get(at("advice", draft.pk)))
    assert "I have called. Send photos too" in advice and "a few more questions" not in advice
    assert f"{at('question', draft.pk, 3)}?then" not in text_of(alices.get(at("answers", draft.pk)))
    # Corrected, the answer is missing and asked for before anything is sent.
    alices.post(at("question", draft.pk, 2) + "?then=answers", {"answer": "no"})
    draft.refresh_from_db()
    assert draft.unanswered() == [3] and draft.rule_urgency == triage.Urgency.DAYS_2
    assert alices.get(at("answers", draft.pk)).context["next"] == at("question", draft.pk, 3)


@pytest.mark.parametrize(("language", "title"), [("en", "See a doctor within"), ("ja", "1〜2日のうちに")])
def test_a_correction_from_today_says_at_once_that_a_doctor_should_look(
    alices, alice, alices_draft, language, title
):
    alice.language = language
    alice.save(update_fields=["language"])
    fever = at("question", alices_draft.pk, QUESTIONS.index("fever") + 1) + "?then=answers"
    alices.post(fever, {"answer": "yes"})
    before = alices.get(at("answers", alices_draft.pk))
    assert before.context["urgent"] and not before.context["softened"]
    reply = alices.post(fever, {"answer": "no"}, follow=True)
    assert not reply.context["urgent"]
    note = re.search(r'<section class="note note-care" role="status">.*?</section>', text_of(reply), re.S)
    assert title in note[0]


def test_see_a_doctor_today_is_said_after_the_last_question(alices):
    last = answer_all(alices, at("new"), grouped_blisters="yes", fever="yes")
    draft = Submission.objects.get()
    assert last.url == at("advice", draft.pk)
    page = text_of(alices.get(last.url))
    assert re.search(r'href="tel:[^"]*7119"', page) and "See a doctor today" in page
    steps = page[page.index("Until you are seen") :]
    assert "share towels</li>" in steps and steps.index("babies") < steps.index("If the eye is involved")
    assert f'href="{at("about", draft.pk)}"' in page and f'href="{at("answers", draft.pk)}"' in page
    assert alices.get(at("new")).status_code == 200 and Submission.objects.count() == 1


def test_the_advice_is_shown_in_the_other_language_after_the_switch(alices):
    page = text_of(alices.get(alices.post(at("new"), {"answer": "yes"}).url))
    target = re.search(r'name="next" value="([^"]+)"', page)[1]
    reply = alices.post(at("language"), {"language": "ja", "next": target}, follow=True)
    assert "119に電話" in text_of(reply)


def test_answers_without_red_flags_lead_to_the_next_page(alices):
    reply = answer_all(alices, at("new"))
    assert reply.url == at("about", Submission.objects.get().pk)
    assert alices.get(at("advice", Submission.objects.get().pk)).status_code == 302


def test_a_draft_with_a_gap_is_not_sent_and_leads_to_the_gap(alices, alices_draft):
    some = {key: value for key, value in CALM.items() if key not in ("fever", "crusts")}
    Submission.objects.filter(pk=alices_draft.pk).update(answers=some)
    gap = at("question", alices_draft.pk, QUESTIONS.index("fever") + 1)
    reply = alices.post(at("send", alices_draft.pk), follow=True)
    assert reply.redirect_chain == [(gap, 303)]
    assert "Please answer all the questions first." in text_of(reply)
    assert alices.get(alices_draft.get_absolute_url()).url == gap
    listed = text_of(alices.get(at("answers", alices_draft.pk)))
    assert listed.count("Answer now") == 2 and listed.count("Update") == len(CALM) - 2


@pytest.mark.parametrize("form", [{}, {"answer": "perhaps"}, {"answer": ""}])
def test_an_answer_that_does_not_exist_is_refused(alices, alices_draft, form):
    assert alices.post(at("new") + "?another=1", form).status_code == 422
    refused = alices.post(at("question", alices_draft.pk, 6), form)
    assert refused.status_code == 422 and 'role="alert"' in text_of(refused)
    alices_draft.refresh_from_db()
    assert alices_draft.answers == CALM and Submission.objects.count() == 1


def test_sending_the_first_answer_twice_opens_one_case(alices):
    for _ in range(2):
        alices.post(at("new"), {"answer": "no", "key": "once"})
    assert Submission.objects.count() == 1


def test_asking_again_leads_back_to_the_unsent_draft_and_offers_a_new_one(alices, alices_draft):
    page = text_of(alices.get(at("new")))
    assert alices_draft.get_absolute_url() in page and at("new") + "?another=1" in page
    form = text_of(alices.get(at("new") + "?another=1"))
    key = re.search(r'name="key" value="([^"]+)"', form)[1]
    for _ in range(2):
        alices.post(at("new") + "?another=1", {"answer": "no", "key": key})
    assert Submission.objects.count() == 2


def test_an_unsent_follow_up_is_continued(alices, signed):
    alices.post(at("follow_up", signed.case_id), {"answer": "no"})
    second = Submission.objects.exclude(pk=signed.pk).get()
    assert alices.get(at("follow_up", signed.case_id)).url == at("question", second.pk, 2)


def test_an_answer_is_changed_from_the_list_and_leads_back_to_it(alices, alices_draft):
    page = text_of(alices.get(at("answers", alices_draft.pk)))
    change = at("question", alices_draft.pk, 7) + "?then=answers"
    assert change in page
    assert alices.post(change, {"answer": "unsure"}).url == at("answers", alices_draft.pk)
    assert alices.post(change.replace("answers", "https://x.example"), {"answer": "no"}).url == at(
        "question", alices_draft.pk, 8
    )
    # An answer that means "today" says so first, wherever it was changed.
    fever = at("question", alices_draft.pk, 6) + "?then=answers"
    assert alices.post(fever, {"answer": "yes"}).url == at("advice", alices_draft.pk)


def test_back_from_all_answers_leads_to_where_alice_came_from(alices, alices_draft):
    def back(query: str = "") -> str:
        return re.search(
            r'<a class="icon" href="([^"]+)">', text_of(alices.get(at("answers", alices_draft.pk) + query))
        )[1]

    assert f"{at('answers', alices_draft.pk)}?from=4" in text_of(
        alices.get(at("question", alices_draft.pk, 4))
    )
    assert back("?from=4") == at("question", alices_draft.pk, 4)
    assert back() == back("?from=99") == back("?from=x") == at("question", alices_draft.pk, 12)
    del alices_draft.answers["fever"]
    alices_draft.save(update_fields=["answers"])
    assert back() == at("question", alices_draft.pk, 6)


def test_a_choice_that_comes_after_the_session_has_ended_is_said_to_be_unsaved(alices, alice, alices_draft):
    page = at("question", alices_draft.pk, 6)
    assert alices_draft.answers["fever"] == "no"
    alices.cookies["sessionid"] = "ended"
    answer = alices.post(page, {"answer": "yes"})
    log_in = text_of(alices.get(answer.url, headers={"Accept-Language": "en"}))
    assert "Your session has ended" in log_in
    back = parse_qs(urlsplit(answer.url).query)["next"][0]
    assert f'name="next" value="{back}"' in log_in
    alices.force_login(alice)
    shown = text_of(alices.get(back))
    assert "Your last answer was not saved" in shown and '<p class="saved" hidden>' in shown
    assert alices.post(back, {"answer": "yes"}).url == at("advice", alices_draft.pk)
    alices_draft.refresh_from_db()
    assert alices_draft.answers["fever"] == "yes"
    assert "was not saved" not in text_of(alices.get(page))


def test_a_corrected_answer_is_said_before_sending_and_after_without_care_of_sores(alices, alices_draft):
    for value in ("yes", "no"):
        alices.post(at("question", alices_draft.pk, 6), {"answer": value})
    shown = text_of(alices.get(at("send", alices_draft.pk)))
    assert "An answer to a safety question was changed." in shown and "within one or two days" in shown
    alices_draft.refresh_from_db()
    alices_draft.status, alices_draft.submitted_at = Status.SUBMITTED, timezone.now()
    alices_draft.due_at = alices_draft.submitted_at + timedelta(days=1)
    alices_draft.save()
    shown = text_of(alices.get(at("submission", alices_draft.pk)))
    assert "An answer to a safety question was changed." in shown and "cover sores" not in shown


def test_the_questions_of_a_sent_submission_lead_to_its_page(alices, alices_submission):
    own = alices_submission.get_absolute_url()
    assert alices.get(at("answers", alices_submission.pk)).url == own
    assert alices.get(at("question", alices_submission.pk, 1)).url == own
    assert alices.post(at("question", alices_submission.pk, 1), {"answer": "yes"}).url == own
    assert alices.get(at("question", alices_submission.pk, 13)).status_code == 302


def test_a_question_that_does_not_exist_is_not_found(alices, alices_draft):
    for number in (0, len(CALM) + 1):
        assert alices.get(at("question", alices_draft.pk, number)).status_code == 404


# --- Site, history, photos ------------------------------------------------------------------------------
@pytest.mark.parametrize("form", [{"places": "moon"}, {}, {"places": ""}, {"places": "neck.left"}])
def test_an_invalid_place_is_refused(alices, alices_draft, form):
    assert alices.post(at("about", alices_draft.pk), form).status_code == 422


@pytest.mark.parametrize(
    ("part", "bad"),
    [
        ("itch", {"itch": "11"}),
        ("symptoms", {"symptoms": ["x"]}),
        ("duration", {"duration": "ages"}),
        ("allergies", {"allergies": "x" * 2001}),
    ],
)
def test_an_invalid_history_is_refused_and_stays_on_the_page(alices, alices_draft, part, bad):
    refused = alices.post(at("history", alices_draft.pk, part), bad)
    assert refused.status_code == 422 and 'role="alert"' in text_of(refused)
    if part == "allergies":
        assert "x" * 2001 in text_of(refused)
    alices_draft.refresh_from_db()
    assert alices_draft.history == {"itch": 5}


def test_everything_but_the_site_is_optional(alices, alices_draft):
    address = at("about", alices_draft.pk)
    reply = alices.post(address, {"places": "hand.left"})
    for _ in range(7):
        assert reply.status_code == 303
        reply = alices.post(reply.url, {"skip": "1"})
    assert reply.url == at("photos", alices_draft.pk)


def test_each_page_of_the_history_is_stored_and_keeps_the_others(alices, alices_draft):
    own = alices_draft.pk
    given = [
        ("duration", {"duration": "years"}),
        ("symptoms", {"symptoms": ["itch", "pain"]}),
        ("itch", {"itch": "7"}),
        ("sleep", {"sleep": "0"}),
        ("different", {"different": "redder", "contacts": "my son"}),
        ("treatment", {"treatment": "cream", "medicines": ""}),
        ("allergies", {"allergies": "none"}),
    ]
    address = at("history", own, "duration")
    for part, form in given:
        assert address == at("history", own, part)
        address = alices.post(address, form).url
    alices_draft.refresh_from_db()
    assert alices_draft.history == {
        "duration": "years",
        "symptoms": ["itch", "pain"],
        "itch": 7,
        "sleep": 0,
        "different": "redder",
        "contacts": "my son",
        "treatment": "cream",
        "allergies": "none",
    }
    page = text_of(alices.get(at("send", own)))
    for words in (
        "more than a year",
        "itch, pain",
        "7 out of 10",
        "0 out of 10",
        "redder",
        "my son",
        "cream",
    ):
        assert words in page
    change = at("history", own, "allergies") + "?then=send"
    assert change in page and at("question", own, 12) + "?then=send" in page
    assert alices.post(change, {"allergies": ""}).url == at("send", own)
    alices_draft.refresh_from_db()
    assert "allergies" not in alices_draft.history


def test_what_a_script_stores_meanwhile_leads_nowhere(alices, alices_draft):
    headers = {"HX-Request": "true"}
    for name, form in ((["allergies"], {"allergies": "nuts"}), ([], {"places": "hand.right"})):
        page = at("history" if name else "about", alices_draft.pk, *name)
        assert alices.post(page, form, headers=headers).status_code == 204
    alices_draft.refresh_from_db()
    assert (alices_draft.history["allergies"], alices_draft.case.body_site) == ("nuts", "hand")


def test_a_draft_goes_on_where_alice_left_it(alices, alices_draft):
    alices.post(at("remove_photo", alices_draft.photos.get().pk))
    assert alices.get(alices_draft.get_absolute_url()).url == at("history", alices_draft.pk, "sleep")
    alices.post(at("history", alices_draft.pk, "allergies"), {"allergies": "none"})
    assert alices.get(alices_draft.get_absolute_url()).url == at("photos", alices_draft.pk)


def test_place_and_history_of_a_sent_submission_lead_to_its_page(alices, alices_submission):
    own = alices_submission.get_absolute_url()
    for page in (at("about", alices_submission.pk), at("history", alices_submission.pk, "itch")):
        assert alices.get(page).url == own
        assert alices.post(page, {"itch": "1", "places": "hand.left"}).url == own
    assert alices.get(at("history", alices_submission.pk, "moon")).status_code == 404


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "choose a photo"),
        (b"", "empty"),
        (b"<html>no</html>" * 9, "not a photo"),
        (b"\xff\xd8\xff" + bytes(26 * 1024**2), "25 MB"),
    ],
)
def test_a_file_that_is_not_a_photo_is_refused_with_a_remedy(alices, alices_draft, content, words):
    data = {"view": "close_up"}
    if content is not None:
        data["photo"] = SimpleUploadedFile("skin.jpg", content)
    reply = alices.post(at("add_photo", alices_draft.pk), data, headers={"X-Photo-Script": "1"})
    assert reply.status_code == 422
    assert words in text_of(reply)
    assert alices_draft.photos.count() == 1


def test_without_a_script_alice_returns_to_the_page_with_a_message(alices, alices_draft):
    file = SimpleUploadedFile("skin.jpg", b"<html>no</html>" * 9)
    reply = alices.post(at("add_photo", alices_draft.pk), {"view": "close_up", "photo": file}, follow=True)
    assert "not a photo" in text_of(reply)


def test_a_photo_for_an_unknown_slot_is_refused(alices, alices_draft, photo_file):
    data = {"view": "selfie", "photo": photo_file()}
    assert (
        alices.post(at("add_photo", alices_draft.pk), data, headers={"X-Photo-Script": "1"}).status_code
        == 422
    )


def test_a_blurred_photo_is_marked_and_can_be_sent_anyway(alices, alices_draft, analyse):
    photo = alices_draft.photos.get()
    analyse(photo, fault="blurred", reason="poor_quality")
    assert "The photo is blurred" in text_of(alices.get(at("photos", alices_draft.pk)))
    assert alices.post(at("send", alices_draft.pk)).url == at("photos", alices_draft.pk)
    alices.post(at("send_photo_anyway", photo.pk))
    assert alices.post(at("send", alices_draft.pk)).url == at("submission", alices_draft.pk)


def test_a_removed_photo_is_gone_and_nothing_can_be_sent_without_one(alices, alices_draft):
    alices.post(at("remove_photo", alices_draft.photos.get().pk))
    assert not alices_draft.current_photos().exists()
    reply = alices.post(at("send", alices_draft.pk), follow=True)
    assert "at least one photo" in text_of(reply)
    alices_draft.refresh_from_db()
    assert alices_draft.status == Status.DRAFT


def test_polled_tiles_are_answered_with_304_until_something_changes(alices, alices_draft):
    address = at("tiles", alices_draft.pk)
    first = alices.get(address)
    headers = {"If-None-Match": first["ETag"]}
    assert alices.get(address, headers=headers).status_code == 304
    Photo.objects.update(state=PhotoState.UNUSABLE, reason="corrupt_image")
    assert alices.get(address, headers=headers).status_code == 200


# --- After sending --------------------------------------------------------------------------------------
def test_each_safety_question_has_a_drawing_with_words(alices, alices_draft):
    for number in range(1, 13):
        page = text_of(alices.get(at("question", alices_draft.pk, number)))
        assert re.search(
            r'<figure class="hintart"><svg .*?</svg>\s*<figcaption>.* \(drawing\)</figcaption>', page
        )


def test_the_eye_is_red_in_one_drawing_and_clear_in_the_other_and_both_show_a_rash(alices, alices_draft):
    eye, lid = (text_of(alices.get(at("question", alices_draft.pk, number))) for number in (2, 3))
    assert "A red eye with a rash beside it (drawing)" in eye
    assert "A rash on the eyelid. The eye is not red (drawing)" in lid
    figures = [re.search(r"<figure.*?</figure>", page, re.S)[0] for page in (eye, lid)]
    assert all(figure.count('class="il-rash"') > 5 for figure in figures)


def test_the_review_says_for_whom_by_when_and_at_what_cost(alices, alice, alices_draft):
    page = text_of(alices.get(at("send", alices_draft.pk)))
    first = page.index("Who it is for")
    assert first < page.index(f"Me ({alice.name})") < page.index("<dt>Where</dt>")
    due = triage.policy().due(triage.Urgency.ROUTINE, timezone.now())
    assert f"answers by <b>{promise(due)}</b>" in page and f"({days_left(due)})" in page
    assert "Ask the clinic what it costs" in page and "Before you start" not in page


def test_the_review_shows_a_photo_that_is_being_checked_as_a_card(alices, alices_draft):
    alices_draft.photos.update(state=PhotoState.STORED)
    page = text_of(alices.get(at("send", alices_draft.pk)))
    strip = page.partition('<div class="strip3">')[2].partition("</section>")[0]
    assert strip.count('<figure><div class="blank">') == strip.count("Being checked …") == 1


def test_the_status_names_the_case_beside_a_photo_until_the_answer_is_there(alices, alices_submission, dana):
    Photo.objects.update(thumbnail_key="t.webp")
    picture = at("photo", alices_submission.photos.get().pk, "thumbnail")
    for name in ("submission", "status"):
        page = text_of(alices.get(at(name, alices_submission.pk)))
        card = page[page.index('class="thumb"') :].partition("</section>")[0]
        assert picture in card and alices_submission.case.number in card
    reviews.claim(alices_submission, by=dana)
    reviews.sign(alices_submission, by=dana, impression="AD", disposition="self_care", text="Go on.")
    assert 'class="thumb"' not in text_of(alices.get(at("status", alices_submission.pk)))


def test_alice_sees_number_due_time_and_steps(alices, alices_submission):
    page = text_of(alices.get(at("submission", alices_submission.pk)))
    assert alices_submission.case.number in page
    assert "Answer by" in page
    for step in ("Received", "Photos checked", "With a doctor", "Answer"):
        assert step in page


@pytest.mark.parametrize("ai_status", [AIStatus.WAITING, AIStatus.DONE, AIStatus.UNAVAILABLE])
def test_no_step_speaks_of_the_ai(alices, alices_submission, ai_status):
    Submission.objects.update(ai_status=ai_status)
    page = text_of(alices.get(at("submission", alices_submission.pk)))
    steps = page[page.index('class="vsteps"') :].partition("</ol>")[0]
    assert "With a doctor" in steps and "AI" not in steps


def test_ai_findings_never_reach_alice_before_or_after_the_answer(alices, alices_submission, analyse, dana):
    photo = alices_submission.photos.get()
    analyse(photo, probabilities={"AD": 0.05, "HI": 0.8765, "IM": 0.05, "MF": 0.01, "OTHER": 0.0135})
    reviews.claim(alices_submission, by=dana)
    before = text_of(alices.get(at("submission", alices_submission.pk)))
    reviews.sign(alices_submission, by=dana, impression="HI", disposition="today", text="Please come today.")
    after = text_of(alices.get(at("submission", alices_submission.pk)))
    for page in (before, after):
        assert not re.search(r"herpes|0?\.8765|87 ?%|mask|likely|attribution|heat", page, re.IGNORECASE)


def test_masks_and_heat_maps_are_opened_by_dana_and_never_by_alice(
    alices, client, alices_submission, analyse, dana, ai_is_open
):
    photo = alices_submission.photos.get()
    analyse(photo)
    photo.refresh_from_db()
    for kind in ("mask", "attribution"):
        file = Path(settings.MEDIA_ROOT) / getattr(photo.analysis, f"{kind}_key")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"picture")
        assert alices.get(at("photo", photo.pk, kind)).status_code == 404
    client.force_login(dana)
    for kind in ("mask", "attribution"):
        assert client.get(at("photo", photo.pk, kind)).status_code == 200


def test_alice_reads_who_signed_and_what_to_do(alices, signed, dana):
    page = text_of(alices.get(at("submission", signed.pk)))
    for words in ("Continue with your moisturiser.", dana.name, "MD", "123456", "What to do"):
        assert words in page
    assert page.index("Continue with your moisturiser.") < page.index("What you sent")
    assert "hx-trigger" not in text_of(alices.get(at("status", signed.pk)))


@pytest.mark.parametrize("reason", PhotosWanted.values)
def test_each_reason_for_a_photo_request_has_a_remedy(alices, alices_submission, dana, reason):
    reviews.claim(alices_submission, by=dana)
    reviews.request_photos(alices_submission, by=dana, reason=reason)
    assert remedy_for_wish(reason)
    page = text_of(alices.get(at("submission", alices_submission.pk)))
    assert remedy_for_wish(reason).split(".")[0].replace("'", "&#x27;") in page


def test_alice_withdraws_a_submission_and_restores_it(alices, alices_submission):
    reply = alices.post(at("withdraw", alices_submission.pk), follow=True)
    assert at("restore", alices_submission.pk) in text_of(reply)
    alices.post(at("restore", alices_submission.pk))
    alices_submission.refresh_from_db()
    assert alices_submission.status == Status.DRAFT


def test_an_answered_submission_cannot_be_withdrawn(alices, signed):
    alices.post(at("withdraw", signed.pk))
    signed.refresh_from_db()
    assert signed.status == Status.ANSWERED


def test_a_follow_up_belongs_to_its_case_and_shows_earlier_submissions(alices, signed, photo_file):
    answer_all(alices, at("follow_up", signed.case_id))
    second = Submission.objects.exclude(pk=signed.pk).get()
    assert (second.case_id, second.kind) == (signed.case_id, "follow_up")
    data = {"view": "close_up", "photo": photo_file()}
    alices.post(at("add_photo", second.pk), data)
    alices.post(at("missing_photo", second.pk), {"because": "reach"})
    alices.post(at("send", second.pk))
    assert signed.get_absolute_url() in text_of(alices.get(second.get_absolute_url()))


def test_a_follow_up_does_not_change_the_answered_submission(alices, signed):
    answer_all(alices, at("follow_up", signed.case_id))
    second = Submission.objects.exclude(pk=signed.pk).get()
    page = text_of(alices.get(at("about", second.pk)))
    assert page.count('name="places"') == 1 and 'value="elbow_crease"' in page
    refused = alices.post(at("about", second.pk), {"places": "face"})
    assert refused.status_code == 422 and "same place" in text_of(refused)
    assert alices.post(at("about", second.pk), {"places": "elbow_crease"}).status_code == 303
    signed.case.refresh_from_db()
    assert signed.case.body_site == "elbow_crease"


# --- Messages and settings ------------------------------------------------------------------------------
def test_a_message_is_new_once(alices, signed):
    outbox.queue_messages()
    assert ">new<" in text_of(alices.get(at("inbox")))
    assert ">new<" not in text_of(alices.get(at("inbox")))


def test_messages_of_doctors_are_one_row_a_case_above_the_notices(alices, signed, dana):
    again = {"impression": "AD", "disposition": "self_care", "text": "Twice a day.", "reason": "How often."}
    reviews.amend(signed, by=dana, **again)
    outbox.queue_messages()
    page = text_of(alices.get(at("inbox")))
    talks, notices = page[page.index("With your doctors") :].split(">Notices<")
    assert talks.count("<li>") == 1 and "Dr Dana" in talks and "Your answer was corrected" in talks
    assert "Inside of the elbow" in talks and "We have received your consultation" in notices
    assert "An answer has arrived" not in page


def test_alice_changes_her_settings(alices, alice):
    me = {"section": "me", "name": "Alice A.", "birth_year": "1985", "skin_type": "3"}
    for form in (me, {"section": "language", "language": "ja"}, {"section": "notices"}):
        assert alices.post(at("settings"), form).url == at("settings")
    alice.refresh_from_db()
    assert (alice.name, alice.language, alice.patient.birth_year, alice.patient.skin_type) == (
        "Alice A.",
        "ja",
        1985,
        3,
    )
    assert not Preference.objects.get(person=alice).email


def test_an_invalid_setting_is_refused(alices, alice):
    me = {"section": "me", "name": "A" * 101, "birth_year": "1985", "skin_type": "9"}
    for form in (me, {"section": "language", "language": "xx"}, {"name": "Alice A."}, {"section": "x"}):
        assert alices.post(at("settings"), form).status_code == 422
    alice.refresh_from_db()
    assert (alice.language, alice.name) == ("en", "Alice")


def test_a_section_of_the_settings_changes_nothing_of_another(alices, alice):
    everything = {"name": "Eve", "birth_year": "1985", "language": "ja", "time_zone": "Europe/Paris"}
    assert alices.post(at("settings"), everything | {"section": "notices", "email": "on"}).status_code == 302
    alice.refresh_from_db()
    assert (alice.name, alice.language, alice.time_zone) == ("Alice", "en", "")
    assert alice.patient.birth_year == 1990 and Preference.objects.get(person=alice).email


def test_a_withdrawn_consent_prevents_new_consultations(alices, alice):
    alices.post(at("consent"), {"purpose": "care", "verb": "withdraw"})
    assert alices.post(at("new"), {"answer": "no"}).url == at("welcome")
    assert not Submission.objects.exists()
    alices.post(at("consent"), {"purpose": "care", "verb": "give"})
    assert alice.consents.filter(purpose="care").count() == 2


def test_the_language_switch_redirects_only_to_our_own_pages(alices, alice):
    reply = alices.post(at("language"), {"language": "ja", "next": "https://elsewhere.example/"})
    assert reply.url == "/"
    alice.refresh_from_db()
    assert alice.language == "ja"
