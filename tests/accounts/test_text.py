"""Typed text is stored without control characters and misleading characters, and is otherwise unchanged."""

from __future__ import annotations

import importlib
import inspect
import json
import pkgutil
import unicodedata
from pathlib import Path

import pytest
from django import forms
from django.apps import apps
from django.db import models
from django.test import Client
from django.urls import reverse
from hypothesis import example, given, settings, strategies
from rest_framework import serializers as rest

from teleder.accounts.models import Clinic, DermatologistProfile, User
from teleder.accounts.text import LineField, LineFormField, TextField, clean_line, clean_text
from teleder.cases import reviews
from teleder.cases.models import Review, Submission
from teleder.privacy import holds
from teleder.privacy.models import Hold

SHOWN = [
    "\u845b\U000e0100\u98fe\u533a",  # two forms of one ideograph, as names in family registers have them
    "\u8fbb\U000e0101\u3055\u3093",
    "\ufa11\U000e0100",
    "\u9ad9\u6a4b \u65e5\u2e55",
    "\U0001f468\u200d\U0001f469\u200d\U0001f467",  # a family
    "\U0001f469\U0001f3fd\u200d\u2695\ufe0f",  # a doctor
    "\u2764\ufe0f\u200d\U0001f525",
    "\U0001f3f4\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f",  # the flag of Scotland
    "\U0001f3f3\ufe0f\u200d\U0001f308",
    "\U0001f642\u200d\u2194\ufe0f",
    "1\ufe0f\u20e3 \u203c\ufe0f \u3299\ufe0f",
    "\u304b\u3099 \uff76\uff9e \uff21\uff22\u3000\uff11",  # not composed, half and full width: unchanged
    "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",  # Persian
    "\u0915\u094d\u200d\u0937",  # Hindi
    "a\tb\nc",
    "e\u0301 \u1e9e \ue000",  # private use: Japanese gaiji
]
MISLEADING = {
    "right to left": ("abc\u202egpj.exe", "abcgpj.exe"),
    "isolates": ("\u2066a\u2067b\u2068c\u2069", "abc"),
    "embeddings": ("\u202aa\u202bb\u202cc\u202dd", "abcd"),
    "marks": ("a\u200eb\u200fc\u061cd", "abcd"),
    "zero width": ("ad\u200bm\u2060i\ufeffn", "admin"),
    "joiner in a name": ("ad\u200dm\u200cin", "admin"),
    "selector in a name": ("ad\ufe0fmin\U000e0100", "admin"),
    "soft hyphen": ("ad\u00admin", "admin"),
    "tags": ("a\U000e0041\U000e0042\U000e007fb", "ab"),
    "tags behind a flag that never ends": ("\U0001f3f4\U000e0067b", "\U0001f3f4b"),
    "two selectors": ("\u845b\U000e0100\U000e0101", "\u845b\U000e0100"),
    "joiner at the end": ("\U0001f469\u200d", "\U0001f469"),
    "selector at the start": ("\ufe0fa", "a"),
    "null": ("a\0b", "ab"),
    "bell and escape": ("a\x07\x1b[31mb\x9b", "a[31mb"),
    "fillers": ("\u3164\uffa0", ""),
    "half a pair": ("a\ud800b", "ab"),
    "ends of lines": ("a\r\nb\rc\x0bd\x0ce\x85f\u2028g\u2029h", "a\nb\nc\nd\ne\nf\ng\nh"),
}


@pytest.mark.parametrize("text", SHOWN)
def test_visible_text_is_unchanged(text):
    assert clean_text(text) == text


@pytest.mark.parametrize("name", MISLEADING)
def test_misleading_characters_are_removed(name):
    typed, kept = MISLEADING[name]
    assert clean_text(typed) == kept


def test_a_line_contains_no_line_break():
    assert clean_line("a\r\nb\tc\u2028d") == "a b c d"


INVISIBLE = "".join(chr(code) for code in range(0x110000) if unicodedata.category(chr(code)) in {"Cc", "Cf"})
TYPED = strategies.text() | strategies.text(
    strategies.sampled_from(
        INVISIBLE + "\ufe0f\U000e0100\u3164aZ1\u845b\u0915\U0001f469\U0001f3fd\u2764\U0001f3f4"
    )
)


