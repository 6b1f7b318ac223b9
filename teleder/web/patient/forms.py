"""Forms of patients, and of the settings page for all roles."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from teleder.accounts.models import PatientProfile, Purpose, User
from teleder.accounts.normalisation import western_year

OLDEST_YEARS = 120
FOUR_DIGITS = _("Please give the year of birth with four digits, for example 1994.")


class PersonForm(forms.ModelForm):
    class Meta:
        model = User
        fields = ("name", "language")
        labels = {"name": _("Name"), "language": _("Language")}
        widgets = {"name": forms.TextInput(attrs={"autocomplete": "name"})}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not self.instance.is_patient:
            self.fields["name"].disabled = True
            self.fields["name"].help_text = _(
                "It appears under signed answers, so only an admin can change it."
            )


class BirthYearFormField(forms.IntegerField):
    """A year in any width. A year of a Japanese era is answered with the western one."""

    def to_python(self, value: Any) -> int | None:
        return super().to_python(western_year(value) if isinstance(value, str) else value)


class ProfileForm(forms.ModelForm):
    class Meta:
        model = PatientProfile
        fields = ("birth_year", "skin_type")
        labels = {"birth_year": _("Year of birth"), "skin_type": _("Skin type (optional)")}
        help_texts = {
            "birth_year": _("Four digits, for example 1994. Your age helps the dermatologist."),
            "skin_type": _("How your skin reacts to the sun. Redness looks different on different skin."),
        }
        field_classes = {"birth_year": BirthYearFormField}
        error_messages = {"birth_year": {"invalid": FOUR_DIGITS}}
        widgets = {"birth_year": forms.TextInput(attrs={"inputmode": "numeric", "autocomplete": "bday-year"})}

    def clean_birth_year(self) -> int:
        year, this_year = self.cleaned_data["birth_year"], timezone.localdate().year
        if not this_year - OLDEST_YEARS <= year <= this_year:
            raise forms.ValidationError(FOUR_DIGITS)
        return year


class NoticeForm(forms.Form):
    email = forms.BooleanField(label=_("Notify me by e-mail"), required=False)


class ConsentForm(forms.Form):
    """The consents, apart and unticked; only that to care is needed."""

    care = forms.BooleanField(
        label=_("I agree"), error_messages={"required": _("Care by photo requires this consent.")}
    )
    ai = forms.BooleanField(label=_("I agree (optional)"), required=False)
    training = forms.BooleanField(label=_("I agree (optional)"), required=False)

    def purposes(self) -> list[Purpose]:
        chosen: dict[str, Any] = self.cleaned_data
        return [purpose for purpose in Purpose if chosen.get(purpose.value)]
