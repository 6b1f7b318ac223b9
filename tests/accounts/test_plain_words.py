"""What a form of a patient says of a field is in our words, in both languages, never in Django's."""

from __future__ import annotations

import re

import pytest
from django import forms
from django.utils.translation import override

from teleder.accounts.forms import InPlainWords, SignUpForm
from teleder.accounts.models import Clinic, PatientProfile
from teleder.security import mfa
from teleder.web.patient import forms as patient_forms

pytestmark = pytest.mark.django_db
DJANGOS = re.compile(
    r"This field|Enter a|Ensure (this|that)|Select a valid|is not (a valid|one of)|Null characters|"
    r"このフィールド|値を|値が|文字数|入力してください。|以(上|下)で|正しく選択|有効な|----"
)
OURS = [
    getattr(patient_forms, name)
    for name in dir(patient_forms)
    if name.endswith("Form") and getattr(patient_forms, name).__module__ == patient_forms.__name__
]
BAD = ["", "x" * 400, "a\x00b", "-5", "99999999", "1,5", "no@", "2026-99-99"]


def bound(kind: type[forms.BaseForm], value: str, alice) -> forms.BaseForm:
    names = [*kind.base_fields, "birth_date"]
    options = {}
    if issubclass(kind, forms.ModelForm):
        options["instance"] = PatientProfile(user=alice) if kind is patient_forms.ProfileForm else alice
    return kind(dict.fromkeys(names, value), **options)


def test_every_form_of_a_patient_uses_our_words():
    assert len(OURS) >= 10
    kinds = [
        *OURS,
        mfa.AuthenticateForm,
        mfa.ReauthenticateForm,
        mfa.ActivateForm,
        mfa.AddKeyForm,
        mfa.EditKeyForm,
    ]
    assert [kind.__name__ for kind in kinds if not issubclass(kind, InPlainWords)] == []


@pytest.mark.parametrize("language", ["en", "ja"])
@pytest.mark.parametrize("kind", [*OURS, SignUpForm], ids=lambda kind: kind.__name__)
def test_no_error_is_djangos(kind, language, alice):
    Clinic.objects.create(name="North")
    with override(language):
        said = [
            str(text)
            for value in BAD
            for errors in bound(kind, value, alice).errors.values()
            for text in errors
        ]
        assert [text for text in said if DJANGOS.search(text)] == []


@pytest.mark.parametrize("language", ["en", "ja"])
def test_a_year_that_cannot_be_and_a_name_that_is_too_long_are_named(language, alice):
    with override(language):
        for year in ("1", "99999", "abc"):
            form = patient_forms.ProfileForm({"birth_year": year}, instance=PatientProfile(user=alice))
            assert form.errors["birth_year"] == [str(patient_forms.FOUR_DIGITS)]
        form = patient_forms.NameForm({"name": "花" * 101}, instance=alice)
        assert "100" in form.errors["name"][0] and str(form.fields["name"].label) in form.errors["name"][0]


@pytest.mark.parametrize(("language", "words"), [("en", "I don&#x27;t know"), ("ja", "わからない")])
def test_no_list_begins_with_dashes(language, words, alice):
    with override(language):
        for form in (
            patient_forms.ChildForm(),
            patient_forms.ProfileForm(instance=PatientProfile(user=alice)),
        ):
            shown = form.as_p()
            assert "----" not in shown and words in shown
        Clinic.objects.create(name="North")
        assert "----" not in SignUpForm().as_p()
