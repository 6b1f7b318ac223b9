"""`manage.py demo`: four people, a child and a handful of made-up cases, once. Photos are phantoms drawn by the worker."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction
from django.utils import timezone, translation

from teleder.accounts import licences
from teleder.accounts.children import add_child
from teleder.accounts.guardians import Relation
from teleder.accounts.models import DermatologistProfile, PatientProfile, Purpose, Role, User
from teleder.accounts.people import give_consent
from teleder.cases import intake, reviews, triage
from teleder.cases.body_places import PAIRED_SITES, BodyPlace, Side
from teleder.cases.models import Case, PhotoView
from teleder.cases.plan import Plan, clinic_day
from teleder.cases.questionnaire import BodySite

PASSWORD = "teleder-demo-2026"  # noqa: S105  (made-up people; refused where others could log in)
LOOPBACK = {"localhost", "127.0.0.1", "::1"}
PEOPLE = [
    ("alice@example.com", "田中 アリス", Role.PATIENT, "ja"),
    ("bob@example.com", "Bob Brown", Role.PATIENT, "en"),
    ("dana@example.com", "佐藤 ダナ", Role.DERMATOLOGIST, "ja"),
    ("adam@example.com", "Adam Admin", Role.ADMIN, "en"),
]
# (patient, condition drawn, body site, answers other than "no", history, last step of the case)
CASES: list[tuple[str, str, str, dict, dict, str]] = [
    ("alice", "AD", "elbow_crease", {}, {"duration": "years", "symptoms": ["itch"], "itch": 6}, "answered"),
    ("alice", "AD", "elbow_crease", {}, {"duration": "years", "symptoms": ["itch"], "itch": 4}, "follow_up"),
    (
        "sora",
        "OTHER",
        "knee_crease",
        {},
        {"duration": "weeks_1_4", "symptoms": ["itch"], "itch": 5},
        "submitted",
    ),
    ("alice", "HI", "face", {"grouped_blisters": "yes", "fever": "yes"}, {"symptoms": ["pain"]}, "submitted"),
    ("bob", "IM", "around_mouth", {"crusts": "yes"}, {"duration": "days_2_6"}, "submitted"),
    ("bob", "MF", "back", {"lasting_patch": "yes"}, {"duration": "years"}, "submitted"),
    ("bob", "OTHER", "forearm", {}, {"duration": "weeks_1_4", "symptoms": ["itch"]}, "submitted"),
    ("bob", "NORMAL", "hand", {}, {}, "draft"),
]


CHILD_YEARS = 6


class Command(BaseCommand):
    help = "Seed the demonstration: alice and bob (patients), alice's child sora, dana (dermatologist), adam (admin). Safe to repeat."

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("--photos", type=Path, help="folder made by `python -m training.phantom`")

    def handle(self, *, photos: Path | None, **_: Any) -> None:
        if User.objects.filter(email=PEOPLE[0][0]).exists():
            self.stdout.write("The demonstration is already there.")
            return
        # The demo's password is public, and the password rules refuse it: only a loopback installation may use it
        hosts = {host.strip("[]") for host in settings.ALLOWED_HOSTS} | {
            urlsplit(settings.PUBLIC_URL).hostname
        }
        if not settings.INSECURE_COOKIES or not hosts <= LOOPBACK:
            raise CommandError(
                "The demonstration is for this machine alone: its password is public. It needs TELEDER_INSECURE_COOKIES=1, "
                "and TELEDER_HOSTS and TELEDER_PUBLIC_URL that name localhost only."
            )
        drawn = _photos_by_condition(photos) if photos else {}
        with transaction.atomic():
            people = {email.split("@")[0]: _person(email, *rest) for email, *rest in PEOPLE}
            people["sora"] = _child(people["alice"])
            licences.check(people["dana"], number="000000", expires_on=None, by=people["adam"])
            for row in CASES if drawn else []:
                _case(people, drawn, *row)
        self.stdout.write(
            f"Four people, a child and {len(CASES) if drawn else 0} submissions. Password: {PASSWORD}"
        )


def _photos_by_condition(folder: Path) -> dict[str, Iterator[Path]]:
    manifest = folder / "manifest.csv"
    if not manifest.is_file():
        raise CommandError(f"{manifest} is missing: draw photos first (python -m training.phantom)")
    with manifest.open(newline="") as file:
        rows = list(csv.DictReader(file))
    names = {row["class"] for row in rows}
    return {name: iter([folder / r["image"] for r in rows if r["class"] == name]) for name in names}


def _person(email: str, name: str, role: Role, language: str) -> User:
    user = User.objects.create_user(email, PASSWORD, name=name, role=role, language=language)
    with translation.override(language):
        if user.is_patient:
            PatientProfile.objects.create(user=user, birth_year=1994, skin_type=3)
            give_consent(user, Purpose.CARE)
            give_consent(user, Purpose.AI)
    if user.is_dermatologist:
        DermatologistProfile.objects.create(
            user=user,
            title="皮膚科専門医",
            name_en="Dana Sato",
            title_en="Dermatologist",
        )
    return user


def _child(guardian: User) -> User:
    today = timezone.localdate()
    with translation.override(guardian.language):
        return add_child(
            guardian=guardian,
            name="田中 ソラ",
            reading="たなか そら",
            birth_date=date(today.year - CHILD_YEARS, 1, 1),
            relation=Relation.PARENT,
            purposes=[Purpose.CARE, Purpose.AI],
        )


def _case(
    people: dict, drawn: dict, who: str, condition: str, site: str, yes: dict, history: dict, to: str
) -> None:
    patient = people[who]
    answers = {question["id"]: "no" for question in triage.policy().questions} | yes
    case = Case.objects.filter(patient=patient, body_site=site).first() if to == "follow_up" else None
    submission = intake.start(patient=patient, answers=answers, case=case)
    new = [BodyPlace(BodySite(site), Side.RIGHT if site in PAIRED_SITES else "")]
    places = [str(place) for place in (case.body_places if case else new)]
    intake.describe(submission, places=places, history=history)
    for view, path in zip((PhotoView.OVERVIEW, PhotoView.CLOSE_UP), drawn[condition], strict=False):
        upload = SimpleUploadedFile(path.name, path.read_bytes())
        intake.add_photo(submission, view=view, upload=upload)
    if to != "draft":
        intake.submit(submission, by=patient.reader, send_anyway=True)
    if to == "answered":
        _answer(submission, people["dana"])


def _answer(submission: Any, dana: User) -> None:
    reviews.claim(submission, by=dana)
    reviews.sign(
        submission,
        by=dana,
        at_once=True,
        impression="AD",
        disposition="self_care",
        text=(
            "写真を見ました。いつもの湿疹が、少し強くなっているようです。いつもの手当てを続けてください。"
            "2週間たってもよくならないときは、病院に行ってください。"
        ),
        plan=Plan(
            today=["いつもの保湿をします。", "出ている塗り薬を、朝とおふろのあとに使います。"],
            this_week=["毎日続けます。2〜3日ごとに、その場所を見ます。"],
            next_photo_on=clinic_day() + timedelta(weeks=2),
        ),
    )
