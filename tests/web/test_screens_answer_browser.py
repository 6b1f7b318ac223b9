"""Screens 6, 7 and 12 (the table is in test_screens_entrance_browser.py): waiting, the answer, settings and data."""

from __future__ import annotations

import io
import json
import re
import zipfile
from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import expect

from contract.messages import Abstention
from teleder.accounts.models import User
from teleder.cases import reviews
from teleder.cases.models import Review, Submission
from teleder.cases.plan import Plan
from teleder.notifications import outbox
from teleder.notifications.models import Channel, Message
from teleder.privacy import erasure
from teleder.privacy.models import Erasure
from tests.conftest import PASSWORD, rewrite
from tests.web.harness import EACH_WAY
from tests.web.test_answer_pdf import mapped
from tests.web.test_screens_entrance_browser import at

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
POLL_MS = 3_000
LETTER = {"ja": "写真を見ました。保湿を続けてください。", "en": "I saw the photos. Keep moisturising."}
# What only the AI says: names of its conditions, shares, and its own name.
BY_AI = re.compile(
    r"\bAI\b|herpes|impetigo|mycosis|ヘルペス|とびひ|リンパ腫|0\.\d\d|\d ?[%％]|mask\.png|attribution",
    re.IGNORECASE,
)


def sign(submission, dana, language: str, impression: str = "AD") -> None:
    reviews.claim(submission, by=dana)
    plan = Plan(today=[LETTER[language]], this_week=[LETTER[language]])
    answer = {"impression": impression, "disposition": "self_care", "text": LETTER[language]}
    reviews.sign(submission, by=dana, plan=plan, **answer)
    outbox.queue_messages()


# --- Screen 6 -------------------------------------------------------------------------------------------
@EACH_WAY
def test_the_steps_pass_one_by_one_and_the_page_ends_at_the_answer(
    visit, alice, alices_submission, dana, analyse, language, size
):
    submission, address = alices_submission, alices_submission.get_absolute_url()
    page = visit(alice, language=language, size=size)
    page.clock.install()
    page.goto(address)
    now = page.locator(".vsteps [aria-current=step] b")
    checked, with_doctor = {
        "ja": ("写真の確認", "医師が見る"),
        "en": ("Photos checked", "With a doctor"),
    }[language]
    expect(page.locator(".vsteps > li")).to_have_count(4)
    expect(now).to_have_text(checked)  # no worker has looked at it
    page.clock.fast_forward(POLL_MS * 3)
    expect(now).to_have_text(checked)
    assert not re.search(r"\d ?[%％]", page.locator("main").inner_text())
    for photo in submission.photos.all():
        analyse(photo)
    page.clock.fast_forward(POLL_MS)
    expect(now).to_have_text(with_doctor)
    again = page.context.new_page()
    again.goto(address)
    expect(again.locator(".vsteps [aria-current=step] b")).to_have_text(with_doctor)
    again.close()
    reviews.claim(submission, by=dana)
    page.clock.fast_forward(POLL_MS)
    looking = {"ja": "今、医師が見ています。", "en": "A dermatologist is looking at it now."}[language]
    expect(now).to_have_text(looking)
    answer = {"impression": "AD", "disposition": "self_care", "text": LETTER[language]}
    reviews.sign(submission, by=dana, **answer)
    page.clock.fast_forward(POLL_MS)
    expect(page.locator("article.letter .words")).to_contain_text(LETTER[language])
    expect(page.locator(".vsteps")).to_have_count(0)
    expect(page.locator("#said")).to_contain_text(
        {"ja": "お返事が届きました", "en": "Your answer has arrived."}[language]
    )


# --- Screen 7 -------------------------------------------------------------------------------------------
@EACH_WAY
@pytest.mark.parametrize("abstention", [None, Abstention.UNCERTAIN], ids=["opinion", "no opinion"])
def test_the_answer_is_the_doctors_alone(
    visit, alice, alices_submission, dana, analyse, language, size, abstention
):
    for photo in alices_submission.photos.all():
        analyse(photo, abstention=abstention)
    address = alices_submission.get_absolute_url()
    page = visit(alice, language=language, size=size)
    for is_signed in (False, True):
        if is_signed:
            sign(alices_submission, dana, language, "unclear" if abstention else "AD")
        source = page.goto(address).text()
        words = re.sub(r"<[^>]+>|value=\"\w+\"", " ", source[source.index("<main") : source.index("</main>")])
        assert not BY_AI.search(words), BY_AI.search(words)
        assert "mask" not in source and "attribution" not in source
    expect(page.locator("main article").first).to_contain_text(LETTER[language])  # first, and large
    link = page.locator(f"a[href='{at('answer_pdf', alices_submission.pk)}']")
    expect(link).to_be_visible()
    reply = page.request.get(link.get_attribute("href"))
    assert reply.headers["content-type"] == "application/pdf"
    assert set(LETTER[language].replace(" ", "")) <= mapped(reply.body())


