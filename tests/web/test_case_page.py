"""What the page of a case holds: numbers on boxes, earlier visits, and the next case that is claimed with a signature."""

from __future__ import annotations

from datetime import timedelta
from itertools import combinations
from types import SimpleNamespace

import pytest
from django.urls import reverse
from django.utils import timezone

from teleder.cases import reading, reviews
from teleder.cases.models import Status, Submission
from teleder.web.clinician.readings import Reading

pytestmark = pytest.mark.django_db
ANSWER = {"impression": "AD", "disposition": "self_care", "text": "いつもの手当てを続けます。", "reason": ""}


@pytest.fixture
def danas(client, dana):
    client.force_login(dana)
    return client


def page_of(client, submission, **query) -> str:
    return client.get(reverse("web:review", args=[submission.pk]), query).content.decode()


def tags_of(*corners: tuple[int, int]) -> tuple[list[tuple[int, int]], int]:
    boxes = [{"x": x, "y": y, "width": 200, "height": 200, "skin": 0.9, "lesion": 0.5} for x, y in corners]
    photo = SimpleNamespace(analysis=SimpleNamespace(boxes=boxes), fault="", reason="", analysis_width=800)
    reading = Reading(photo, None, is_open=True)
    return [(box.tag_x, box.tag_y) for box in reading.boxes], reading.label_size


@pytest.mark.parametrize(
    "corners",
    [[(50, 50)] * 8, [(50, 50), (55, 52), (60, 60)], [(0, 0), (180, 0), (0, 180), (180, 180), (5, 5)]],
)
def test_no_two_numbers_of_boxes_overlap(corners):
    tags, side = tags_of(*corners)
    assert all(abs(a[0] - b[0]) >= side or abs(a[1] - b[1]) >= side for a, b in combinations(tags, 2))


def test_boxes_are_named_in_words_in_the_list_alone(danas, ai_is_open, alices_submission, analyse):
    analyse(alices_submission.photos.get())
    page = page_of(danas, alices_submission)
    drawn = page[page.index('class="layer boxes"') : page.index("</svg>", page.index('class="layer boxes"'))]
    assert ">1</text>" in drawn and "%" not in drawn
    assert "Area 1: skin 95%, lesion 40%" in page


def test_the_visit_before_is_told_and_its_photos_stand_in_the_strip(
    danas, dana, alice, submission_of, analyse, ai_is_open
):
    before, now = submission_of(alice), submission_of(alice)
    for submission in (before, now):
        analyse(submission.photos.get())
    Submission.objects.filter(pk=before.pk).update(
        case=now.case, history={"itch": 4}, submitted_at=timezone.now() - timedelta(days=30)
    )
    reviews.claim(before, by=dana)
    reviews.sign(before, by=dana, **ANSWER)
    page = page_of(danas, now)
    assert "5 / 10 (last time 4)" in page and "visit 2" in page
    assert "atopic dermatitis (Dana)" in page
    earlier = before.photos.get()
    assert f"?photo={earlier.pk}" in page[page.index("is-past") :]
    shown = page_of(danas, now, photo=str(earlier.pk))
    assert "earlier visit" in shown and "canvas" not in shown


def test_of_another_visit_an_answer_that_was_taken_back_is_not_told(danas, dana, alice, submission_of):
    before, now = submission_of(alice), submission_of(alice)
    Submission.objects.filter(pk=before.pk).update(
        case=now.case, submitted_at=timezone.now() - timedelta(days=30)
    )
    reviews.claim(before, by=dana)
    reviews.sign(before, by=dana, **ANSWER | {"text": "左のひじ"})
    assert "atopic dermatitis (Dana)" in page_of(danas, now)
    reading.take_back_answer(before, by=dana, reason="the wrong side")
    page = page_of(danas, now)
    assert "atopic dermatitis (Dana)" not in page and "左のひじ" not in page


def test_a_photo_of_another_case_is_not_shown(danas, alice, bob, submission_of, analyse):
    mine, other = submission_of(alice), submission_of(bob)
    for submission in (mine, other):
        analyse(submission.photos.get())
    page = page_of(danas, mine, photo=str(other.photos.get().pk))
    assert f"/photos/{other.photos.get().pk}/" not in page


def test_signing_claims_the_next_case(danas, dana, bob, alices_submission, submission_of):
    following = submission_of(bob)
    reviews.claim(alices_submission, by=dana)
    danas.post(reverse("web:answer", args=[alices_submission.pk]), ANSWER)
    following.refresh_from_db()
    assert (following.status, following.claimed_by) == (Status.IN_REVIEW, dana)
