"""The questions and the answers to them."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from teleder.api.serializers.base import AdviceSerializer, ChoiceSerializer, StrictSerializer
from teleder.cases import questionnaire, triage
from teleder.cases.body_places import PLACES_PER_CASE, BodyPlace, Side, codes_of


class QuestionSerializer(serializers.Serializer):
    id = serializers.CharField()
    text = serializers.CharField()
    choices = ChoiceSerializer(many=True)


class HistoryQuestionSerializer(serializers.Serializer):
    id = serializers.CharField()
    kind = serializers.ChoiceField(
        ["one", "several", "scale", "text", "list"],
        help_text="an answer to `list` is a text with one entry a line",
    )
    text = serializers.CharField()
    choices = ChoiceSerializer(many=True, required=False)
    suggestions = serializers.ListField(
        child=serializers.CharField(), required=False, help_text="of a list; any other words may be written"
    )


class BodySiteSerializer(ChoiceSerializer):
    has_sides = serializers.BooleanField(
        help_text="whether a place there is written with its side, as in `hand.left`"
    )
    snomed = serializers.CharField(help_text="its code of SNOMED CT, or empty")


class PlaceSerializer(serializers.Serializer):
    """A place on the body; what does not exist is empty."""

    id = serializers.CharField(
        help_text="as `places` and `place` of a request name it, for example `hand.left`"
    )
    body_site = serializers.ChoiceField(questionnaire.BodySite.choices)
    side = serializers.ChoiceField(Side.choices, allow_blank=True, help_text="the patient's own side")
    snomed = serializers.CharField(help_text="code of SNOMED CT")
    laterality = serializers.CharField(help_text="code of SNOMED CT")
    text = serializers.CharField()


@extend_schema_field(PlaceSerializer(many=True))
class PlacesField(serializers.ReadOnlyField):
    """The places of a case, in the language of the request."""

    def to_representation(self, value: list[BodyPlace]) -> list[dict[str, str]]:
        return [
            {"id": str(place), "body_site": place.site, "side": place.side, "text": place.label}
            | codes_of(place)
            for place in value
        ]


class QuestionnaireSerializer(serializers.Serializer):
    policy = serializers.CharField(help_text="version of the questions, rules and texts")
    red_flags = QuestionSerializer(many=True)
    body_sites = BodySiteSerializer(many=True)
    sides = ChoiceSerializer(many=True)
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
    """As it is kept, with "none" in the reader's language: what was left out is not there."""

    def to_representation(self, value: dict[str, Any]) -> dict[str, Any]:
        return {key: questionnaire.in_words(key, answer) for key, answer in value.items()}


class RedFlagAnswersSerializer(StrictSerializer):
    """The twelve red-flag answers, by question. Nothing else is asked here: advice must not wait for it."""

    answers = serializers.DictField(child=serializers.CharField(max_length=20))
    patient = serializers.UUIDField(required=False, help_text="the child that it is about, if it is not me")

    def validate_answers(self, answers: dict[str, str]) -> dict[str, str]:
        return questionnaire.clean_red_flags(answers, triage.policy())


class DescriptionSerializer(StrictSerializer):
    places = serializers.ListField(
        child=serializers.CharField(max_length=30),
        required=False,
        max_length=PLACES_PER_CASE,
        help_text="body sites of the questionnaire, each with its side where it has sides: `hand.left`, `neck`",
    )
    body_site = serializers.CharField(
        required=False, max_length=20, help_text="one place without its side; `places` is better"
    )
    history = HistorySerializer(required=False)
