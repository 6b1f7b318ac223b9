"""Text size, furigana, and where a patient is logged in."""

from __future__ import annotations

import re

import pytest
from django.test import Client
from django.urls import reverse

from local import furigana as furigana_file
from local import sentences
from teleder.accounts.devices import Device
from teleder.cases import replies, reviews
from teleder.cases.plan import Plan
from teleder.web.display import COOKIE
from teleder.web.furigana import (
    HAS_KANJI,
    KANJI,
    NOTES,
    READING,
    READINGS,
    annotate,
    readings,
    ruby,
    with_furigana,
)
from teleder.web.patient.common import HISTORY_PARTS

pytestmark = pytest.mark.django_db
SETTINGS, DISPLAY = reverse("web:settings"), reverse("web:display")
IPHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) AppleWebKit/605 Version/19.0 Mobile Safari/604"
)


@pytest.fixture
def alices(client, alice):
    alice.language = "ja"
    alice.save(update_fields=["language"])
    client.force_login(alice)
    return client


# --- Text size and furigana ---------------------------------------------------------------------------------
def test_alice_chooses_a_text_size_and_furigana_for_all_pages_of_this_browser(alices):
    alices.post(DISPLAY, {"text_size": "3", "furigana": "1"})
    for name in ("web:settings", "web:inbox", "web:emergency", "web:data"):
        page = alices.get(reverse(name)).content.decode()
        assert 'data-text="3"' in page and "<ruby>" in page, name
    alices.post(DISPLAY, {"text_size": "1"})
    page = alices.get(SETTINGS).content.decode()
    assert 'data-text="1"' in page and "<ruby>" not in page


@pytest.mark.parametrize("value", ["", "9", "31 onload", "30;x", '3"1'])
def test_a_forged_cookie_means_the_usual_display(alices, value):
    alices.cookies[COOKIE] = value
    page = alices.get(SETTINGS).content.decode()
    assert 'data-text="1"' in page and "<ruby>" not in page


def test_english_pages_and_those_of_staff_have_no_furigana(alices, alice, dana):
    alices.cookies[COOKIE] = "11"
    alice.language = "en"
    alice.save(update_fields=["language"])
    assert "<ruby>" not in alices.get(SETTINGS).content.decode()
    alices.force_login(dana)
    assert "<ruby>" not in alices.get(SETTINGS).content.decode()


def test_only_our_own_texts_are_annotated_and_names_stay_as_they_are():
    page = (
        '<html lang="ja"><title>写真</title><p>写真</p><p>山田 花子</p><p>写真がほしいと私が書いた手紙</p>'
        '<input value="写真"><option>写真</option><b lang="en">写真</b><p translate="no">写真</p></html>'
    )
    photo = f"<bdi>{ruby('写真《しゃしん》')}</bdi>"
    expected = page.replace("<p>写真</p>", f"<p>{photo}</p>", 1)
    expected = expected.replace("<option>写真</option>", "<option>写真（しゃしん）</option>")
    assert with_furigana(page) == expected


def test_choices_have_readings_in_brackets_but_for_names():
    page = "<select><option>写真</option><option selected>山田 花子</option></select><p>写真</p>"
    assert with_furigana(page).startswith(
        "<select><option>写真（しゃしん）</option><option selected>山田 花子</option></select>"
    )


def test_words_for_scripts_have_readings_where_they_are_marked():
    page = '<p data-words="写真" data-readings title="写真" data-x="山田"></p><p data-words="写真"></p>'
    assert with_furigana(page) == (
        '<p data-words="｜写真《しゃしん》" data-readings title="写真" data-x="山田"></p><p data-words="写真"></p>'
    )


def test_the_offline_page_is_kept_with_readings_for_who_has_switched_them_on(alices):
    offline = reverse("web:offline")
    assert "<ruby>" not in alices.get(f"{offline}?language=ja").content.decode()
    page = alices.get(f"{offline}?language=ja&furigana=1").content.decode()
    assert "<ruby>" in page and without_readings(page) == []
    assert "<ruby>" not in alices.get(f"{offline}?language=en&furigana=1").content.decode()
    worker = alices.get(reverse("web:service_worker")).content.decode()
    assert f'"{offline}?language=ja&furigana=1"' in worker
    alices.post(DISPLAY, {"text_size": "1", "furigana": "1"})
    assert 'data-furigana="1"' in alices.get(SETTINGS).content.decode()


