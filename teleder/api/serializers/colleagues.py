"""Hand-over and second opinions among dermatologists."""

from __future__ import annotations

from rest_framework import serializers

from teleder.api.serializers.base import StrictSerializer
from teleder.cases.models import HandOverNote, Impression, SecondOpinion
from teleder.cases.models.colleague import COLLEAGUE_NOTE_LENGTH


class HandCaseOverSerializer(StrictSerializer):
    to = serializers.UUIDField(help_text="a dermatologist of the case's clinic")
    text = serializers.CharField(required=False, allow_blank=True, max_length=COLLEAGUE_NOTE_LENGTH)


class HandOverNoteSerializer(serializers.ModelSerializer):
    """Who handed a case over to whom, and what was said. The clock ran on."""

    author = serializers.CharField(source="author.name")
    to = serializers.CharField(source="to.name")

    class Meta:
        model = HandOverNote
        fields = ("id", "author", "to", "text", "at")


class AskOpinionSerializer(StrictSerializer):
    to = serializers.UUIDField(help_text="a dermatologist of the case's clinic")
    question = serializers.CharField(max_length=COLLEAGUE_NOTE_LENGTH)


class GiveOpinionSerializer(StrictSerializer):
    opinion = serializers.CharField(max_length=COLLEAGUE_NOTE_LENGTH)
    impression = serializers.ChoiceField(Impression.choices, required=False, allow_blank=True)


class SecondOpinionSerializer(serializers.ModelSerializer):
    """A colleague's question and the opinion, if it was given. Patients never see it."""

    asked_by = serializers.CharField(source="asked_by.name")
    colleague = serializers.CharField(source="colleague.name")

    class Meta:
        model = SecondOpinion
        fields = (
            "id",
            "asked_by",
            "colleague",
            "question",
            "asked_at",
            "impression",
            "opinion",
            "answered_at",
        )
