"""The PDF of an answer: its words, its Japanese font, and whose it is."""

from __future__ import annotations

import re
import zlib
from datetime import timedelta

import pytest
from django.utils import timezone, translation

from teleder.accounts.models import DermatologistProfile
from teleder.cases import answer_pdf, reviews
from teleder.cases.models import Review
from teleder.cases.plan import Plan

pytestmark = pytest.mark.django_db
LETTER = '写真を見ました。髙橋さん、𠮷野さん。\n#image("/etc/passwd") *太字* $x$ @ref \\ <a>'
ANSWER = {"impression": "AD", "disposition": "self_care", "text": LETTER}


@pytest.fixture
def answered(alices_submission, dana):
    DermatologistProfile.objects.filter(user=dana).update(title="皮膚科専門医", licence_number="123456")
    reviews.claim(alices_submission, by=dana)
    plan = Plan(
        today=["保湿をします。"],
        this_week=["毎日続けます。"],
        next_photo_on=timezone.localdate() + timedelta(days=14),
    )
    reviews.sign(alices_submission, by=dana, plan=plan, **ANSWER)
    return alices_submission


def content_of(pdf: bytes) -> bytes:
    """Return the file with every compressed stream in the clear."""
    streams = re.findall(rb"stream\r?\n(.*?)\r?\nendstream", pdf, re.S)
    return pdf + b"\n".join(unpacked(stream) for stream in streams)


def unpacked(stream: bytes) -> bytes:
    try:
        return zlib.decompressobj().decompress(stream)
    except zlib.error:
        return b""


def mapped(pdf: bytes) -> set[str]:
    """Return every letter that a glyph of the file stands for: what a reader can copy and search."""
    letters = set()
    for table in re.findall(rb"beginbfchar\s(.*?)endbfchar", content_of(pdf), re.S):
        for code in re.findall(rb"<\w+>\s*<(\w+)>", table):
            letters |= set(bytes.fromhex(code.decode()).decode("utf-16-be", "replace"))
    return letters


def test_the_pdf_embeds_a_japanese_font_and_every_letter_can_be_copied(answered):
    with translation.override("ja"):
        pdf = answer_pdf.pdf_of(answered.answer())
    found = content_of(pdf)
    assert pdf.startswith(b"%PDF-") and b"NotoSansJP" in found and b"/FontFile3" in found
    assert set("写真を見ました。髙橋さん、𠮷野さん。保湿毎日続皮膚科専門医123456") <= mapped(pdf)
    assert b"/StructTreeRoot" in found and b"pdfuaid" in found


def test_what_a_person_typed_is_never_read_as_markup(answered):
    with translation.override("ja"):
        assert set('#image("/etc/passwd")*$@\\<>') <= mapped(answer_pdf.pdf_of(answered.answer()))


def test_the_document_says_everything_that_was_signed_and_the_warning_signs_once(answered, alice):
    with translation.override("en"):
        words = answer_pdf.words_of(Review.objects.get())
    titles = [section["title"] for section in words["sections"]]
    assert titles == ["Today", "This week", "Signs not to wait for", "Next photos"]
    assert words["signed"][:3] == ["Dr Dana", "皮膚科専門医", "licence number 123456"]
    assert words["about"] == ["Alice", "Elbow crease"] or words["about"][0] == "Alice"
    assert "(Japan time)" in words["signed"][3] and str(timezone.localdate().year) in words["signed"][3]
    assert "today" not in words["signed"][3]


@pytest.mark.parametrize("language", ["ja", "en"])
def test_an_old_answer_without_a_plan_is_a_document_too(alices_submission, dana, language):
    reviews.claim(alices_submission, by=dana)
    review = reviews.sign(alices_submission, by=dana, **ANSWER)
    with translation.override(language):
        assert answer_pdf.pdf_of(review).startswith(b"%PDF-")
        assert [each["lines"] != [] for each in answer_pdf.words_of(review)["sections"]] == [True]


def test_only_alice_gets_it_and_no_cache_keeps_it(client, alice, bob, dana, answered):
    path = f"/consultations/{answered.pk}/answer.pdf"
    for person, status in ((bob, 404), (dana, 403), (alice, 200)):
        client.force_login(person)
        reply = client.get(path)
        assert reply.status_code == status
    assert reply["Content-Type"] == "application/pdf" and reply["Cache-Control"] == "private, no-store"
    assert reply["Content-Disposition"] == 'attachment; filename="teleder.pdf"'


def test_without_an_answer_there_is_no_document(client, alice, alices_submission):
    client.force_login(alice)
    assert client.get(f"/consultations/{alices_submission.pk}/answer.pdf").status_code == 404


def test_so_many_an_hour_and_no_more(client, alice, answered, settings):
    settings.DOCUMENTS_PER_PATIENT_PER_HOUR = 2
    client.force_login(alice)
    path = f"/consultations/{answered.pk}/answer.pdf"
    assert [client.get(path).status_code for _ in range(3)] == [200, 200, 429]
