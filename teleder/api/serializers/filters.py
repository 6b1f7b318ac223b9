"""Query parameters of the lists. Unknown, repeated and malformed ones are refused by name."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

from django.http import QueryDict
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext_lazy as _
from rest_framework import serializers

from contract.messages import Stage
from teleder.accounts.models import Language
from teleder.cases.models import Disposition, Impression, JobState, Status, SubmissionQuerySet

# RFC 3339. Without an offset a time would be read as that of the server's place.
MOMENT = re.compile(r"(\d{4}-\d\d-\d\d)[Tt](\d\d:\d\d:\d\d)(\.\d+)?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
MICROSECOND_DIGITS = 7  # with the dot


class MomentField(serializers.DateTimeField):
    """A time with its offset from UTC, as RFC 3339 has it."""

    default_error_messages = {
        "invalid": _(
            "Please give date, time and offset, as in 2026-11-28T09:00:00Z. In a URL, the plus sign of an offset must be encoded."
        )
    }

    def to_internal_value(self, value: Any) -> datetime:
        if not (found := MOMENT.fullmatch(str(value))):
            self.fail("invalid", format="RFC 3339")
        day, time, fraction, offset = found.groups(default="")
        try:
            return parse_datetime(f"{day}T{time}{fraction[:MICROSECOND_DIGITS]}{offset.upper()}")
        except ValueError:  # the thirtieth of February
            self.fail("invalid", format="RFC 3339")


class ListFilterSerializer(serializers.Serializer):
    """The parameters of one list beside those of its pages, which the context names as `page_parameters`."""

    def to_internal_value(self, data: QueryDict) -> dict[str, Any]:
        known = sorted([*self.fields, *self.context.get("page_parameters", ())])
        errors = {}
        for name in data:
            if name not in known:
                errors[name[:50]] = [
                    _("Unknown parameter. Allowed here: %(known)s.") % {"known": ", ".join(known) or "–"}
                ]
            elif len(data.getlist(name)) > 1:
                errors[name] = [_("Please give this only once.")]
        if errors:
            raise serializers.ValidationError(errors)
        return super().to_internal_value(data.dict())


class DiagnosisSearchSerializer(ListFilterSerializer):
    search = serializers.CharField(
        required=False,
        max_length=80,
        help_text="part of a name in either language, of its reading, or of a code",
    )


class TemplateFilterSerializer(ListFilterSerializer):
    disposition = serializers.ChoiceField(Disposition.choices)
    impression = serializers.ChoiceField(
        Impression.choices, required=False, help_text="none: the general one"
    )
    language = serializers.ChoiceField(Language.choices)


class RecordFilterSerializer(ListFilterSerializer):
    updated_since = MomentField(
        required=False,
        help_text="those that changed at this time or later, with their photos, findings and answers",
    )
    answered_since = MomentField(
        required=False, help_text="those with an answer, first or corrected, signed at this time or later"
    )


def narrow(
    rows: SubmissionQuerySet,
    *,
    updated_since: datetime | None = None,
    answered_since: datetime | None = None,
    **equal: Any,
) -> SubmissionQuerySet:
    """Return the submissions that pass the filters; a filter that was not given lets all pass."""
    rows = rows.updated_since(updated_since) if updated_since else rows
    rows = rows.answered_since(answered_since) if answered_since else rows
    return rows.filter(**equal)


class WorklistFilterSerializer(RecordFilterSerializer):
    snoozed = serializers.BooleanField(
        required=False,
        default=False,
        help_text="those that a dermatologist has put off, in place of the others",
    )


class SubmissionFilterSerializer(RecordFilterSerializer):
    status = serializers.ChoiceField(Status.choices, required=False)
    case = serializers.UUIDField(required=False)


class JobFilterSerializer(ListFilterSerializer):
    state = serializers.ChoiceField(JobState.choices, required=False)
    stage = serializers.ChoiceField([stage.value for stage in Stage], required=False)
