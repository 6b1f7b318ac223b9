"""Every page of patients keeps the rules of every page (harness.py), in both languages, on a phone and at a desk, at each size of text."""

from __future__ import annotations

import io
import re
from datetime import date, timedelta

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from django.conf import settings as django_settings
from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.test import Client
from django.urls import reverse
from django.utils import timezone, translation
from PIL import Image
from playwright.sync_api import Error

from drills.people import create
from teleder.accounts import clinic_texts
from teleder.accounts.clinic_texts import TextKind
from teleder.accounts.models import Invitation, PatientProfile, Role
from teleder.cases import asking_back, intake, reviews, sharing, withdrawal
from teleder.cases.models import Submission
from teleder.cases.plan import Plan, clinic_day
from teleder.notifications import outbox
from teleder.privacy import erasure, guardians, hand_over
from teleder.privacy.models import Why
from teleder.security.rate_limits import RateLimitedError
from tests.access.conftest import passkey
from tests.access.test_matrix import ADDRESSES, NOBODY, line_of
from tests.access.test_matrix import PAGES as LINES
from tests.conftest import CALM, PASSWORD
from tests.web.harness import SIZES, faults_at_each_size
from tests.web.patient_pages import ARRIVE, NO_PAGE, PAGES, visits

MET = frozenset({"anonymous", "alice", "bob"})
REFUSED = re.compile(r"status of (403|410|422)|Error Code 422")  # of the page itself
HERPES = {"AD": 0.05, "HI": 0.9, "IM": 0.02, "MF": 0.01, "OTHER": 0.02}
NAMES = {
    "en": {"alice": "Alice", "dana": "Dana", "sora": "Sora", "mei": "Mei"},
    "ja": {"alice": "花子", "dana": "田中", "sora": "そら", "mei": "めい"},
}
WORDS = {
    "en": {
        "answer": "Thank you for the photos. This looks like eczema.\n\nGo on with the cream for a week.",
        "today": "Wash gently.",
        "week": "Use the ointment every day.",
        "question": "May I swim?",
        "reply": "Yes, you may.",
        "place": "more on the left",
        "cream": "moisturiser, mornings\nsteroid ointment, medium",
    },
    "ja": {
        "answer": "写真を見ました。湿疹のようです。\n\n一週間、ぬり薬を続けてください。",
        "today": "やさしく洗います。",
        "week": "毎日、ぬり薬をぬります。",
        "question": "プールに入ってもいいですか。",
        "reply": "はい、入ってもいいです。",
        "place": "左のほうがひどいです",
        "cream": "保湿剤、朝\nステロイド軟膏、中くらい",
    },
}


def test_every_page_that_a_patient_can_open_is_walked():
    """A new URL is named in patient_pages.py: its page with a reader, or why it shows none."""
    pages = [name for name in ADDRESSES if name.rpartition(":")[0] in {"", "web"}]
    met = {name for name in pages if line_of(name).get("get", NOBODY) & MET}
    listed = set(PAGES) | set(NO_PAGE)
    assert met - listed == set(), "add these to PAGES or NO_PAGE of tests/web/patient_pages.py"
    assert listed <= set(LINES), "these have no address"
    assert not set(PAGES) & set(NO_PAGE)


@pytest.fixture
def things(language, adam, child_of, photo_file, analyse, mailoutbox) -> dict[str, object]:
    """Alice's drafts, consultations and children in each state, and other patients; texts and names in the language."""
    with translation.override(language):
        return build(language, adam, child_of, photo_file, analyse, mailoutbox)


