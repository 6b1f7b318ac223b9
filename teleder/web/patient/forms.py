"""Forms of patients, and of the settings page for all roles."""

from __future__ import annotations

from datetime import date
from typing import Any

from django import forms
from django.conf import settings
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext

from teleder.accounts.children import OLDEST_YEARS, childs_birth_date, past_date, refuse_growing_up
from teleder.accounts.email_addresses import EmailField
from teleder.accounts.forms import PASSWORD_HINT, InPlainWords, NameFields
from teleder.accounts.models import Guardianship, PatientProfile, Purpose, Relation, SkinType, User
from teleder.accounts.normalisation import normalise_number, western_year
from teleder.accounts.time_zone_names import zone_choices, zone_label
from teleder.notifications.models import Preference

FOUR_DIGITS = _("Please give the year of birth with four digits, for example 1994.")


SKIN_TYPES = [("", _("I don't know")), *SkinType.choices]


class NameForm(NameFields, forms.ModelForm):
    class Meta:
        model = User
        fields = ("name", "reading")


class PersonForm(NameForm):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not self.instance.is_patient:
            del self.fields["reading"]
            self.fields["name"].disabled, self.fields["name"].required = True, False
            self.fields["name"].help_text = _(
                "It appears under signed answers, so only an admin can change it."
            )

    def clean_reading(self) -> str:
        """Let a name from before readings were asked for stay as it is."""
        is_untouched = not {"name", "reading"} & set(self.changed_data)
        return self.instance.reading if is_untouched else super().clean_reading()


class LanguageForm(InPlainWords, forms.ModelForm):
    class Meta:
        model = User
        fields = ("language",)
        labels = {"language": _("Language")}


class BirthYearFormField(forms.IntegerField):
    """A year in any width. A year of a Japanese era is answered with the western one."""

    def to_python(self, value: Any) -> int | None:
        return super().to_python(western_year(value) if isinstance(value, str) else value)


class ProfileForm(InPlainWords, forms.ModelForm):
    class Meta:
        model = PatientProfile
        fields = ("birth_year", "skin_type")
        labels = {"birth_year": _("Year of birth"), "skin_type": _("Skin type (optional)")}
        help_texts = {
            "birth_year": _("Four digits, for example 1994. Your age helps the dermatologist."),
            "skin_type": _("How your skin reacts to the sun. Redness looks different on different skin."),
        }
        field_classes = {"birth_year": BirthYearFormField}
        error_messages = {"birth_year": dict.fromkeys(("invalid", "min_value", "max_value"), FOUR_DIGITS)}
        widgets = {"birth_year": forms.TextInput(attrs={"inputmode": "numeric", "autocomplete": "bday-year"})}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Ask for the date of birth only where the year leaves open whether its owner is grown up."""
        super().__init__(*args, **kwargs)
        self.fields["skin_type"].choices = SKIN_TYPES
        stored = self.instance
        self.known = PatientProfile(birth_year=stored.birth_year, birth_date=stored.birth_date)
        turns = timezone.localdate().year - settings.AGE_OF_CONSENT_YEARS
        typed = self.data.get("birth_year", self.instance.birth_year)
        if normalise_number(str(typed)) == str(turns):
            self.fields["birth_date"] = BirthDateField(
                help_text=_("We need it because you turn %(years)d this year.")
                % {"years": settings.AGE_OF_CONSENT_YEARS},
                initial=self.instance.birth_date,
            )

    def clean(self) -> dict[str, Any]:
        """Keep a date only with its year."""
        cleaned = super().clean()
        born, year = cleaned.get("birth_date"), cleaned.get("birth_year")
        if born and year and born.year != year:
            self.add_error("birth_date", _("Please check the date of birth."))
        known = self.instance.birth_date
        if "birth_date" not in self.fields and known and known.year == year:
            born = known
        claimed = PatientProfile(birth_year=year, birth_date=born)
        if year and self.known.birth_year:
            try:
                refuse_growing_up(self.known, claimed)
            except forms.ValidationError as error:
                self.add_error("birth_year", error)
        if year and "birth_date" not in self.errors:
            self._ask_if_right(claimed)
        self.instance.birth_date = born
        return cleaned

    def _ask_if_right(self, claimed: PatientProfile) -> None:
        """Ask once whether a year or date is right that makes a child of a person who was none: only the clinic takes it back."""
        # It does not say what follows from the answer: nobody is led to give another one.
        years = settings.AGE_OF_CONSENT_YEARS
        was_child = self.known.birth_year and self.known.may_be_under(years)
        if was_child or not claimed.may_be_under(years):
            return
        confirmed = str(claimed.birth_date or claimed.birth_year)
        if self.data.get("birth_is_right") == confirmed:
            return
        age, is_exact = claimed.age, claimed.birth_date or not claimed.age
        said = {
            "born": date_format(claimed.birth_date, "DATE_FORMAT")
            if claimed.birth_date
            else pgettext("year of birth", "%(year)d") % {"year": claimed.birth_year},
            "age": age if is_exact else _("%(age)d or %(next)d") % {"age": age - 1, "next": age},
        }
        text = _(
            "Is this right? Born %(born)s, you are %(age)s years old. If it is wrong, correct it. If it is right, tick the box below."
        )
        self.add_error("birth_date" if claimed.birth_date else "birth_year", text % said)
        self.birth_to_confirm = {"value": confirmed, "label": _("Yes, I was born %(born)s") % said}

    def clean_birth_year(self) -> int:
        year, this_year = self.cleaned_data["birth_year"], timezone.localdate().year
        if not this_year - OLDEST_YEARS <= year <= this_year:
            raise forms.ValidationError(FOUR_DIGITS)
        return year


class BirthDateField(forms.DateField):
    widget = forms.DateInput(attrs={"type": "date", "autocomplete": "bday"}, format="%Y-%m-%d")

    def __init__(self, **options: Any) -> None:
        super().__init__(label=_("Date of birth"), input_formats=["%Y-%m-%d"], **options)

    def validate(self, value: date | None) -> None:
        super().validate(value)
        if value:
            past_date(value)


class ChildForm(NameFields):
    """A child of the account's owner; with `child` its stored values, which `save` replaces."""

    birth_date = BirthDateField()
    relation = forms.ChoiceField(label=_("You are the child's"), choices=Relation.choices)
    skin_type = forms.TypedChoiceField(
        label=_("Skin type (optional)"),
        help_text=_("How the skin reacts to the sun. Redness looks different on different skin."),
        choices=SKIN_TYPES,
        coerce=int,
        empty_value=None,
        required=False,
    )

    def __init__(self, *args: Any, child: User | None = None, **kwargs: Any) -> None:
        self.child = child
        if child:
            kwargs["initial"] = {
                "name": child.name,
                "reading": child.reading,
                "relation": child.relation,
                "birth_date": child.patient.birth_date,
                "skin_type": child.patient.skin_type,
            }
        super().__init__(*args, **kwargs)
        self.fields["name"].label, self.fields["name"].help_text = _("Name of the child"), ""
        self.fields["name"].widget.attrs["autocomplete"] = "off"

    def clean_birth_date(self) -> date:
        """Refuse a new date that makes the child a grown-up, who has an account of their own."""
        born = self.cleaned_data["birth_date"]
        is_kept = self.child and born == self.child.patient.birth_date
        return born if is_kept else childs_birth_date(born)

    def save(self) -> None:
        given, child = self.cleaned_data, self.child
        child.name, child.reading = given["name"], given["reading"]
        child.save()
        Guardianship.objects.filter(pk=child.guardianship).update(relation=given["relation"])
        child.patient.birth_date, child.patient.birth_year = given["birth_date"], given["birth_date"].year
        child.patient.skin_type = given["skin_type"]
        child.patient.save()


