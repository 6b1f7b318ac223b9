"""The plan is drafted by impression and action, edited and signed by the doctor, and read by the patient."""

from __future__ import annotations

import pytest
from django.core.exceptions import ValidationError
from django.utils import translation

from teleder.accounts.models import DermatologistProfile
from teleder.cases import replies, reviews, triage
from teleder.cases.models import Disposition, Impression, Review
from teleder.cases.plan import Plan
from teleder.web.templatetags.plan import plan_steps

pytestmark = pytest.mark.django_db
ANSWER = {"impression": "IM", "disposition": "days_2", "text": "Please see a doctor.", "reason": ""}
TO_DO = {"today": "Wash gently.\n\n  Cover it.  ", "this_week": "No pool."}


@pytest.fixture
def claimed(dana, alices_submission):
    reviews.claim(alices_submission, by=dana)
    return alices_submission


def post(client, person, submission, **more):
    client.force_login(person)
    return client.post(f"/review/{submission.pk}/answer/", ANSWER | more)


def test_a_plan_is_signed_line_by_line_and_read_by_the_patient(client, dana, alice, claimed):
    assert post(client, dana, claimed, **TO_DO).status_code == 302
    review = Review.objects.get()
    assert (review.today, review.this_week) == (["Wash gently.", "Cover it."], ["No pool."])
    client.force_login(alice)
    page = client.get(claimed.get_absolute_url()).content.decode()
    order = ["Please see a doctor.", "Your plan", "Wash gently.", "Cover it.", "This week", "No pool."]
    assert sorted(order, key=page.index) == order
    plan = client.get(f"/api/v1/submissions/{claimed.pk}/reviews").json()[0]["plan"]
    assert plan["today"] == ["Wash gently.", "Cover it."] and plan["this_week"] == ["No pool."]


def test_words_in_the_other_language_say_which_it_is(client, dana, alice, claimed):
    post(
        client, dana, claimed, text="病院に行ってください。", today="Wash gently.", this_week="薬をぬります。"
    )
    client.force_login(alice)
    page = client.get(claimed.get_absolute_url()).content.decode()
    assert '<div class="words" lang="ja"><p>病院' in page
    assert '<p lang="en">Wash gently.' in page and '<p lang="ja">薬をぬります。' in page


@pytest.mark.parametrize(
    ("line", "icon"),
    [("保湿剤をぬります。", "drop"), ("Use the ointment every day.", "tube"), ("皮膚科を予約します。", "hospital"),
     ("Call 119.", "phone"), ("Go on as before.", "check")],
)  # fmt: skip
def test_a_step_of_the_plan_has_the_icon_that_its_words_suggest(line, icon):
    assert plan_steps(Review(today=[line], this_week=[]))[0]["icon"] == icon


@pytest.mark.parametrize(("line", "is_drawn"), [("Use the ointment.", True), ("Use the moisturiser.", False)])
def test_the_amount_of_an_ointment_is_drawn_once_and_its_signer_has_read_it(
    client, dana, alice, claimed, line, is_drawn
):
    plan = {"today": line, "this_week": line}
    assert (
        "two adult palms" in post(client, dana, claimed, preview="1", **plan).content.decode()
    ) == is_drawn
    post(client, dana, claimed, **plan)
    client.force_login(alice)
    page = client.get(claimed.get_absolute_url()).content.decode()
    assert page.count(line) == 2 and page.count("two adult palms") == is_drawn


def test_dana_sees_the_plan_before_she_signs_it(client, dana, claimed):
    page = post(client, dana, claimed, preview="1", **TO_DO).content.decode()
    shown = page[page.index("What the patient will see") :]
    assert '<p lang="en">Cover it.</p>' in shown and not Review.objects.exists()


def test_the_draft_is_added_below_what_was_typed_and_only_once(client, dana, claimed):
    typed = {"today": "Call me.", "this_week": ""}
    page = post(client, dana, claimed, insert_over="en", **typed).content.decode()
    lines = replies.plan(Disposition.DAYS_2, "en", "IM")["today"]
    for line in lines:
        assert page.index("Call me.") < page.index(line)
    again = post(
        client, dana, claimed, insert_over="en", today="\n".join(["Call me.", *lines])
    ).content.decode()
    assert all(again.count(line) == 1 for line in lines)


def test_a_correction_begins_with_the_plan_that_was_signed_and_the_old_one_stays(client, dana, claimed):
    post(client, dana, claimed, **TO_DO)
    page = client.get(f"/review/{claimed.pk}/").content.decode()
    assert "Wash gently.\nCover it.</textarea>" in page
    post(client, dana, claimed, today="Leave it open.", reason="The sores are dry.")
    old, new = Review.objects.order_by("signed_at")
    assert (old.today, new.today, new.amends) == (["Wash gently.", "Cover it."], ["Leave it open."], old)


@pytest.mark.parametrize("lines", [["x"] * 9, ["x" * 301]])
def test_a_plan_that_is_too_long_is_refused_and_what_was_typed_stays(client, dana, claimed, lines):
    reply = post(client, dana, claimed, today="\n".join(lines))
    assert reply.status_code == 422 and "At most 8 lines" in reply.content.decode()
    assert lines[0] in reply.content.decode()
    with pytest.raises(ValidationError):
        reviews.sign(claimed, by=dana, plan=Plan(today=lines), **ANSWER)
    assert not Review.objects.exists()


def test_control_characters_do_not_reach_the_plan():
    assert Plan(today=["a\u202eb\nc", "\u200b"]).columns()["today"] == ["ab c"]


@pytest.mark.parametrize("language", ["ja", "en"])
def test_no_draft_repeats_the_signs_that_stand_below_every_answer(language):
    """A sign that sends somebody to a doctor stands once on the page."""
    with translation.override(language):
        signs = triage.warning_signs(answered=True)["signs"]
    for impression in ["", *Impression.values]:
        for disposition in Disposition:
            lines = replies.plan(disposition, language, impression)
            drafted = replies.product_letter(disposition, language, impression) + "".join(
                sum(lines.values(), [])
            )
            assert not any(sign in drafted for sign in signs)
            assert not any(words in drafted for words in ("A photo cannot rule out", "写真だけでは"))


def test_a_page_shows_the_warning_signs_once_and_who_signed(client, dana, alice, claimed):
    DermatologistProfile.objects.filter(user=dana).update(title="Dermatologist", licence_number="123456")
    post(client, dana, claimed, **TO_DO)
    client.force_login(alice)
    page = client.get(claimed.get_absolute_url()).content.decode()
    assert page.count("Small, painful blisters close together") == 1
    assert all(words in page for words in ("Dr Dana", "Dermatologist", "licence number 123456"))


def test_a_client_of_the_api_gets_the_warning_signs_with_the_answer(client, dana, alice, claimed):
    post(client, dana, claimed)
    client.force_login(alice)
    signs = client.get(f"/api/v1/submissions/{claimed.pk}").json()["warning_signs"]
    assert signs["text"] == triage.warning_signs(answered=True)["text"] and len(signs["signs"]) == 5
