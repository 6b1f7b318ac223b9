"""What dana does from the worklist: find, snooze, give to a colleague, look at a row."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from teleder.audit.models import Entry
from teleder.cases import reviews, snoozing
from teleder.cases.models import EventKind, Precedence, Status, Submission
from teleder.security import sessions
from teleder.web.clinician import list_views, rows, worklist

pytestmark = pytest.mark.django_db
ANSWER = {"impression": "AD", "disposition": "self_care", "text": "It looks like a flare of your eczema."}
HERPES = {"AD": 0.6, "HI": 0.3, "IM": 0.05, "MF": 0.01, "OTHER": 0.04}
HTMX = {"HX-Request": "true"}


@pytest.fixture
def danas(client, dana):
    client.force_login(dana)
    return client


@pytest.fixture
def erik(person):
    return person("erik", "dermatologist")


def numbers(dana, show="all", **more) -> list[str]:
    return [row.submission.case.number for row in worklist.page_of(dana, show=show, **more).rows]


def ids(*submissions) -> dict[str, list[str]]:
    return {"case": [str(each.pk) for each in submissions]}


# --- Views ------------------------------------------------------------------------------------------------
def test_each_view_has_the_count_of_its_rows(dana, erik, alice, submission_of, settings):
    settings.HOLD_SECONDS = 60
    made = [submission_of(alice) for _ in range(8)]
    urgent = submission_of(alice, fever="yes", grouped_blisters="yes")
    for submission, reader in ((made[0], dana), (made[1], erik), (made[2], dana), (made[3], dana)):
        reviews.claim(submission, by=reader)
    reviews.request_photos(made[2], by=dana, reason="blurred")
    reviews.sign(made[3], by=dana, **ANSWER)
    snoozing.snooze(made[4], by=dana, length="hour", reason="time")
    Submission.objects.filter(pk=made[5].pk).update(due_at=timezone.now() - timedelta(hours=1))
    Submission.objects.filter(pk=made[6].pk).update(ai_precedence=Precedence.INCONCLUSIVE, ai_status="done")
    counted = worklist.counts(dana)
    assert {name: len(numbers(dana, name)) for name in list_views.VIEWS} == {
        name: counted[name] for name in list_views.VIEWS
    }
    assert numbers(dana, "snoozed") == [made[4].case.number]
    assert numbers(dana, "held") == [made[3].case.number]
    assert numbers(dana, "inconclusive") == [made[6].case.number]
    assert numbers(dana, "same_day") == [urgent.case.number] == numbers(dana, "urgent")
    assert made[4].case.number not in numbers(dana) + numbers(dana, "unclaimed")


def test_claim_next_leaves_what_is_put_off(danas, dana, alice, submission_of):
    off, other = submission_of(alice), submission_of(alice)
    snoozing.snooze(off, by=dana, length="hour", reason="time")
    assert danas.post(reverse("web:claim_next")).url == reverse("web:review", args=[other.pk])


def test_a_snooze_that_ends_is_news_to_an_open_page(danas, dana, alices_submission, monkeypatch):
    snoozing.snooze(alices_submission, by=dana, length="hour", reason="time")
    first = danas.get(reverse("web:worklist"), headers=HTMX)
    later = timezone.now() + timedelta(minutes=61)
    monkeypatch.setattr(timezone, "now", lambda: later)
    again = danas.get(reverse("web:worklist"), headers=HTMX | {"If-None-Match": first["ETag"]})
    assert alices_submission.case.number in again.content.decode()


# --- Search -----------------------------------------------------------------------------------------------
@pytest.mark.parametrize("typed", ["高橋", "髙橋 花子", "タカハシ", "たかはし", "ﾀｶﾊｼ", "Takahashi".upper()])
def test_a_patient_is_found_by_name_in_any_width_and_kana(dana, alice, bob, submission_of, typed):
    alice.name, alice.reading = "髙橋 花子", "たかはし はなこ"
    if typed.isascii():
        alice.name = "Hanako Ｔａｋａｈａｓｈｉ"
    alice.save()
    mine, _other = submission_of(alice), submission_of(bob)
    assert numbers(dana, words=typed) == [mine.case.number]


def test_words_of_the_body_of_a_reason_and_of_the_patient_find_what_waits(dana, alice, bob, submission_of):
    fever, plain = submission_of(alice, fever="yes"), submission_of(bob)
    plain.case.body_site = "neck"
    plain.case.save()
    Submission.objects.filter(pk=plain.pk).update(history={"treatment": "Ointment of my mother"})
    for words, found in (("fever", fever), ("neck", plain), ("OINTMENT", plain)):
        assert numbers(dana, words=words) == [found.case.number], words
    reviews.claim(plain, by=dana)
    reviews.sign(plain, by=dana, **ANSWER, at_once=True)
    assert numbers(dana, words="neck") == []


def test_a_part_of_a_number_finds_it(dana, alices_submission):
    assert numbers(dana, words=alices_submission.case.number[:6]) == [alices_submission.case.number]


@pytest.mark.parametrize("words", ["%", "_", "''", "---", "\\", "あ" * 60])
def test_odd_words_find_nothing_and_break_nothing(dana, danas, alices_submission, words):
    assert numbers(dana, words=words) == []
    assert danas.get(reverse("web:worklist"), {"q": words}).status_code == 200


def test_a_search_by_words_needs_one_query_more_than_a_list(
    danas, dana, alice, submission_of, analyse, django_assert_max_num_queries, monkeypatch
):
    """That tells whether a number or a name was meant."""
    monkeypatch.setattr(sessions, "SEEN_EACH_SECONDS", 3600)
    for _ in range(3):
        analyse(submission_of(alice, fever="yes").photos.get(), demonstration=False)
    danas.get(reverse("web:worklist"))
    for words in ("fever", "alice"):
        with django_assert_max_num_queries(9):
            assert danas.get(reverse("web:worklist"), {"q": words}).status_code == 200


# --- A row ------------------------------------------------------------------------------------------------
def test_the_thumbnail_of_an_intimate_place_is_not_on_the_page(danas, alices_submission, analyse):
    analyse(alices_submission.photos.get())
    assert f'src="{reverse("web:photo", args=[alices_submission.photos.get().pk, "thumbnail"])}' in shown(
        danas
    )
    alices_submission.case.body_site, alices_submission.case.places = "groin", []
    alices_submission.case.save()
    page = shown(danas)
    assert "<img" not in page and "data-sharp=" in page


def test_a_photo_with_a_blurred_copy_shows_that_until_the_row_is_chosen(danas, alices_submission, analyse):
    photo = alices_submission.photos.get()
    analyse(photo)
    photo.refresh_from_db()
    type(photo).objects.update(veiled_key=photo.thumbnail_key.replace("thumbnail", "veiled"))
    blurred, sharp = (reverse("web:photo", args=[photo.pk, kind]) for kind in ("veiled", "thumbnail"))
    assert blurred not in shown(danas), "no place is hidden that need not be"
    alices_submission.case.body_site, alices_submission.case.places = "groin", []
    alices_submission.case.save()
    page = shown(danas)
    assert (
        f'<img src="{blurred}"' in page and f'data-sharp="{sharp}"' in page and f'src="{sharp}"' not in page
    )


def shown(client) -> str:
    return client.get(reverse("web:worklist"), headers=HTMX).content.decode()


def test_the_preview_names_no_condition_and_is_a_look_at_the_case(danas, dana, alices_submission, analyse):
    analyse(alices_submission.photos.get(), probabilities=HERPES)
    page = danas.get(reverse("web:row_preview", args=[alices_submission.pk])).content.decode()
    assert alices_submission.case.number in page and "AI: look sooner (why: later)" in page
    assert "herpes" not in page.lower()
    entry = Entry.objects.order_by("-number").first()
    assert (entry.verb, entry.door, entry.cases) == ("read", "web:row_preview", [alices_submission.case_id])


def test_the_preview_of_a_case_without_history_has_no_empty_list(danas, alices_submission):
    """A list of pairs without a pair is none for a screen reader."""
    Submission.objects.update(history={}, missing_photo="")
    page = danas.get(reverse("web:row_preview", args=[alices_submission.pk])).content.decode()
    assert "Answers of the patient" in page and "<dl" not in page and '<p class="sub">none</p>' in page


def test_the_preview_costs_few_queries(danas, alices_submission, analyse, django_assert_max_num_queries):
    analyse(alices_submission.photos.get(), demonstration=False)
    danas.get(reverse("web:row_preview", args=[alices_submission.pk]))
    with django_assert_max_num_queries(12):
        danas.get(reverse("web:row_preview", args=[alices_submission.pk]))


@pytest.mark.parametrize(
    ("minutes", "text"),
    [(18, "18 min left"), (100, "1:40 left"), (60 * 24 * 4 + 5, "4 days left"), (-12, "overdue by 12")],
)
def test_the_time_left_is_as_exact_as_it_matters(monkeypatch, minutes, text):
    now = timezone.now()
    monkeypatch.setattr(timezone, "now", lambda: now)
    assert rows.left_text(now + timedelta(minutes=minutes)).replace("\xa0", " ").startswith(text)


# --- Several at once --------------------------------------------------------------------------------------
def test_dana_gives_free_cases_and_her_own_to_erik_and_another_stays(
    danas, dana, erik, person, alice, submission_of
):
    free, mine, theirs = [submission_of(alice) for _ in range(3)]
    mori = person("mori", "dermatologist")
    reviews.claim(mine, by=dana)
    reviews.claim(theirs, by=mori)
    due = {row.pk: row.due_at for row in Submission.objects.all()}
    data = ids(free, mine, theirs) | {"to": str(erik.pk)}
    page = danas.post(reverse("web:assign"), data, headers=HTMX).content.decode()
    assert "2 cases were given to Erik. Their due times stay." in page and "1 case was left as it is." in page
    held = {row.pk: row.claimed_by for row in Submission.objects.all()}
    assert held == {free.pk: erik, mine.pk: erik, theirs.pk: mori}
    assert due == {row.pk: row.due_at for row in Submission.objects.all()}
    assert free.events.get(kind=EventKind.REASSIGNED).actor == dana


def test_the_choice_names_colleagues_of_the_clinic_with_what_they_hold(
    danas, dana, erik, nora, alice, submission_of
):
    reviews.claim(submission_of(alice), by=erik)
    free = submission_of(alice)
    page = danas.get(reverse("web:assign"), ids(free), headers=HTMX).content.decode()
    assert "Erik" in page and "1 case" in page and "Nora" not in page and str(dana.pk) not in page
    whole = danas.get(reverse("web:assign"), ids(free)).content.decode()  # without a script
    assert "<html" in whole and "Erik" in whole
    refused = danas.post(reverse("web:assign"), ids(free) | {"to": str(nora.pk)}, headers=HTMX)
    assert "Please choose a dermatologist who may log in." in refused.content.decode()


def test_dana_snoozes_by_the_page_and_an_urgent_one_is_refused_by_name(danas, alice, submission_of):
    calm, urgent = submission_of(alice), submission_of(alice, fever="yes", grouped_blisters="yes")
    asked = danas.get(reverse("web:snooze"), ids(calm, urgent), headers=HTMX).content.decode()
    assert 'value="hour"' in asked and 'value="phoning"' in asked
    data = ids(calm, urgent) | {"for": "hour", "reason": "phoning"}
    page = danas.post(reverse("web:snooze"), data, headers=HTMX).content.decode()
    assert "1 case is snoozed. Its due time stays." in page
    assert f"{urgent.case.number}: An emergency or a same-day case" in page
    calm.refresh_from_db()
    assert calm.snoozed_until is not None
    assert danas.post(reverse("web:end_snooze", args=[calm.pk])).url == reverse("web:worklist")
    calm.refresh_from_db()
    assert calm.snoozed_until is None and calm.status == Status.SUBMITTED


@pytest.mark.parametrize("data", [{}, {"for": "hour"}, {"for": "year", "reason": "time"}])
def test_a_snooze_without_length_or_reason_changes_nothing(danas, alices_submission, data):
    page = danas.post(reverse("web:snooze"), ids(alices_submission) | data, headers=HTMX)
    assert "Please choose how long, and why." in page.content.decode()
    alices_submission.refresh_from_db()
    assert alices_submission.snoozed_until is None