@given(TYPED)
@settings(max_examples=1000, deadline=None)
@example("\U0001f469\u200d\ufe0f\u200d\U0001f469")
@example("\U0001f3f4\U000e0067\u200b\U000e007f")
def test_any_text_keeps_its_visible_characters_and_loses_control_characters(text):
    kept = clean_text(text)
    assert clean_text(kept) == kept
    assert not any(unicodedata.category(letter) == "Cc" for letter in kept.translate({9: None, 10: None}))
    assert not set(kept) & set(
        "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200b\u200e\u200f\u2060\ufeff"
    )
    assert seen(kept) == seen(text)
    assert "\n" not in clean_line(text)


def seen(text: str) -> str:
    """Return the letters, marks, numbers, signs and blanks, selectors and fillers aside."""
    dropped = {
        *map(chr, range(0xFE00, 0xFE10)),
        *map(chr, range(0xE0100, 0xE01F0)),
        *"\u180b\u180c\u180d\u3164\uffa0",
    }
    return "".join(
        letter
        for letter in text
        if unicodedata.category(letter) not in {"Cc", "Cf", "Cs", "Zl", "Zp"} and letter not in dropped
    )


# --- Every field is covered -------------------------------------------------------------------------------
OURS = (
    "accounts",
    "cases",
    "notifications",
    "privacy",
)  # the program writes the audit log, and its text is hashed
# Written by the program, or validated by character (addresses); they contain no free text.
BY_PROGRAM = {
    *("accounts.User.password", "accounts.User.email", "accounts.Invitation.email"),
    *("accounts.ChildInvitation.email", "accounts.ChildInvitation.token_sha256"),
    *("accounts.Invitation.token_sha256", "accounts.Consent.version", "accounts.Consent.text"),
    *("cases.Case.number", "cases.Submission.idempotency_key", "cases.Submission.policy"),
    "cases.Submission.photos_wanted",  # a code from a list
    "cases.AnswerDraft.stopped_because",  # another
    *("cases.Review.diagnosis", "cases.Review.icd10", "cases.Review.snomed"),  # of the list of diagnoses
    *("cases.Review.codes_version", "cases.Review.template"),
    *("cases.Photo.original_key", "cases.Photo.original_name", "cases.Photo.display_key"),
    *("cases.Photo.analysis_key", "cases.Photo.thumbnail_key", "cases.Photo.sha256", "cases.Photo.sealed_by"),
    *("cases.Photo.display_sha256", "cases.Photo.analysis_sha256", "cases.Photo.thumbnail_sha256"),
    *("cases.Analysis.mask_sha256", "cases.Analysis.attribution_sha256", "cases.DamagedFile.name"),
    *(
        "cases.Photo.veiled_key",
        "cases.Photo.veiled_sha256",
        "cases.Photo.full_key",
        "cases.Photo.full_sha256",
    ),
    "cases.Submission.photos_wanted_place",  # a code of a place
    *("backups.Backup.name", "backups.Backup.place"),
    "cases.Heartbeat.name",
    "notifications.Alert.kind",
    *("cases.Photo.trace", "cases.Job.error", "cases.Job.worker"),
    *("cases.Analysis.mask_key", "cases.Analysis.device", "cases.Analysis.attribution_key"),
    "cases.DrawnCropFinding.mask_key",
    *("accounts.AttemptCounter.key", "accounts.FailedLogin.email_hash", "cases.RefusedMessage.kind"),
    *("cases.Photo.place", "cases.ShareLink.token_sha256"),
    *("accounts.Device.session_key", "accounts.User.time_zone", "accounts.User.device_time_zone"),
    *("privacy.Tombstone.person_sha256", "privacy.Tombstone.policy", "privacy.Remnant.place"),
}


