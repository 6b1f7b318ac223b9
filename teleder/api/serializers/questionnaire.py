"""The questions and the answers to them."""

from __future__ import annotations

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from teleder.api.serializers.base import AdviceSerializer, ChoiceSerializer, StrictSerializer
from teleder.cases import questionnaire, triage


class QuestionSerializer(serializers.Serializer):
    id = serializers.CharField()
    text = serializers.CharField()
    choices = ChoiceSerializer(many=True)


class HistoryQuestionSerializer(serializers.Serializer):
    id = serializers.CharField()
    kind = serializers.ChoiceField(["one", "several", "scale", "text"])
    text = serializers.CharField()
    choices = ChoiceSerializer(many=True, required=False)


class QuestionnaireSerializer(serializers.Serializer):
    policy = serializers.CharField(help_text="version of the questions, rules and texts")
    red_flags = QuestionSerializer(many=True)
    body_sites = ChoiceSerializer(many=True)
    history = HistoryQuestionSerializer(many=True)
    photo_views = ChoiceSerializer(many=True)
    receipt = AdviceSerializer(help_text="the same words for all, on every receipt")


class HistorySerializer(StrictSerializer):
    """Everything may be left out."""

    duration = serializers.ChoiceField(questionnaire.Duration.choices, required=False, allow_blank=True)
    symptoms = serializers.ListField(
        child=serializers.ChoiceField(questionnaire.Symptom.choices),
        required=False,
        max_length=questionnaire.HISTORY_CODE_LIMIT,
    )
    itch = serializers.IntegerField(required=False, allow_null=True, min_value=0, max_value=10)
    sleep = serializers.IntegerField(required=False, allow_null=True, min_value=0, max_value=10)
    different = serializers.CharField(
        required=False, allow_blank=True, max_length=questionnaire.FREE_TEXT_LIMIT
    )
    contacts = serializers.CharField(
        required=False, allow_blank=True, max_length=questionnaire.FREE_TEXT_LIMIT
    )
    treatment = serializers.CharField(
        required=False, allow_blank=True, max_length=questionnaire.FREE_TEXT_LIMIT
    )
    medicines = serializers.CharField(
        required=False, allow_blank=True, max_length=questionnaire.FREE_TEXT_LIMIT
    )
    allergies = serializers.CharField(
        required=False, allow_blank=True, max_length=questionnaire.FREE_TEXT_LIMIT
    )


@extend_schema_field(HistorySerializer)
class HistoryField(serializers.ReadOnlyField):
    """As it is kept: what was left out is not there."""


class RedFlagAnswersSerializer(StrictSerializer):
    """The twelve red-flag answers, by question. Nothing else is asked here: advice must not wait for it."""

    answers = serializers.DictField(child=serializers.CharField(max_length=20))

    def validate_answers(self, answers: dict[str, str]) -> dict[str, str]:
        return questionnaire.clean_red_flags(answers, triage.policy())


class DescriptionSerializer(StrictSerializer):
    body_site = serializers.CharField(required=False, max_length=20, help_text="a code of the questionnaire")
    history = HistorySerializer(required=False)
