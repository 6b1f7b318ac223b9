"""The worklist in a real browser: by keyboard alone, with a colleague at another browser, on a phone."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

import pytest
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import expect

from contract.messages import Abstention, QualityFault, Reason
from teleder.cases import reviews, snoozing
from teleder.cases.models import EventKind, Status, Submission
from teleder.cases.triage import Urgency

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
IN_BOTH = pytest.mark.parametrize("language", ["ja", "en"])
EACH_WAY = pytest.mark.parametrize(
    ("language", "size"), [("ja", "phone"), ("en", "phone"), ("ja", "desk"), ("en", "desk")]
)
HERPES = {"AD": 0.3, "HI": 0.6, "IM": 0.05, "MF": 0.01, "OTHER": 0.04}


@pytest.fixture
def erik(person):
    return person("erik", "dermatologist")


@pytest.fixture
def seen(analyse, settings, photo_file):
    """Let the AI read a submission, and write its photo as the worker would."""
    content = photo_file().read()

    def play(submission, **found) -> Submission:
        for photo in submission.photos.all():
            analyse(photo, **found)
            photo.refresh_from_db()
            for key in (photo.display_key, photo.thumbnail_key):
                path = Path(settings.MEDIA_ROOT) / key
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)
        submission.refresh_from_db()
        return submission

    return play


def opened(visit, person, *, language="en", size="desk", **query):
    page = visit(person, language=language, size=size)
    page.goto(reverse("web:worklist") + "".join(f"?{name}={value}" for name, value in query.items()))
    return page


def press(page, keys: str) -> None:
    for key in keys.split():
        page.keyboard.press(key)


def in_focus(page) -> str:
    return page.evaluate("document.activeElement.id || document.activeElement.tagName")


def rows(page):
    return page.locator("[data-row]")


def numbers(page) -> list[str]:
    return page.locator("[data-row] .no").all_text_contents()


# --- By keyboard ------------------------------------------------------------------------------------------
@IN_BOTH
def test_the_first_j_is_on_the_first_row_and_c_and_enter_claim_and_open_the_third(
    visit, dana, alice, submission_of, language
):
    made = [submission_of(alice) for _ in range(4)]
    page = opened(visit, dana, language=language)
    press(page, "j")
    assert in_focus(page) == f"open-{made[0].pk}"
    press(page, "j j c")
    expect(page.locator("#said")).to_contain_text(made[2].case.number)
    made[2].refresh_from_db()
    assert made[2].claimed_by == dana
    assert in_focus(page) == f"open-{made[2].pk}"
    press(page, "Enter")
    page.wait_for_url(f"**{reverse('web:review', args=[made[2].pk])}")


@IN_BOTH
def test_erik_sees_who_has_it_within_five_seconds_and_his_own_claim_is_refused(
    visit, dana, erik, alice, submission_of, language
):
    first, second = submission_of(alice), submission_of(alice)
    eriks = opened(visit, erik, language=language)
    press(eriks, "j")
    reviews.claim(first, by=dana)
    expect(rows(eriks).first).to_contain_text("Dana", timeout=6_500)
    reviews.claim(second, by=dana)
    press(eriks, "j c")
    expect(eriks.locator("#said")).to_contain_text("Dana")
    expect(eriks.locator("#said")).to_contain_text(second.case.number)
    second.refresh_from_db()
    assert second.claimed_by == dana


@IN_BOTH
def test_the_address_of_a_view_opens_the_same_rows_again(visit, dana, alice, submission_of, language):
    urgent = [submission_of(alice, fever="yes", grouped_blisters="yes") for _ in range(3)]
    submission_of(alice)
    page = opened(visit, dana, language=language)
    page.locator("#view-same_day").click()
    expect(rows(page)).to_have_count(3)
    again = visit(dana, language=language, size="desk")
    again.goto(page.url)
    assert numbers(again) == numbers(page) == [each.case.number for each in urgent]
    expect(again.locator("#view-same_day")).to_have_attribute("aria-current", "page")
    press(again, "g 1")
    expect(rows(again)).to_have_count(4)


@IN_BOTH
def test_keys_are_switched_off_in_the_settings_and_every_button_still_works(
    visit, dana, alice, submission_of, language
):
    made = [submission_of(alice) for _ in range(2)]
    page = visit(dana, language=language, size="desk")
    page.goto(reverse("web:settings"))
    page.locator("main [data-keys-switch]").uncheck()
    page.goto(reverse("web:worklist"))
    press(page, "j ?")
    assert in_focus(page) == "list-title"
    expect(page.locator("#keys-help")).to_be_hidden()
    rows(page).first.hover()
    rows(page).first.locator("[data-claim]").click()
    expect(page.locator("#said")).to_contain_text(made[0].case.number)
    page.locator("[data-open=keys-help]").click()
    page.locator("#keys-help [data-keys-switch]").check()
    press(page, "Escape j")
    assert in_focus(page).startswith("open-")


def test_keys_are_told_by_their_place_and_work_while_no_text_is_composed(visit, dana, alice, submission_of):
    """A Japanese input method says "Process" in place of the letter."""
    made = [submission_of(alice) for _ in range(2)]
    page = opened(visit, dana, language="ja")
    send = """options => document.activeElement.dispatchEvent(
        new KeyboardEvent("keydown", {bubbles: true, cancelable: true, key: "Process", code: "KeyJ", ...options}))"""
    page.evaluate(send, {"isComposing": True})
    assert in_focus(page) == "list-title"
    page.evaluate(send, {})
    assert in_focus(page) == f"open-{made[0].pk}"


def test_a_letter_in_the_search_is_text(visit, dana, alices_submission):
    page = opened(visit, dana)
    press(page, "/ c j")
    expect(page.locator("#q")).to_have_value("cj")
    alices_submission.refresh_from_db()
    assert alices_submission.claimed_by is None


# --- Several at once --------------------------------------------------------------------------------------
@IN_BOTH
def test_dana_selects_two_and_gives_them_to_erik_by_keyboard(
    visit, is_accessible, dana, erik, alice, submission_of, language
):
    made = [submission_of(alice) for _ in range(3)]
    page = opened(visit, dana, language=language)
    press(page, "j x j x")
    expect(page.locator("#bulk")).to_be_visible()
    expect(page.locator("#bulk b")).to_contain_text("2")
    press(page, "Shift+A")
    expect(page.locator("#ask")).to_contain_text("Erik")
    is_accessible(page, language)
    press(page, "1")
    expect(page.locator("#said")).to_contain_text("Erik")
    expect(page.locator("#ask")).to_be_hidden()
    expect(page.locator("#bulk")).to_be_hidden()
    assert [Submission.objects.get(pk=each.pk).claimed_by for each in made] == [erik, erik, None]
    assert set(made[0].events.filter(kind=EventKind.REASSIGNED).values_list("actor", flat=True)) == {dana.pk}


def test_a_selection_outlives_a_refresh(visit, dana, erik, alice, submission_of):
    made = [submission_of(alice) for _ in range(3)]
    page = opened(visit, dana)
    press(page, "j j x")
    reviews.claim(made[0], by=erik)
    expect(rows(page).first).to_contain_text("Erik", timeout=6_500)
    expect(rows(page).nth(1).locator("[name=case]")).to_be_checked()
    press(page, "Escape")
    expect(page.locator("#bulk")).to_be_hidden()


@IN_BOTH
def test_dana_snoozes_a_case_and_finds_it_among_the_snoozed(
    visit, is_accessible, dana, alice, submission_of, language
):
    made = [submission_of(alice) for _ in range(2)]
    page = opened(visit, dana, language=language)
    press(page, "j h")
    expect(page.locator("#ask [data-key='1']")).to_be_focused()
    is_accessible(page, language)
    page.locator("#snooze-reason").select_option("phoning")
    page.locator("#ask button[name=for][value=hour]").click()
    expect(rows(page)).to_have_count(1)
    made[0].refresh_from_db()
    assert made[0].snoozed_until > timezone.now() and made[0].status == Status.SUBMITTED
    press(page, "g 7")
    expect(rows(page)).to_have_count(1)
    is_accessible(page, language)
    expect(rows(page).get_by_role("button")).to_contain_text("u")
    press(page, "j u")
    expect(rows(page)).to_have_count(0)
    made[0].refresh_from_db()
    assert made[0].snoozed_until is None


# --- What the page shows ----------------------------------------------------------------------------------
def test_the_photo_of_an_intimate_place_is_fetched_only_for_the_row_in_focus(
    visit, dana, alice, submission_of, seen
):
    submission = seen(submission_of(alice))
    submission.case.body_site, submission.case.places = "groin", [{"site": "groin", "side": ""}]
    submission.case.save()
    photo = reverse("web:photo", args=[submission.photos.get().pk, "thumbnail"])
    page = visit(dana, size="desk")
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(reverse("web:worklist"))
    expect(page.locator("[data-sharp]")).to_be_visible()
    page.wait_for_load_state("networkidle")
    assert not [url for url in asked if "/photos/" in url]
    with page.expect_response(lambda response: photo in response.url):
        press(page, "j")
    expect(page.locator("[data-sharp] img")).to_be_visible()


@IN_BOTH
def test_the_preview_shows_the_photo_and_the_history_of_the_row(
    visit, is_accessible, dana, alice, submission_of, seen, language
):
    submission = seen(
        submission_of(alice, photos=2, fever="yes", grouped_blisters="yes"), probabilities=HERPES
    )
    page = opened(visit, dana, language=language)
    press(page, "j")
    preview = page.locator("#preview")
    expect(preview.locator(".preview-photo > img")).to_be_visible()
    expect(preview).to_contain_text(submission.case.number)
    expect(preview.locator(".flag-yes")).to_have_count(2)
    assert not re.search("herpes|ヘルペス", preview.inner_text(), re.IGNORECASE)
    is_accessible(page, language)
    assert in_focus(page) == f"open-{submission.pk}"


@EACH_WAY
def test_the_worklist_is_accessible(
    visit, is_accessible, dana, erik, alice, bob, sora, submission_of, seen, language, size
):
    alices = [seen(submission_of(alice, fever="yes", grouped_blisters="yes"), probabilities=HERPES)]
    alices += [seen(submission_of(alice), abstention=Abstention.UNCERTAIN)]
    alices += [seen(submission_of(alice), reason=Reason.POOR_QUALITY, fault=QualityFault.BLURRED)]
    theirs, mine, snoozed = submission_of(bob), submission_of(bob), submission_of(bob)
    reviews.claim(theirs, by=erik)
    reviews.claim(mine, by=dana)
    snoozing.snooze(snoozed, by=dana, length="hour", reason="time")
    Submission.objects.filter(pk=theirs.pk).update(
        due_at=timezone.now() - timedelta(hours=3), urgency=Urgency.DAYS_2
    )
    page = opened(visit, dana, language=language, size=size)
    expect(rows(page)).to_have_count(5)
    is_accessible(page, language)
    for show in ("snoozed", "waiting"):
        page.goto(f"{reverse('web:worklist')}?show={show}")
        is_accessible(page, language)
    page.goto(f"{reverse('web:worklist')}?q=alice")
    expect(rows(page)).to_have_count(3)
    is_accessible(page, language)


@EACH_WAY
def test_an_empty_list_says_what_comes_next(visit, is_accessible, dana, language, size):
    page = opened(visit, dana, language=language, size=size)
    expect(page.locator(".list .empty")).to_be_visible()
    is_accessible(page, language)