def test_every_text_column_is_cleaned_or_listed_as_written_by_the_program():
    for app in OURS:
        for model in apps.get_app_config(app).get_models():
            for field in model._meta.concrete_fields:
                if not isinstance(field, models.CharField | models.TextField) or field.choices:
                    continue
                name = f"{app}.{model.__name__}.{field.name}"
                assert isinstance(field, LineField | TextField) or name in BY_PROGRAM, name


def forms_of_ours() -> list[type[forms.BaseForm]]:
    root = Path(__import__("teleder").__file__).parent
    names = [
        ".".join(file.relative_to(root.parent).with_suffix("").parts)
        for file in root.rglob("*.py")
        if "migrations" not in file.parts and file.stem != "wsgi"
    ]
    found = {
        each
        for name in names
        for each in vars(importlib.import_module(name)).values()
        if inspect.isclass(each)
        and issubclass(each, forms.BaseForm)
        and hasattr(each, "base_fields")  # a mixin has none
        and each.__module__.startswith("teleder")
    }
    return sorted(found, key=lambda each: each.__qualname__)


# Codes, addresses and passwords: compared and never shown to others ("username": allauth removes it).
NOT_TEXT = {
    "username",
    "code",
    "password",
    "oldpassword",
    "password1",
    "password2",
    "oldpassword",
    "email",
    "login",
    "credential",
    "amends",
    "template",
    "plan_template",
    "template_language",
    "keep_text",
}


def test_every_text_field_of_a_form_is_cleaned():
    found = forms_of_ours()
    assert len(found) >= 8
    for form in found:
        for name, field in form.base_fields.items():
            is_text = isinstance(field, forms.CharField) and not isinstance(field, forms.EmailField)
            assert not is_text or isinstance(field, LineFormField) or name in NOT_TEXT, (form, name)


def test_every_serializer_of_the_api_cleans_its_text():
    from teleder.api import serializers
    from teleder.api.serializers.base import StrictSerializer

    modules = [
        importlib.import_module(f"{serializers.__name__}.{found.name}")
        for found in pkgutil.iter_modules(serializers.__path__)
    ]
    takes = {
        each
        for module in modules
        for each in vars(module).values()
        if inspect.isclass(each) and issubclass(each, StrictSerializer)
    }
    texts = {
        (each.__name__, name)
        for each in takes
        for name, field in each().fields.items()
        if type(field) is rest.CharField and field.trim_whitespace
    }
    assert {
        ("SignSerializer", "text"),
        ("SignSerializer", "reason"),
        ("PatientChangeSerializer", "name"),
    } <= texts
    # Subclasses of `CharField` are not checked here: they only contain codes and addresses.
    others = {
        (each.__name__, name)
        for each in takes
        for name, field in each().fields.items()
        if isinstance(field, rest.CharField) and type(field) is not rest.CharField
    }
    assert {name for _each, name in others} <= {"code", "email"}


# --- Through pages and API --------------------------------------------------------------------------------
SPOOFED, CLEAN = "Al\u202eice\u200b \u845b\U000e0100\x07", "Alice \u845b\U000e0100"
pages = pytest.mark.django_db


def logged_in(person) -> Client:
    client = Client()
    client.force_login(person)
    return client


@pages
def test_alices_name_by_page_and_by_api(alice):
    client = logged_in(alice)
    form = {"section": "me", "name": SPOOFED, "reading": "ありす", "birth_year": "1990"}
    assert client.post(reverse("web:settings"), form).status_code == 302
    alice.refresh_from_db()
    assert alice.name == CLEAN
    answer = client.patch("/api/v1/me", json.dumps({"name": f"{SPOOFED}\nX"}), "application/json")
    assert (answer.status_code, answer.json()["name"]) == (200, f"{CLEAN} X")
    assert client.patch("/api/v1/me", '{"name": "a\\u0000b"}', "application/json").json()["name"] == "ab"


