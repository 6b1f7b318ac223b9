"""The patient's pages with valid and invalid input, and what they never show."""

from __future__ import annotations

import re
import uuid
from pathlib import Path

import pytest
from django.conf import settings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse
from django.utils.translation import override

from teleder.accounts.models import PatientProfile, Purpose, User
from teleder.cases import reviews
from teleder.cases.models import AIStatus, Photo, PhotoState, PhotosWanted, Status, Submission
from teleder.cases.remedies import remedy_for_wish
from teleder.notifications import outbox
from teleder.notifications.models import Preference
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
FLOW_PAGES = ("submission", "status", "about", "photos", "tiles", "send", "advice")


@pytest.mark.parametrize("name", FLOW_PAGES)
def test_bob_and_a_visitor_cannot_open_alices_pages(client, bob, alices_submission, name):
    assert client.get(at(name, alices_submission.pk)).url.startswith(reverse("account_login"))
    client.force_login(bob)
    assert client.get(at(name, alices_submission.pk)).status_code == 404


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
    assert client.post(at("follow_up", alices_submission.case_id), CALM).status_code == 404


def test_dana_and_adam_cannot_use_patients_pages(client, dana, adam, alices_submission):
    for person, first in ((dana, "worklist"), (adam, "operations")):
        client.force_login(person)
        assert client.get(at("submission", alices_submission.pk)).status_code == 403
        assert client.get(at("home")).url == at(first)


def test_an_unknown_consultation_is_not_found(alices):
    assert alices.get(at("submission", uuid.uuid4())).status_code == 404


# --- Signing up -----------------------------------------------------------------------------------------
def test_carol_signs_up_completes_her_profile_and_consents(client, mailoutbox):
    form = {"email": "carol@example.com", "password1": PASSWORD, "password2": PASSWORD, "role": "admin"}
    assert client.post(reverse("account_signup"), form).status_code == 302
    carol = User.objects.get(email="carol@example.com")
    assert carol.is_patient
    assert "teleder" in mailoutbox[0].body and "from testserver" not in mailoutbox[0].body
    assert client.get(at("new")).url.startswith(reverse("account_login"))
    code = re.search(r"^\w{4}-\w{4}$", mailoutbox[0].body, re.M)[0]
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
@pytest.mark.parametrize(
    ("answers", "phone"),
    [({"very_ill": "yes"}, "119"), ({"grouped_blisters": "yes", "fever": "yes"}, "7119")],
)
def test_a_red_flag_is_answered_in_the_same_response_without_an_upload(alices, answers, phone):
    reply = alices.post(at("new"), CALM | answers)
    assert reply.status_code == 200
    page = text_of(reply)
    assert 'role="alert"' in page
    assert re.search(rf'href="tel:[^"]*{phone}"', page)
    assert 'type="file"' not in page
    started = Submission.objects.get()
    assert alices.get(at("advice", started.pk)).context["advice"] == reply.context["advice"]
    assert at("advice", started.pk) in text_of(alices.get(at("about", started.pk)))


def test_the_advice_is_shown_in_the_other_language_after_the_switch(alices):
    page = text_of(alices.post(at("new"), CALM | {"very_ill": "yes"}))
    target = re.search(r'name="next" value="([^"]+)"', page)[1]
    reply = alices.post(at("language"), {"language": "ja", "next": target}, follow=True)
    assert "119 に電話する" in text_of(reply)


def test_answers_without_red_flags_lead_to_the_next_page(alices):
    reply = alices.post(at("new"), CALM)
    assert reply.url == at("about", Submission.objects.get().pk)
    assert alices.get(at("advice", Submission.objects.get().pk)).status_code == 302


def test_an_unanswered_question_is_marked_and_the_other_answers_stay(alices):
    reply = alices.post(at("new"), {key: value for key, value in CALM.items() if key != "fever"})
    assert reply.status_code == 422
    assert text_of(reply).count(" checked") == len(CALM) - 1
    assert 'id="fever-error"' in text_of(reply)
    assert not Submission.objects.exists()


def test_an_answer_that_does_not_exist_is_refused(alices):
    assert alices.post(at("new"), CALM | {"fever": "perhaps"}).status_code == 422


