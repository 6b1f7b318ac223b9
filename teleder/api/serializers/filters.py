"""Query parameters of the lists."""

from __future__ import annotations

from rest_framework import serializers

from inference_worker.contract import Stage
from teleder.cases.models import JobState, Status


class JobFilterSerializer(serializers.Serializer):
    state = serializers.ChoiceField(JobState.choices, required=False)
    stage = serializers.ChoiceField([stage.value for stage in Stage], required=False)


class SubmissionFilterSerializer(serializers.Serializer):
    status = serializers.ChoiceField(Status.choices, required=False)
    case = serializers.UUIDField(required=False)
