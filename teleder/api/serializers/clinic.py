"""What dermatologists and admins send and read."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from teleder.accounts.models import User
from teleder.api.serializers.base import Strict, UrgencyField
from teleder.api.serializers.patient import AnswerSerializer, PhotoSerializer, SubmissionRowSerializer
from teleder.api.serializers.questionnaire import HistoryField
from teleder.cases import triage
from teleder.cases.files import FileKind
from teleder.cases.models import Analysis, Disposition, Finding, Impression, PhotosWanted, Submission
from teleder.cases.triage import Urgency


class ClinicPhotoSerializer(PhotoSerializer):
    """The same with what a dermatologist sees besides."""

    kinds = tuple(FileKind)

    class Meta(PhotoSerializer.Meta):
        fields = (*PhotoSerializer.Meta.fields, "analysis_width", "analysis_height", "quality")


class ReviewSerializer(AnswerSerializer):
    """A signed answer as the clinic keeps it."""

    triage_urgency = UrgencyField()
    urgency = UrgencyField()

    class Meta(AnswerSerializer.Meta):
        fields = (*AnswerSerializer.Meta.fields, "impression", "triage_urgency", "urgency", "reason")


class SignSerializer(Strict):
    impression = serializers.ChoiceField(Impression.choices)
    disposition = serializers.ChoiceField(Disposition.choices)
    text = serializers.CharField(max_length=4000)
    reason = serializers.CharField(
        required=False,
        allow_blank=True,
        max_length=1000,
        help_text="needed where the disposition is less urgent than the triage",
    )


class FlagSerializer(serializers.Serializer):
    """A reason to look sooner."""

    origin = serializers.ChoiceField(triage.Origin.choices)
    code = serializers.CharField()
    level = serializers.SerializerMethodField(help_text="the level it asks for, if any")

    def get_level(self, flag: dict[str, Any]) -> str | None:
        return None if flag["level"] is None else Urgency(flag["level"]).code


class PersonSerializer(serializers.ModelSerializer):
    class Meta:
        model = User
        fields = ("id", "name", "email")


class PatientSerializer(serializers.ModelSerializer):
    birth_year = serializers.IntegerField(source="patient.birth_year", default=None, allow_null=True)
    skin_type = serializers.IntegerField(source="patient.skin_type", default=None, allow_null=True)

    class Meta:
        model = User
        fields = ("id", "name", "language", "birth_year", "skin_type")


class WorklistRowSerializer(SubmissionRowSerializer):
    """One line of the worklist."""

    urgency = UrgencyField()
    flags = FlagSerializer(many=True)
    body_site = serializers.CharField(source="case.body_site")
    claimed_by = PersonSerializer(allow_null=True)
    overdue = serializers.BooleanField(source="is_overdue")

    class Meta(SubmissionRowSerializer.Meta):
        fields = (
            *SubmissionRowSerializer.Meta.fields,
            *("urgency", "flags", "body_site", "ai_status", "claimed_by", "claimed_at", "overdue"),
        )


class ClinicSubmissionSerializer(WorklistRowSerializer):
    """A submission as dermatologists and admins see it."""

    rule_urgency = UrgencyField()
    patient = PatientSerializer()
    answers = serializers.DictField(child=serializers.CharField())
    history = HistoryField()
    photos = serializers.SerializerMethodField()
    reviews = serializers.SerializerMethodField()

    class Meta(WorklistRowSerializer.Meta):
        fields = (
            *WorklistRowSerializer.Meta.fields,
            *(
                "rule_urgency",
                "policy",
                "patient",
                "answers",
                "history",
                "photos_wanted",
                "photos",
                "reviews",
            ),
        )

    @extend_schema_field(ClinicPhotoSerializer(many=True))
    def get_photos(self, submission: Submission) -> list[dict]:
        photos = submission.current_photos().prefetch_related("analyses")
        return ClinicPhotoSerializer(photos, many=True).data

    @extend_schema_field(ReviewSerializer(many=True))
    def get_reviews(self, submission: Submission) -> list[dict]:
        return ReviewSerializer(submission.reviews.select_related("author__dermatologist"), many=True).data


class PhotosWantedSerializer(Strict):
    reason = serializers.ChoiceField(PhotosWanted.choices)


class FindingSerializer(serializers.ModelSerializer):
    over_threshold = serializers.BooleanField(source="is_over_threshold")

    class Meta:
        model = Finding
        fields = ("condition", "probability", "threshold", "over_threshold")


class AnalysisSerializer(serializers.ModelSerializer):
    """Preliminary, and with all that is needed to make it again."""

    findings = FindingSerializer(many=True)
    plausible = serializers.ListField(child=serializers.CharField(), read_only=True)

    class Meta:
        model = Analysis
        fields = (
            *("photo", "created_at", "skin", "lesion", "boxes", "no_box", "nearest_miss"),
            "segmentation_model",
            *("classified_at", "classification_model", "demonstration", "top", "abstention", "plausible"),
            *("findings", "thresholds", "views", "device", "attribution_condition", "attribution_box"),
        )