def test_sending_the_questions_twice_opens_one_case(alices):
    for _ in range(2):
        alices.post(at("new"), CALM | {"key": "once"})
    assert Submission.objects.count() == 1


# --- Site, history, photos ------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "bad",
    [
        {"body_site": "moon"},
        {},
        {"body_site": "hand", "itch": "11"},
        {"body_site": "hand", "symptoms": ["x"]},
        {"body_site": "hand", "allergies": "x" * 2001},
    ],
)
def test_an_invalid_site_or_history_is_refused(alices, alices_draft, bad):
    assert alices.post(at("about", alices_draft.pk), bad).status_code == 422


def test_everything_but_the_site_is_optional(alices, alices_draft):
    reply = alices.post(at("about", alices_draft.pk), {"body_site": "hand"})
    assert reply.url == at("photos", alices_draft.pk)


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
def test_alice_sees_number_due_time_and_steps(alices, alices_submission):
    page = text_of(alices.get(at("submission", alices_submission.pk)))
    assert alices_submission.case.number in page
    assert "You will have an answer by" in page
    for step in ("Received", "Photos checked", "Dermatologist"):
        assert step in page


@pytest.mark.parametrize("ai_status", [AIStatus.WAITING, AIStatus.DONE, AIStatus.UNAVAILABLE])
def test_no_step_speaks_of_the_ai(alices, alices_submission, ai_status):
    Submission.objects.update(ai_status=ai_status)
    page = text_of(alices.get(at("submission", alices_submission.pk)))
    steps = page[page.index('class="steps"') :].partition("</ol>")[0]
    assert "Dermatologist" in steps and "AI" not in steps


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
    alices.post(at("follow_up", signed.case_id), CALM)
    second = Submission.objects.exclude(pk=signed.pk).get()
    assert (second.case_id, second.kind) == (signed.case_id, "follow_up")
    data = {"view": "close_up", "photo": photo_file()}
    alices.post(at("add_photo", second.pk), data)
    alices.post(at("send", second.pk))
    assert signed.get_absolute_url() in text_of(alices.get(second.get_absolute_url()))


def test_a_follow_up_does_not_change_the_answered_submission(alices, signed):
    alices.post(at("follow_up", signed.case_id), CALM)
    second = Submission.objects.exclude(pk=signed.pk).get()
    page = text_of(alices.get(at("about", second.pk)))
    assert page.count('name="body_site"') == 1 and 'value="elbow_crease"' in page
    refused = alices.post(at("about", second.pk), {"body_site": "face", "itch": "5"})
    assert refused.status_code == 422 and "same place" in text_of(refused)
    assert alices.post(at("about", second.pk), {"body_site": "elbow_crease"}).status_code == 302
    signed.case.refresh_from_db()
    assert signed.case.body_site == "elbow_crease"


# --- Messages and settings ------------------------------------------------------------------------------
def test_a_message_is_new_once(alices, signed):
    outbox.queue_messages()
    assert ">new<" in text_of(alices.get(at("inbox")))
    assert ">new<" not in text_of(alices.get(at("inbox")))


def test_alice_changes_her_settings(alices, alice):
    form = {"name": "Alice A.", "language": "ja", "birth_year": "1985", "skin_type": "3"}
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
    form = {"name": "A" * 101, "language": "xx", "birth_year": "1985", "skin_type": "9"}
    assert alices.post(at("settings"), form).status_code == 422
    alice.refresh_from_db()
    assert alice.language == "en"


def test_a_withdrawn_consent_prevents_new_consultations(alices, alice):
    alices.post(at("consent"), {"purpose": "care", "verb": "withdraw"})
    assert alices.post(at("new"), CALM).url == at("welcome")
    assert not Submission.objects.exists()
    alices.post(at("consent"), {"purpose": "care", "verb": "give"})
    assert alice.consents.filter(purpose="care").count() == 2


def test_the_language_switch_redirects_only_to_our_own_pages(alices, alice):
    reply = alices.post(at("language"), {"language": "ja", "next": "https://elsewhere.example/"})
    assert reply.url == "/"
    alice.refresh_from_db()
    assert alice.language == "ja"
