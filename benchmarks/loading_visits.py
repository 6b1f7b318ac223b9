"""A patient for each language, with a draft, a consultation that waits and an answer, and their pages as JSON.

A child of `benchmarks.loading`, in the environment of a database, as `benchmarks.visits` is one of `benchmarks.pages`.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from benchmarks.examples import HISTORY, TEXT, prepare
from benchmarks.visits import session_of

NAMES = {"ja": "山田 はな", "en": "Hana Yamada"}
ANSWERS = {
    "ja": "写真をありがとうございます。アトピー性皮膚炎がひどくなっているようです。保湿剤と、今のぬり薬を続けてください。",
    "en": TEXT,
}
PLAN = {"ja": ("やさしく洗います。", "毎日ぬります。"), "en": ("Wash gently.", "Use the cream every day.")}
DRAWN_QUESTION = 4  # with a drawing
THUMBNAIL_PX = 320
NEXT_PHOTO_DAYS = 14


def visits() -> Iterator[dict[str, str]]:
    """Yield name, language, path and session of each page; a visitor has no session."""
    from django.utils import translation

    for language in NAMES:
        with translation.override(language):
            yield {"page": "front page", "language": language, "path": "/", "session": ""}
            yield from _of_a_patient(language)


def _of_a_patient(language: str) -> Iterator[dict[str, str]]:
    from django.urls import reverse

    from drills.people import create
    from teleder.cases import intake, reviews
    from teleder.cases.plan import Plan, clinic_day

    patient = create(f"hana.{language}@example.org", "patient", name=NAMES[language], language=language)
    dana = create(f"dana.{language}@example.org", "dermatologist", name=NAMES[language])
    begun, draft = _draft(patient, "overview"), _draft(patient, "overview", "close_up")
    waiting, answered = (intake.submit(_draft(patient, "overview", "close_up"), by=patient) for _ in range(2))
    reviews.claim(answered, by=dana)
    today, week = PLAN[language]
    plan = Plan(today=[today], this_week=[week], next_photo_on=clinic_day() + timedelta(days=NEXT_PHOTO_DAYS))
    words = {"impression": "AD", "disposition": "self_care", "text": ANSWERS[language]}
    reviews.sign(answered, by=dana, plan=plan, **words)
    paths = {
        "home": reverse("web:home"),
        "a question": reverse("web:question", args=[draft.pk, DRAWN_QUESTION]),
        "photo slots": reverse("web:photos", args=[begun.pk]),
        "review": reverse("web:send", args=[draft.pk]),
        "waiting": reverse("web:submission", args=[waiting.pk]),
        "answer": reverse("web:submission", args=[answered.pk]),
    }
    session = session_of(patient)
    for page, path in paths.items():
        yield {"page": page, "language": language, "path": path, "session": session}


def _draft(patient: Any, *views: str) -> Any:
    """Return a draft with a prepared photo of each view."""
    from django.core.files.uploadedfile import SimpleUploadedFile

    from drills import client
    from teleder.cases import intake

    draft = intake.start(patient=patient, answers=client.calm())
    intake.describe(draft, body_site="elbow_crease", history=HISTORY)
    for seed, view in enumerate(views):
        content = client.photo(seed=seed, long_side=THUMBNAIL_PX)
        upload = SimpleUploadedFile("photo.jpg", content)
        prepare(intake.add_photo(draft, view=view, upload=upload), content)
    draft.refresh_from_db()
    return draft


def main() -> None:
    import django

    django.setup()
    json.dump(list(visits()), sys.stdout)


if __name__ == "__main__":
    main()
