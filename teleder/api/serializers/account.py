"""Log-in, profile, consents, inbox, and a person's own data."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

from django.core.exceptions import ValidationError as DjangoValidationError
from django.core.validators import EmailValidator
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from rest_framework import serializers

from teleder.accounts import time_zones
from teleder.accounts.children import childs_birth_date, past_date, refuse_growing_up
from teleder.accounts.email_addresses import EmailAddressValidator
from teleder.accounts.models import Language, PatientProfile, Purpose, Relation, Role, SkinType, User
from teleder.accounts.names import clean_name, clean_reading
from teleder.accounts.normalisation import normalise_code, normalise_email, western_year
from teleder.api.serializers.base import StrictSerializer
from teleder.notifications.models import Message
from teleder.privacy.models import Why

EARLIEST_BIRTH_YEAR = 1900


class EmailAddressField(serializers.EmailField):
    """An e-mail address in any width, by the rule of all other places (`accounts.email_addresses`)."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.validators = [each for each in self.validators if not isinstance(each, EmailValidator)]
        self.validators.append(EmailAddressValidator(message=self.error_messages["invalid"]))

    def to_internal_value(self, data: Any) -> str:
        return normalise_email(super().to_internal_value(data))


class CodeField(serializers.RegexField):
    """A code, whose letters, digits, spaces and dashes may have any width."""

    def to_internal_value(self, data: Any) -> str:
        return normalise_code(super().to_internal_value(data))


class BirthYearField(serializers.IntegerField):
    """A year, also typed in full-width digits; a Japanese era year is refused with the western one."""

    def to_internal_value(self, data: Any) -> int:
        try:
            return super().to_internal_value(western_year(data) if isinstance(data, str) else data)
        except DjangoValidationError as error:
            raise serializers.ValidationError(error.messages, code=error.code) from None


class CredentialsSerializer(StrictSerializer):
    """Who one is. It is shown again before what cannot be undone: a token alone does not do."""

    password = serializers.CharField(trim_whitespace=False, max_length=256, write_only=True)
    code = CodeField(
        "[0-9A-Za-z]",  # one at least: what is blank is no code
        required=False,
        max_length=20,
        help_text="from the authenticator app, where the account has one",
    )


class LogInSerializer(CredentialsSerializer):
    email = EmailAddressField()


class TokenSerializer(serializers.Serializer):
    token = serializers.CharField(help_text="send it as `Authorization: Token ...`; it is shown only once")
    expires_at = serializers.DateTimeField()


class MeSerializer(serializers.Serializer):
    id = serializers.UUIDField()
    email = serializers.EmailField()
    name = serializers.CharField()
    reading = serializers.CharField(help_text="of the name, in kana; empty where the name needs none")
    role = serializers.ChoiceField(Role.choices)
    language = serializers.ChoiceField(Language.choices)
    time_zone = serializers.CharField(
        help_text="patients only: in which times are shown; empty: that of the device"
    )
    birth_year = serializers.SerializerMethodField(help_text="patients only")
    birth_date = serializers.SerializerMethodField(help_text="patients only, where it was given")
    skin_type = serializers.SerializerMethodField(help_text="patients only: Fitzpatrick I to VI as 1 to 6")
    email_messages = serializers.SerializerMethodField(help_text="whether news is also sent by e-mail")

    def get_birth_year(self, user: User) -> int | None:
        return getattr(getattr(user, "patient", None), "birth_year", None)

    def get_birth_date(self, user: User) -> date | None:
        return getattr(getattr(user, "patient", None), "birth_date", None)

    def get_skin_type(self, user: User) -> int | None:
        return getattr(getattr(user, "patient", None), "skin_type", None)

    def get_email_messages(self, user: User) -> bool:
        return getattr(getattr(user, "preference", None), "email", True)


class MeChangeSerializer(StrictSerializer):
    language = serializers.ChoiceField(Language.choices, required=False)
    email_messages = serializers.BooleanField(required=False)


class PatientChangeSerializer(MeChangeSerializer):
    name = serializers.CharField(required=False, max_length=100)
    reading = serializers.CharField(
        required=False, max_length=100, allow_blank=True, help_text="of the name, in kana"
    )
    time_zone = serializers.CharField(
        required=False,
        allow_blank=True,
        max_length=time_zones.NAME_LENGTH,
        help_text="for example Europe/Berlin",
    )
    birth_year = BirthYearField(required=False, min_value=EARLIEST_BIRTH_YEAR)
    birth_date = serializers.DateField(
        required=False, help_text="needed where the year leaves open whether the person may ask alone"
    )
    skin_type = serializers.ChoiceField(SkinType.choices, required=False, allow_null=True)

    def validate_birth_date(self, born: date) -> date:
        return _cleaned("", past_date, born)

    def validate_time_zone(self, name: str) -> str:
        if name and name not in time_zones.names():
            raise serializers.ValidationError(_("There is no time zone of this name."))
        return name

    def validate_birth_year(self, year: int) -> int:
        if year > timezone.localdate().year:
            raise serializers.ValidationError(_("The year must not be in the future."))
        return year

    def validate(self, data: dict[str, Any]) -> dict[str, Any]:
        if "name" in data:
            data["name"] = _cleaned("name", clean_name, data["name"])
        if "reading" in data:
            name = data.get("name", self.context["request"].user.name)
            data["reading"] = _cleaned("reading", clean_reading, data["reading"], name=name)
        if born := data.get("birth_date"):
            if data.setdefault("birth_year", born.year) != born.year:
                raise serializers.ValidationError({"birth_date": [_("Please check the date of birth.")]})
        elif "birth_year" in data:
            data["birth_date"] = None  # of another year
        known = PatientProfile.objects.filter(user=self.context["request"].user).first()
        if data.get("skin_type") and "birth_year" not in data and not known:
            raise serializers.ValidationError({"birth_year": [_("Please give the year of birth first.")]})
        if known and "birth_year" in data:
            claimed = PatientProfile(birth_year=data["birth_year"], birth_date=data["birth_date"])
            _cleaned("birth_year", refuse_growing_up, known, claimed)
        return data