def build(language, adam, child_of, photo_file, analyse, mailoutbox) -> dict[str, object]:
    names, words = NAMES[language], WORDS[language]

    def somebody(name: str, role: str = "patient"):
        named = {"name": names.get(name, names["alice"]), "language": language}
        return create(f"{name}@example.com", role, PASSWORD, **named)

    patients = ("alice", "bob", "emi", "momo", "eri", "nana", "nameless", "yui", "toto")
    people = {name: somebody(name) for name in patients}
    alice, dana = people["alice"], somebody("dana", "dermatologist")
    history = {"duration": "years", "symptoms": ["itch", "weeping"], "itch": 8, "sleep": 3}
    history |= {"different": words["place"], "treatment": words["cream"], "allergies": words["cream"]}

    def draft(patient=alice, views=("overview", "close_up"), *, act=None, said=history, **answers: str):
        found = intake.start(patient=patient, answers=CALM | answers)
        intake.describe(found, body_site="elbow_crease", history=said)
        for view in views:
            (act or prepared)(intake.add_photo(found, view=view, upload=photo_file()))
        return Submission.objects.get(pk=found.pk)

    def prepared(photo, **more):
        analyse(photo, **more)
        photo.refresh_from_db()
        tiny = io.BytesIO()
        Image.new("RGB", (320, 240), "brown").save(tiny, "JPEG")
        for key in filter(None, (photo.thumbnail_key, photo.display_key)):
            django_settings.PHOTO_STORAGE.write(key, tiny.getvalue())

    def sent(patient=alice, **more):
        return intake.submit(draft(patient, ("close_up",), **more), by=patient, missing_photo="other")

    def claimed():
        found = sent()
        reviews.claim(found, by=dana)
        return found

    def signed(disposition: str = "self_care", impression: str = "AD"):
        found = claimed()
        plan = Plan(
            today=[words["today"]],
            this_week=[words["week"]],
            next_photo_on=clinic_day() + timedelta(days=14),
        )
        answer = {"impression": impression, "disposition": disposition, "text": words["answer"]}
        reviews.sign(found, by=dana, plan=plan, **answer)
        return Submission.objects.get(pk=found.pk)

    # Other patients
    people["nana"].consents.all().delete()
    type(alice).objects.filter(pk=people["nameless"].pk).update(name="")
    PatientProfile.objects.filter(user=people["yui"]).update(birth_year=timezone.localdate().year - 15)
    erasure.ask(people["eri"], why=Why.REQUEST)
    TOTP.activate(people["toto"], generate_totp_secret())
    RecoveryCodes.activate(people["toto"])
    emergency = draft(people["emi"], views=(), very_ill="yes")
    moved_up = sent(people["momo"], act=unprepared)
    for photo in moved_up.photos.all():
        prepared(photo, probabilities=HERPES)
    # Alice's drafts
    mine, begun = draft(), draft(views=("overview",), said={})
    prepared(
        intake.add_photo(mine, view="other", upload=photo_file()), fault="too_dark", reason="poor_quality"
    )
    same_day, placeless = draft(fever="yes"), intake.start(patient=alice, answers=CALM)
    # What she sent
    waiting, late, looked_at, withdrawn, wanted = sent(act=unprepared), sent(), claimed(), sent(), claimed()
    Submission.objects.filter(pk=late.pk).update(due_at=timezone.now() - timedelta(minutes=5))
    withdrawal.withdraw(withdrawn, by=alice)
    reviews.request_photos(wanted, by=dana, reason="too_dark")
    answered, alarm, corrected = signed(), signed("emergency", "HI"), signed()
    answer = {"impression": "AD", "disposition": "days_2", "text": words["answer"], "reason": "-"}
    reviews.amend(corrected, by=dana, **answer)
    asked = asking_back.ask_back(answered, by=alice, text=words["question"])
    asking_back.reply(asked, by=dana, text=words["reply"])
    asking_back.ask_back(answered, by=alice, text=words["question"] * 2)
    shared, ended = (sharing.share(answered, days=7, with_photos=True) for _ in range(2))
    sharing.revoke(ended[0])
    follow_up = intake.start(patient=alice, answers=CALM, case=answered.case)
    # Children, links, texts
    child, grown = (child_of(alice, names[name]) for name in ("sora", "mei"))
    born = date(timezone.localdate().year - 18, 1, 1)
    PatientProfile.objects.filter(user=grown).update(birth_date=born, birth_year=born.year)
    hand_over.send_link(type(alice).objects.get(pk=grown.pk), email="mei@example.com")
    link = re.search(r"/hand-over/([^/\s]+)", mailoutbox[-1].body)[1]
    guardians.invite_guardian(type(alice).objects.get(pk=child.pk), email="bob@example.com")
    joining = re.search(r"/guardians/([^/\s]+)", mailoutbox[-1].body)[1]
    _row, invitation = Invitation.issue(email="erik@example.com", role=Role.ADMIN, by=adam)
    text = clinic_texts.save_draft(clinic=adam.clinic, kind=TextKind.TERMS, ja="約束", en="Terms", by=adam)
    clinic_texts.put_in_force(text, by=adam)
    key = Authenticator.objects.create(user=alice, type="webauthn", data=passkey())
    outbox.queue_messages()
    submissions = {
        "draft": mine, "begun": begun, "same day": same_day, "placeless": placeless, "emergency": emergency, "moved up": moved_up,
        "waiting": waiting, "late": late, "looked at": looked_at, "withdrawn": withdrawn, "wanted": wanted,
        "answered": answered, "answered with alarm": alarm, "corrected": corrected, "follow-up": follow_up,
    }  # fmt: skip
    return {
        **people,
        "alice again": alice,
        **{name: found.pk for name, found in submissions.items()},
        "corrected case": corrected.case_id,
        "child": child.pk,
        "grown child": grown.pk,
        "key": key.pk,
        "shared": shared[1],
        "shared ended": ended[1],
        "hand-over": link,
        "joining": joining,
        "invitation": invitation,
    }


