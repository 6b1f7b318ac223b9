"""Lists of medicines and allergies, and a follow-up that starts from what was said last time."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest
from django.urls import reverse
from django.utils import translation

from teleder.cases import intake, reviews
from teleder.cases.models import Submission
from teleder.cases.questionnaire import HISTORY_LISTS, suggestions_for
from tests.conftest import CALM

pytestmark = pytest.mark.django_db
LAST_TIME = {
    "duration": "years",
    "symptoms": ["itch", "weeping"],
    "itch": 8,
    "sleep": 0,
    "different": "more on the left",
    "contacts": "my sister",
    "treatment": "moisturiser, mornings\nsteroid ointment, medium",
    "allergies": "egg",
}


@pytest.fixture
def alices(client, alice):
    client.force_login(alice)
    return client


@pytest.fixture
def first(alice, draft_of, dana):
    draft = draft_of(alice)
    intake.describe(draft, history=LAST_TIME)
    sent = intake.submit(draft, by=alice)
    Submission.objects.filter(pk=sent.pk).update(submitted_at=datetime(2026, 10, 3, 3, tzinfo=UTC))
    reviews.claim(sent, by=dana)
    reviews.sign(sent, by=dana, impression="AD", disposition="self_care", text="Continue your usual care.")
    return sent


@pytest.fixture
def follow_up(alice, first):
    return intake.start(patient=alice, answers=CALM, case=first.case)


def at(draft, part: str) -> str:
    return reverse("web:history", args=[draft.pk, part])


def page_of(alices, draft, part: str, query: str = "") -> str:
    return alices.get(at(draft, part) + query).content.decode()


def stored(draft) -> dict:
    draft.refresh_from_db()
    return draft.history


# --- Lists ------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("language", ["en", "ja"])
def test_a_list_has_a_field_for_each_entry_and_suggestions(alices, alice, alices_draft, language):
    alice.language = language
    alice.save()
    alices.post(at(alices_draft, "allergies"), {"allergies": ["egg", " ", "latex  ", "ねこ"]})
    assert stored(alices_draft)["allergies"] == "egg\nlatex\nねこ"
    page = page_of(alices, alices_draft, "allergies")
    assert re.findall(r'type="text" name="allergies"[^>]* value="([^"]*)"', page) == [
        "egg",
        "latex",
        "ねこ",
        "",
        "",
    ]
    with translation.override(language):
        words = suggestions_for("allergies")
    assert len(words) > 10 and all(f'<option value="{word}">' in page for word in words)


def test_each_list_suggests_in_both_languages():
    for key in HISTORY_LISTS:
        lists = {}
        for language in ("en", "ja"):
            with translation.override(language):
                lists[language] = suggestions_for(key)
        assert len(lists["en"]) == len(lists["ja"]) == len(set(lists["ja"])) > 5
        assert all(word.isascii() for word in lists["en"])
        assert not any(word.isascii() for word in lists["ja"])


def test_a_list_that_is_too_long_is_refused_and_stays_on_the_page(alices, alices_draft):
    refused = alices.post(at(alices_draft, "treatment"), {"treatment": ["x" * 1500, "y" * 600]})
    page = refused.content.decode()
    assert refused.status_code == 422 and 'id="treatment-error"' in page and "y" * 600 in page


# --- Last time --------------------------------------------------------------------------------------------
def test_the_same_medicines_are_one_tap(alices, follow_up):
    page = page_of(alices, follow_up, "treatment")
    assert "the same as last time?" in page and "Your answer of Sat 3 Oct" in page
    assert "moisturiser, mornings" in page and "steroid ointment, medium" in page
    assert stored(follow_up) == {}  # shown is not said
    reply = alices.post(at(follow_up, "treatment"), {"same": "1"})
    assert reply.url == at(follow_up, "allergies")
    assert stored(follow_up) == {"treatment": LAST_TIME["treatment"]}
    assert "the same as last time?" not in page_of(alices, follow_up, "treatment")


def test_none_of_one_list_says_nothing_of_the_other(alices, first, follow_up):
    Submission.objects.filter(pk=first.pk).update(history=LAST_TIME | {"medicines": "None"})
    page = page_of(alices, follow_up, "treatment")
    lists = re.findall(r"<b>([^<]*)</b>((?:<br>[^<]*)+)</span>", page)
    assert lists == [
        ("Treatment so far", "<br>moisturiser, mornings<br>steroid ointment, medium"),
        ("Other medicines", "<br>None"),
    ]
    page = page_of(alices, follow_up, "treatment", "?edit=1")
    assert 'value="steroid ointment, medium"' in page
    assert re.findall(r'name="(\w+)" value="none"[^>]* checked', page) == ["medicines"]
    assert not re.search(r'value="none"[^>]* checked', page_of(alices, follow_up, "allergies", "?edit=1"))


def test_what_has_changed_is_written_starting_from_last_time(alices, follow_up):
    page = page_of(alices, follow_up, "treatment", "?edit=1")
    assert "As on Sat 3 Oct. Change what is different." in page
    assert 'value="steroid ointment, medium"' in page
    alices.post(
        at(follow_up, "treatment") + "?edit=1", {"treatment": ["moisturiser, mornings"], "medicines": [""]}
    )
    assert stored(follow_up) == {"treatment": "moisturiser, mornings"}


def test_i_do_not_know_stores_nothing(alices, follow_up):
    assert alices.post(at(follow_up, "allergies"), {"skip": "1"}).status_code == 303
    assert stored(follow_up) == {}


def test_choices_of_last_time_are_shown_and_stored_only_when_sent(alices, follow_up):
    duration = page_of(alices, follow_up, "duration")
    assert re.search(r'value="years" aria-current="true">.*?Last time', duration, re.S)
    symptoms = page_of(alices, follow_up, "symptoms")
    assert re.findall(r'value="(\w+)" checked', symptoms) == ["itch", "weeping"]
    assert "As on Sat 3 Oct" in symptoms and stored(follow_up) == {}
    alices.post(at(follow_up, "symptoms"), {"symptoms": ["itch"]})
    assert stored(follow_up) == {"symptoms": ["itch"]}
    assert "As on" not in page_of(alices, follow_up, "symptoms")


def test_how_it_is_now_is_never_taken_from_last_time(alices, follow_up):
    itch, sleep = page_of(alices, follow_up, "itch"), page_of(alices, follow_up, "sleep")
    for page, number in ((itch, 8), (sleep, 0)):
        assert " checked" not in page and f"On Sat 3 Oct it was {number}." in page
        assert re.search(rf'value="{number}".*?class="was">Last time', page, re.S)
        assert page.count('class="was"') == 1
    different = page_of(alices, follow_up, "different")
    assert "my sister" in different and "more on the left" not in different


def test_a_first_submission_has_no_last_time(alices, alices_draft):
    for part in ("duration", "symptoms", "treatment", "allergies", "itch"):
        page = page_of(alices, alices_draft, part)
        assert "Last time" not in page and "last time" not in page


def test_everything_is_shown_back_and_the_dermatologist_reads_it(
    alices, alice, follow_up, photo_file, dana, client
):
    alices.post(at(follow_up, "treatment"), {"same": "1"})
    alices.post(at(follow_up, "itch"), {"itch": "3"})
    for view in ("overview", "close_up"):
        intake.add_photo(follow_up, view=view, upload=photo_file())
    review = alices.get(reverse("web:send", args=[follow_up.pk])).content.decode()
    assert "moisturiser, mornings<br>steroid ointment, medium" in review and "3 out of 10" in review
    intake.submit(follow_up, by=alice)
    sent = alices.get(follow_up.get_absolute_url()).content.decode()
    assert "moisturiser, mornings<br>steroid ointment, medium" in sent and "3 out of 10" in sent
    client.force_login(dana)
    page = client.get(reverse("web:review", args=[follow_up.pk])).content.decode()
    assert "moisturiser, mornings<br>steroid ointment, medium" in page
