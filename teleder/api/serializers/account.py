"""Log-in, profile, consents, inbox, and a person's own data."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError as DjangoValidationError
from django.core.validators import EmailValidator
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from rest_framework import serializers

from teleder.accounts.email_addresses import EmailAddressValidator
from teleder.accounts.models import Language, PatientProfile, Purpose, Role, SkinType, User
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
    role = serializers.ChoiceField(Role.choices)
    language = serializers.ChoiceField(Language.choices)
    birth_year = serializers.SerializerMethodField(help_text="patients only")
    skin_type = serializers.SerializerMethodField(help_text="patients only: Fitzpatrick I to VI as 1 to 6")
    email_messages = serializers.SerializerMethodField(help_text="whether news is also sent by e-mail")

    def get_birth_year(self, user: User) -> int | None:
        return getattr(getattr(user, "patient", None), "birth_year", None)

    def get_skin_type(self, user: User) -> int | None:
        return getattr(getattr(user, "patient", None), "skin_type", None)

    def get_email_messages(self, user: User) -> bool:
        return getattr(getattr(user, "preference", None), "email", True)


class MeChangeSerializer(StrictSerializer):
    language = serializers.ChoiceField(Language.choices, required=False)
    email_messages = serializers.BooleanField(required=False)


class PatientChangeSerializer(MeChangeSerializer):
    name = serializers.CharField(required=False, max_length=100, allow_blank=True)
    birth_year = BirthYearField(required=False, min_value=EARLIEST_BIRTH_YEAR)
    skin_type = serializers.ChoiceField(SkinType.choices, required=False, allow_null=True)

    def validate_birth_year(self, year: int) -> int:
        if year > timezone.localdate().year:
            raise serializers.ValidationError(_("The year must not be in the future."))
        return year

    def validate(self, data: dict[str, Any]) -> dict[str, Any]:
        has_profile = PatientProfile.objects.filter(user=self.context["request"].user).exists()
        if data.get("skin_type") and "birth_year" not in data and not has_profile:
            raise serializers.ValidationError({"birth_year": [_("Please give the year of birth first.")]})
        return data


class ConsentSerializer(serializers.Serializer):
    purpose = serializers.ChoiceField(Purpose.choices)
    version = serializers.CharField()
    text = serializers.CharField(help_text="the words agreed to, in the language of the request")
    given = serializers.BooleanField()
    given_at = serializers.DateTimeField(allow_null=True)


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
