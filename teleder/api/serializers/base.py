"""What every serializer of the API is made of, and the body of every error."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from teleder.cases.triage import Urgency


class Strict(serializers.Serializer):
    """The body of a request. An unknown field is refused."""

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        if isinstance(data, dict) and (unknown := [name for name in data if name not in self.fields]):
            raise serializers.ValidationError({str(name)[:50]: [_("Unknown field.")] for name in unknown})
        return super().to_internal_value(data)


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


class CodeSerializer(serializers.Serializer):
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
    trace_id = serializers.CharField()
