"""Base classes and shared serializers, and the body of every error."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from teleder.accounts.text import clean_text
from teleder.cases.models import Submission
from teleder.cases.triage import Urgency


class StrictSerializer(serializers.Serializer):
    """The body of a request. An unknown field is refused."""

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        if isinstance(data, dict) and (unknown := [name for name in data if name not in self.fields]):
            raise serializers.ValidationError({str(name)[:50]: [_("Unknown field.")] for name in unknown})
        return super().to_internal_value(self._clean(data))

    def _clean(self, data: Any) -> Any:
        """Return the data with all free text cleaned before it is validated; a password stays as it is."""
        if type(data) is not dict:
            return data
        typed = {name for name, field in self.fields.items() if type(field) is serializers.CharField}
        typed = {
            name for name in typed if self.fields[name].trim_whitespace and isinstance(data.get(name), str)
        }
        return data | {name: clean_text(data[name]) for name in typed}


@extend_schema_field({"type": "string", "enum": [level.code for level in Urgency], "example": "same_day"})
class UrgencyField(serializers.ReadOnlyField):
    """A level by its code; numbers are the database's."""

    def to_representation(self, value: int) -> str:
        return Urgency(value).code


URGENCY_OR_NULL = {"oneOf": [{"$ref": "#/components/schemas/UrgencyEnum"}, {"type": "null"}]}


class AdviceSerializer(serializers.Serializer):
    """An approved text for patients, in the language of the request."""

    code = serializers.CharField()
    title = serializers.CharField()
    text = serializers.CharField()
    phone = serializers.CharField(allow_blank=True, help_text="a number to call, or empty")


class ChoiceSerializer(serializers.Serializer):
    value = serializers.CharField()
    text = serializers.CharField()


class FieldErrorSerializer(serializers.Serializer):
    field = serializers.CharField()
    code = serializers.CharField()
    message = serializers.CharField()


class ProblemSerializer(serializers.Serializer):
    """A refusal (RFC 9457): `code` is for programs, `detail` for people, `trace_id` for the administrator."""

    type = serializers.CharField()
    title = serializers.CharField()
    status = serializers.IntegerField()
    detail = serializers.CharField()
    code = serializers.CharField()
    errors = FieldErrorSerializer(many=True, required=False)
    review = serializers.UUIDField(
        required=False, help_text="of `already_amended`: the answer that is in force now"
    )
    urgency = serializers.CharField(required=False, help_text="of `urgency_rose`: what it is now")
    trace_id = serializers.CharField()


class DueField(serializers.DateTimeField):
    """When the answer is due; null while the clock stands still."""

    def __init__(self, **options: Any) -> None:
        text = "null in a draft, and while the clock stands still (`paused_at`)"
        super().__init__(**{"read_only": True, "allow_null": True, "help_text": text, **options})

    def get_attribute(self, submission: Submission) -> datetime | None:
        return None if submission.is_paused else submission.due_at


class PausedField(serializers.DateTimeField):
    def __init__(self, **options: Any) -> None:
        text = "since when the clock stands still, for a patient who is asked for photos; it goes on with what was left"
        super().__init__(**{"read_only": True, "allow_null": True, "help_text": text, **options})