def test_what_is_filled_in_stays_as_it_is_and_counters_are_read_with_their_number():
    name = annotate("<b>".replace("<b>", "佐藤 先生"))
    assert name == f"佐藤 {ruby('先生《せんせい》')}"
    assert annotate("12月4日（金）") == ruby("12月《がつ》｜4日《よっか》（金《きん》）")
    assert "<rt>はつか</rt>" in annotate("1月20日")
    assert ruby("｜3日《みっか》") in annotate("あと3日")


def test_a_polled_part_with_furigana_is_another_version_for_the_browser(alices, alices_submission):
    path = reverse("web:status", args=[alices_submission.pk])
    plain = alices.get(path)["ETag"]
    alices.cookies[COOKIE] = "11"
    with_readings = alices.get(path, headers={"if-none-match": plain})
    assert with_readings.status_code == 200 and with_readings["ETag"] != plain
    again = alices.get(path, headers={"if-none-match": with_readings["ETag"]})
    assert again.status_code == 304


def test_every_text_with_kanji_has_a_reading_that_a_person_has_read():
    standing, missing = furigana_file.split()
    assert missing == [], "./run furigana adds them"
    assert [line for line in standing if furigana_file.UNREAD in line] == []


def test_each_reading_is_hiragana_and_no_kanji_is_without_one():
    for line in READINGS.read_text().splitlines():
        if line.startswith(NOTES):
            continue
        found = re.sub(r"(｜[^《｜]+|[\u3005\u3006\u3400-\u9fffヶ]+)《[ぁ-んー]+》", "", line)
        assert not HAS_KANJI.search(found) and "《" not in found, line
    assert len(readings().whole) > 500


# --- The list of all texts ----------------------------------------------------------------------------------
def test_the_list_of_all_sentences_is_up_to_date():
    assert sentences.FILE.read_text() == sentences.document(), "./run copy writes it"


# --- Devices ------------------------------------------------------------------------------------------------
@pytest.fixture
def phone(alice):
    phone = Client(headers={"user-agent": IPHONE})
    phone.force_login(alice)
    phone.get("/")
    return phone


def is_logged_in(client: Client) -> bool:
    return client.get(SETTINGS).status_code == 200


def test_alice_sees_her_devices_and_which_is_this_one(alices, phone):
    phone.get(SETTINGS)
    page = phone.get(SETTINGS).content.decode()
    assert page.count("chip-good") == 1
    assert Device.objects.count() == 2


def test_alice_logs_one_other_device_out(alices, phone):
    other = Device.objects.get(session_key=phone.session.session_key)
    alices.post(reverse("web:end_device", args=[other.pk]))
    assert is_logged_in(alices) and not is_logged_in(phone)
    assert not Device.objects.filter(pk=other.pk).exists()


def test_alice_logs_all_others_out_and_stays_logged_in(alices, phone):
    alices.post(reverse("web:end_other_devices"))
    assert is_logged_in(alices) and not is_logged_in(phone)
    assert Device.objects.count() == 1


def test_bob_cannot_end_alices_device(alices, phone, bob):
    bobs = Client()
    bobs.force_login(bob)
    row = Device.objects.get(session_key=phone.session.session_key)
    assert bobs.post(reverse("web:end_device", args=[row.pk])).status_code == 404
    assert is_logged_in(phone)


def test_a_device_whose_session_has_ended_is_not_shown(alices, phone, alice):
    phone.logout()
    assert alices.get(SETTINGS).content.decode().count(reverse("web:end_device", args=[1])[:18]) == 1