@pages
def test_danas_name_in_the_admin_site(sue, dana):
    address = reverse("admin:accounts_user_change", args=[dana.pk])
    form = {"email": dana.email, "name": SPOOFED, "language": "en"}
    form |= {f"dermatologist-{part}": "1" for part in ("TOTAL_FORMS", "INITIAL_FORMS")}
    form |= {"dermatologist-0-user": str(dana.pk), "dermatologist-0-title": SPOOFED}
    form |= {"dermatologist-0-licence_number": "12\u200b34"}
    assert logged_in(sue).post(address, form).status_code == 302
    dana.refresh_from_db()
    assert (dana.name, dana.dermatologist.title, dana.dermatologist.licence_number) == (CLEAN, CLEAN, "1234")


@pages
def test_answers_and_reasons_by_page_and_by_api(dana, alice, submission_of):
    answer = {
        "impression": "AD",
        "disposition": "self_care",
        "text": f"{SPOOFED}\r\nGood-bye",
        "reason": SPOOFED,
    }
    for by_page in (True, False):
        claimed = submission_of(alice, fever="yes")  # a reason is kept only for a lower urgency
        reviews.claim(claimed, by=dana)
        if by_page:
            done = logged_in(dana).post(reverse("web:answer", args=[claimed.pk]), answer)
        else:
            address = f"/api/v1/submissions/{claimed.pk}/reviews"
            done = logged_in(dana).post(address, answer, "application/json")
            assert done.json()["text"] == f"{CLEAN}\nGood-bye"
        assert done.status_code in {201, 302}
        review = claimed.reviews.get()
        assert (review.text, review.reason) == (f"{CLEAN}\nGood-bye", CLEAN)


@pages
@pytest.mark.parametrize("blank", ["\u200b\u2060", "\u202e", "\u3164", "\ufeff \t"])
def test_an_answer_or_a_reason_without_visible_text_is_refused(dana, alices_submission, blank):
    reviews.claim(alices_submission, by=dana)
    Submission.objects.filter(pk=alices_submission.pk).update(urgency=3)
    answer = {"impression": "AD", "disposition": "self_care", "text": "Go on.", "reason": blank}
    client, page = logged_in(dana), reverse("web:answer", args=[alices_submission.pk])
    api = f"/api/v1/submissions/{alices_submission.pk}/reviews"
    for form in (answer, answer | {"text": blank, "reason": "x"}):
        assert client.post(page, form).status_code == 422
        assert client.post(api, form, "application/json").status_code == 400
    assert not Review.objects.exists()


@pages
def test_a_history_by_page_and_by_api(alice, draft_of):
    draft = draft_of(alice)
    client = logged_in(alice)
    page = reverse("web:history", args=[draft.pk, "treatment"])
    assert client.post(page, {"treatment": SPOOFED}).status_code == 303
    draft.refresh_from_db()
    assert draft.history["treatment"] == CLEAN
    body = json.dumps({"history": {"allergies": f"{SPOOFED}\r\nnone"}})
    assert client.patch(f"/api/v1/submissions/{draft.pk}", body, "application/json").status_code == 200
    draft.refresh_from_db()
    assert draft.history["allergies"] == f"{CLEAN}\nnone"


@pages
def test_the_reason_of_a_hold_and_the_name_of_a_clinic(adam, alice):
    holds.set_hold(alice, reason=SPOOFED, by=adam)
    assert Hold.objects.get().reason == CLEAN
    assert Clinic.objects.create(name=SPOOFED).name == CLEAN
    Clinic.objects.filter(name=CLEAN).update(name="b\u202ea")
    assert Clinic.objects.filter(name="ba").exists()


@pages
def test_a_name_is_cleaned_in_every_way_it_can_be_written(alice, dana):
    User.objects.filter(pk=alice.pk).update(name=SPOOFED)
    DermatologistProfile.objects.filter(user=dana).update(title=SPOOFED)
    alice.refresh_from_db()
    dana.refresh_from_db()
    assert (alice.name, dana.dermatologist.title) == (CLEAN, CLEAN)


@pages
def test_a_password_is_not_cleaned(alice, client):
    password = "pass\u200bword-\u202e-with-marks"
    alice.set_password(password)
    alice.save()
    body = json.dumps({"email": alice.email, "password": password})
    assert client.post(reverse("api:tokens"), body, "application/json").status_code in {200, 201}