def unprepared(photo) -> None:
    """Leave a photo as it arrived: the worker has not looked at it."""


@pytest.mark.browser
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("language", ["ja", "en"])
def test_every_page_keeps_the_rules_at_each_size(visit, things, language):
    readers, found = {}, []
    for page, name, path in visits(things):
        if page.reader not in readers:
            readers[page.reader] = arrive(visit, things, page.reader, language, found)
        browser = readers[page.reader]
        browser.set_viewport_size(SIZES["phone"])
        where = f"{name} of {page.reader} {page.args}"
        try:
            reached = None if page.reader in ARRIVE else browser.goto(path)
            if page.after:
                page.after(browser)
            else:
                status = reached.status if reached else page.status
                here = browser.url.split("/", 3)[3]
                assert (status, here) == (page.status, path[1:])
            found += [f"{where}: {fault}" for fault in faults_at_each_size(browser, language)]
        except (AssertionError, Error) as error:
            found.append(f"{where}: {error}")
    assert found == [], "\n".join(found)


def arrive(visit, things, reader: str, language: str, found: list[str]):
    page = visit(things.get(reader), language=language, expected=REFUSED)
    page.on("response", lambda reply: note_missing(reply, found))
    if reader in ARRIVE:
        name, steps = ARRIVE[reader]
        page.goto(reverse(name))
        steps(page)
    return page


def note_missing(reply, found: list[str]) -> None:
    """A picture, a style sheet or a script that is not there; a script may be refused what is too long."""
    if reply.status >= 400 and reply.status != 422 and reply.request.resource_type != "document":
        found.append(f"{reply.status} {reply.url}")


# --- Error pages ----------------------------------------------------------------------------------------
FAILURES = {
    400: SuspiciousOperation,
    403: PermissionDenied,
    429: lambda: RateLimitedError(60),  # whose words are in the language of the request
    500: RuntimeError,
}


@pytest.mark.browser
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("language", ["ja", "en"])
def test_every_error_page_keeps_the_rules(visit, alice, monkeypatch, language):
    page = visit(alice, language=language, expected=re.compile("status of 404"))
    page.goto("/nowhere/")
    found = [f"404: {fault}" for fault in faults_at_each_size(page, language)]
    client = Client(raise_request_exception=False, headers={"Accept-Language": language})
    client.force_login(alice)
    for status, error in FAILURES.items():

        def fail(*_args, error=error, **_options):
            raise error()

        monkeypatch.setattr("teleder.web.patient.submission.own_submission", fail)
        reply = client.get(reverse("web:submission", args=["00000000-0000-7000-8000-000000000009"]))
        assert reply.status_code == status
        page.route(f"**/shown/{status}/", showing(reply.content))
        page.goto(f"/shown/{status}/")
        found += [f"{status}: {fault}" for fault in faults_at_each_size(page, language)]
    assert found == [], "\n".join(found)


def showing(content: bytes):
    def fulfil(route) -> None:
        route.fulfill(body=content, content_type="text/html")

    return fulfil