def _cleaned(field: str, clean: Callable[..., Any], *given: Any, **more: str) -> Any:
    """Return what `clean` makes of it; an error of Django becomes one of the API."""
    try:
        return clean(*given, **more)
    except DjangoValidationError as error:
        raise serializers.ValidationError({field: error.messages} if field else error.messages) from None


class ChildSerializer(serializers.Serializer):
    """A child for whom the caller answers."""

    id = serializers.UUIDField()
    name = serializers.CharField()
    reading = serializers.CharField()
    birth_date = serializers.DateField(source="patient.birth_date")
    skin_type = serializers.IntegerField(source="patient.skin_type", allow_null=True)
    relation = serializers.ChoiceField(Relation.choices, help_text="of the caller")
    may_take_over = serializers.BooleanField(help_text="old enough to decide alone: hand the record over")


class NewChildSerializer(StrictSerializer):
    """A child, and the guardian's consents for the child; without the one to care nothing can be asked."""

    name = serializers.CharField(max_length=100)
    reading = serializers.CharField(required=False, default="", max_length=100, allow_blank=True)
    birth_date = serializers.DateField()
    relation = serializers.ChoiceField(Relation.choices)
    skin_type = serializers.ChoiceField(SkinType.choices, required=False, allow_null=True, default=None)
    version = serializers.CharField(max_length=20, help_text="of the texts that the guardian has read")
    care = serializers.BooleanField()
    ai = serializers.BooleanField(default=False)
    training = serializers.BooleanField(default=False)

    def validate_birth_date(self, born: date) -> date:
        return _cleaned("", childs_birth_date, born)

    def validate_care(self, agrees: bool) -> bool:
        if not agrees:
            raise serializers.ValidationError(_("Care by photo requires this consent."))
        return agrees

    def validate(self, data: dict[str, Any]) -> dict[str, Any]:
        data["name"] = _cleaned("name", clean_name, data["name"])
        data["reading"] = _cleaned("reading", clean_reading, data["reading"], name=data["name"])
        return data


class HandOverSerializer(StrictSerializer):
    email = EmailAddressField(help_text="the child's own")


class ConsentSerializer(serializers.Serializer):
    purpose = serializers.ChoiceField(Purpose.choices)
    version = serializers.CharField()
    text = serializers.CharField(help_text="the words agreed to, in the language of the request")
    given = serializers.BooleanField()
    given_at = serializers.DateTimeField(allow_null=True)
    given_version = serializers.CharField(
        allow_null=True, help_text="which text was agreed to; its meaning is the same"
    )
    in_force = serializers.BooleanField(help_text="for a child: each guardian has given it")
    asks_again = serializers.BooleanField(
        help_text="an earlier text was agreed to, and what it says has changed: ask again"
    )


class ConsentChoiceSerializer(StrictSerializer):
    version = serializers.CharField(max_length=20, help_text="of the texts that the person has read")
    care = serializers.BooleanField(required=False)
    ai = serializers.BooleanField(required=False)
    training = serializers.BooleanField(required=False)


class MessageSerializer(serializers.ModelSerializer):
    """News in the inbox: that something happened, never what."""

    title = serializers.CharField()
    submission = serializers.UUIDField(source="event.submission_id")

    class Meta:
        model = Message
        fields = ("id", "title", "submission", "created_at", "read_at")


class ErasureSerializer(serializers.Serializer):
    """An erasure under way."""

    why = serializers.ChoiceField(Why.choices)
    asked_at = serializers.DateTimeField()
    due_at = serializers.DateTimeField(help_text="until then it can be taken back")


class OwnDataSerializer(serializers.Serializer):
    """What is held of the person, and what becomes of it."""

    consultations = serializers.IntegerField()
    photos = serializers.IntegerField(help_text="removed ones too")
    bytes = serializers.IntegerField(help_text="of the originals; the export is larger by the copies")
    policy = serializers.CharField()
    cooling_off_days = serializers.IntegerField()
    open_case_days = serializers.IntegerField()
    backup_days = serializers.IntegerField()
    erasure = ErasureSerializer(allow_null=True)
    waits_for = serializers.ListField(
        child=serializers.CharField(), help_text="what an erasure would wait for beside its day, in words"
    )
