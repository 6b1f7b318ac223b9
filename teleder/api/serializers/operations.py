"""What admins send and read of the work on photos."""

from __future__ import annotations

from rest_framework import serializers

from contract.messages import Stage
from teleder.api.serializers.base import StrictSerializer, UrgencyField
from teleder.cases.models import Job


class ReassignSerializer(StrictSerializer):
    to = serializers.UUIDField(help_text="a dermatologist")


class JobSerializer(serializers.ModelSerializer):
    submission = serializers.UUIDField(source="photo.submission_id")
    case_number = serializers.CharField(source="photo.submission.case.number")
    priority = UrgencyField()

    class Meta:
        model = Job
        fields = (
            *("id", "photo", "submission", "case_number", "stage", "state", "priority", "attempt", "deaths"),
            *("losses", "error", "worker", "created_at", "sent_at", "deadline", "finished_at"),
        )


class QueueSerializer(serializers.Serializer):
    """One stage of the work, counted in the database."""

    stage = serializers.ChoiceField([stage.value for stage in Stage])
    oldest = serializers.DateTimeField(
        allow_null=True, help_text="since when the oldest unfinished job waits"
    )
    jobs = serializers.DictField(child=serializers.IntegerField(), help_text="how many, by state")