class RelationForm(InPlainWords, forms.Form):
    relation = forms.ChoiceField(label=_("You are the child's"), choices=Relation.choices)


class GuardianForm(InPlainWords, forms.Form):
    email = EmailField(label=_("E-mail address of the other guardian"))


class HandOverForm(InPlainWords, forms.Form):
    email = EmailField(label=_("The child's own e-mail address"))


class TakeOverForm(InPlainWords, forms.Form):
    password = forms.CharField(
        label=_("New password"),
        help_text=PASSWORD_HINT,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        strip=False,
    )


class TimeZoneForm(InPlainWords, forms.ModelForm):
    time_zone = forms.ChoiceField(
        label=_("Time zone"),
        help_text=_("All times that you read here are in this zone."),
        required=False,
    )

    class Meta:
        model = User
        fields = ("time_zone",)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        chosen, device = self.instance.time_zone, self.instance.device_time_zone or settings.TIME_ZONE
        usual = _("as this device: %(zone)s") % {"zone": zone_label(device)}
        self.fields["time_zone"].choices = [("", usual), *zone_choices(chosen, device)]


class NoticeForm(InPlainWords, forms.Form):
    email = forms.BooleanField(label=_("Notify me by e-mail"), required=False)

    def __init__(self, *args: Any, person: User | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.person = person
        self.fields["email"].widget.attrs |= {"class": "switch", "role": "switch"}

    def save(self) -> None:
        wanted = self.cleaned_data["email"]
        Preference.objects.update_or_create(person=self.person, defaults={"email": wanted})


class ConsentForm(InPlainWords, forms.Form):
    """The consents, apart and unticked; only that to care is needed."""

    care = forms.BooleanField(
        label=_("I agree"), error_messages={"required": _("Care by photo requires this consent.")}
    )
    ai = forms.BooleanField(label=_("I agree (optional)"), required=False)
    training = forms.BooleanField(label=_("I agree (optional)"), required=False)

    def purposes(self) -> list[Purpose]:
        chosen: dict[str, Any] = self.cleaned_data
        return [purpose for purpose in Purpose if chosen.get(purpose.value)]