@pytest.mark.parametrize(
    ("agent", "name"),
    [
        (IPHONE, "Safari, iPhone"),
        ("Mozilla/5.0 (Linux; Android 15) Chrome/140.0 Mobile Safari/537", "Chrome, Android"),
        ("Mozilla/5.0 (Windows NT 10.0) Chrome/140.0 Safari/537 Edg/140.0", "Edge, Windows"),
        ("Mozilla/5.0 (iPhone) Safari/604 Line/15.0", "LINE, iPhone"),
        ("", "Unknown browser"),
    ],
)
def test_a_device_is_named_by_browser_and_system(agent, name):
    assert Device(user_agent=agent).name == name


# --- Pages with furigana ------------------------------------------------------------------------------------
RUBY = re.compile(r"<ruby>.*?</ruby>", re.DOTALL)
NOT_READ = re.compile(r"<(script|style|title|textarea|code|svg)\b.*?</\1>|<!--.*?-->", re.DOTALL)
IN_BRACKETS = re.compile(rf"[{KANJI}ヶ]+（[ぁ-んー]+）")


def without_readings(page: str, *typed: str) -> list[str]:
    """Return the texts of a page that have kanji without a reading, but for what people typed."""
    page = NOT_READ.sub("", page)
    for_scripts = re.findall(
        r'data-[\w-]+="([^"]*)"', " ".join(re.findall(r"<[^>]*data-readings\b[^>]*>", page))
    )
    texts = re.split(r"<[^>]*>", IN_BRACKETS.sub("", RUBY.sub("", page)))
    texts += [READING.sub("", words) for words in for_scripts]
    return [text.strip() for text in texts if HAS_KANJI.search(text) and text.strip() not in typed]


def test_all_our_texts_on_a_patients_pages_have_readings(
    alices, alice, alices_draft, submission_of, settings
):
    alices.cookies[COOKIE] = "11"
    sent = submission_of(alice)
    paths = [reverse(f"web:{name}") for name in ("home", "settings", "inbox", "data", "emergency", "welcome")]
    paths += [reverse("web:clinic_text", args=[kind]) for kind in ("cost", "contact", "terms", "privacy")]
    paths += [reverse("web:question", args=[alices_draft.pk, number]) for number in range(1, 13)]
    paths += [
        reverse(f"web:{name}", args=[alices_draft.pk]) for name in ("answers", "about", "photos", "send")
    ]
    paths += [reverse("web:history", args=[alices_draft.pk, part]) for part in HISTORY_PARTS]
    paths += [sent.get_absolute_url(), reverse("web:looks", args=[sent.pk])]
    found = []
    for path in paths:
        answer = alices.get(path)
        assert answer.status_code == 200, path
        found += [f"{path}: {text}" for text in without_readings(answer.content.decode(), alice.name)]
    assert not found, "\n".join(found)


@pytest.mark.parametrize("disposition", ["self_care", "appointment", "days_2", "today", "emergency"])
def test_a_letter_and_a_plan_of_our_templates_have_readings(alices, alices_submission, dana, disposition):
    alices.cookies[COOKIE] = "11"
    plan = Plan(**replies.plan(disposition, "ja", "AD"))
    letter = replies.product_letter(disposition, "ja", "AD")
    reviews.claim(alices_submission, by=dana)
    reviews.sign(alices_submission, by=dana, impression="AD", disposition=disposition, text=letter, plan=plan)
    page = alices.get(alices_submission.get_absolute_url()).content.decode()
    assert without_readings(page, "Alice") == [] and "<ruby>写真<rt>しゃしん</rt></ruby>" in page


def test_a_sentence_that_a_dermatologist_typed_stays_as_it_is():
    letter = "写真を見ました。背中は心配ありません。2週間以内に皮膚科に行ってください。"
    found = annotate(letter)
    assert "背中は心配ありません。" in found
    assert found.startswith(ruby("写真《しゃしん》を見《み》ました。"))
    assert found.endswith(ruby("に行《い》ってください。"))


def test_a_visitors_pages_have_readings_too(client, db):
    client.cookies[COOKIE], client.cookies["teleder_language"] = "11", "ja"
    for path in ("/", reverse("web:clinic_text", args=["privacy"]), reverse("web:emergency")):
        assert without_readings(client.get(path).content.decode()) == [], path