@pytest.mark.parametrize("language", ["ja", "en"])
def test_the_answer_prints_without_the_frame(visit, alice, alices_submission, dana, language):
    sign(alices_submission, dana, language)
    page = visit(alice, language=language, size="desk")
    page.goto(alices_submission.get_absolute_url())
    for shown in (".tabs", ".sos", "button.lang", ".tools"):
        expect(page.locator(shown)).to_be_visible()
    whose = page.locator("main .printed")
    expect(whose).to_be_hidden()
    page.emulate_media(media="print", color_scheme="dark")
    expect(whose).to_be_visible()  # on paper the answer says whose it is
    expect(whose).to_contain_text({"en": f"Answer for {alice}", "ja": f"{alice}さんへのお返事"}[language])
    for hidden in (".tabs", ".sos", "button.lang", ".tools", "details", ".list", "main .btn"):
        for one in page.locator(hidden).all():
            expect(one).to_be_hidden()
    for kept in ("article.letter .words", "article.letter .signed", "#plan", "h1", ".foot"):
        expect(page.locator(kept).first).to_be_visible()
    look = page.evaluate(
        "(({color, backgroundColor}) => [color, backgroundColor])(getComputedStyle(document.body))"
    )
    assert look == ["rgb(0, 0, 0)", "rgb(255, 255, 255)"]
    assert page.pdf().startswith(b"%PDF")


MOVING = """() => [...document.querySelectorAll('*')]
    .map(one => [one, getComputedStyle(one)])
    .filter(([, {animationName, transitionDuration}]) => animationName !== 'none' || /[1-9]/.test(transitionDuration))
    .map(([one]) => one.outerHTML.slice(0, 80))"""


@pytest.mark.parametrize("wish", ["reduce", "no-preference"])
def test_nothing_moves_for_who_wants_less_motion(visit, alice, alices_submission, draft_of, dana, wish):
    sign(alices_submission, dana, "en")
    draft = draft_of(alice)
    page = visit(alice, language="en", reduced_motion=wish)
    moving = {}
    for path in (
        "/",
        at("photos", draft.pk),
        at("history", draft.pk, "itch"),
        alices_submission.get_absolute_url(),
    ):
        page.goto(path)
        for fold in page.locator("summary").all():
            fold.click()
        moving[path] = page.evaluate(MOVING)
    if wish == "reduce":
        assert not any(moving.values()), moving
    else:
        assert all(moving.values())  # what the other half of this test would miss


# --- Screen 12 ------------------------------------------------------------------------------------------
@EACH_WAY
def test_language_mails_export_and_erasure(
    visit, client, person, alice, alices_submission, dana, analyse, stored, language, size
):
    photo = alices_submission.photos.get()
    analyse(photo)
    stored(photo)
    other = {"ja": "en", "en": "ja"}[language]
    page = visit(alice, language=language, size=size, expected=re.compile("status of (404|422)"))
    page.goto(at("settings"))
    page.fill("[name=birth_year]", "1991")
    page.uncheck("[name=email]")
    for wanted in (other, language):
        with page.expect_navigation():
            page.click("button.lang")
        expect(page.locator("html")).to_have_attribute("lang", wanted)
        assert page.url.endswith(at("settings"))
        assert page.input_value("[name=birth_year]") == "1991" and not page.is_checked("[name=email]")
    with page.expect_navigation():
        page.click("form:has([name=email]) .actions button")
    sign(alices_submission, dana, language)
    channels = set(
        Message.objects.filter(event__kind="signed", person=alice).values_list("channel", flat=True)
    )
    assert channels == {Channel.INBOX}
    # Everything in a file
    page.goto(at("data"))
    with page.expect_download() as download:
        page.click(f"form[action='{at('export_data')}'] button")
    with zipfile.ZipFile(io.BytesIO(download.value.path().read_bytes())) as archive:
        names = archive.namelist()
        assert [name for name in names if name.endswith(".json")]
        assert [name for name in names if re.search(r"\.(jpe?g|png|webp|heic)$", name)]
        for name in names:
            if name.endswith(".json"):
                json.loads(archive.read(name))
    # Deleting is confirmed once, and can be called off until its day.
    page.goto(at("data"))
    page.click(f"form[action='{at('erase_data')}'] button")
    assert not Erasure.objects.exists()  # the box is not ticked
    page.check("[name=sure]")
    with page.expect_navigation():
        page.click(f"form[action='{at('erase_data')}'] button")
    picture = at("photo", photo.pk, "display")
    assert page.request.get(picture).status == 200
    long_ago = timezone.now() - timedelta(
        days=4000
    )  # the days of cooling off, and those of reading an answer, are over
    Erasure.objects.update(due_at=long_ago)
    rewrite(Review.objects.all(), signed_at=long_ago)
    assert erasure.carry_out() == 1
    assert not User.objects.filter(pk=alice.pk).exists() and not Submission.objects.exists()
    page.goto(reverse("account_login"))
    page.fill("[name=login]", alice.email)
    page.fill("[name=password]", PASSWORD)
    page.click("main form .btn-primary")
    expect(page.locator(".err")).to_be_visible()
    client.force_login(person("bob"))
    assert client.get(picture).status_code == 404
