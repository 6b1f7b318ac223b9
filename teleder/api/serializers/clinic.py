"""What dermatologists and admins send and read."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from teleder.accounts.models import User
from teleder.api.serializers.base import URGENCY_OR_NULL, StrictSerializer, UrgencyField
from teleder.api.serializers.findings import VerdictSerializer
from teleder.api.serializers.patient import (
    PatientFilesSerializer,
    PatientReviewSerializer,
    PhotoSerializer,
    SubmissionRowSerializer,
)
from teleder.api.serializers.questionnaire import HistoryField
from teleder.cases import ai_opinion, triage
from teleder.cases.files import FileKind
from teleder.cases.models import Disposition, FirstImpression, Impression, Photo, PhotosWanted, Submission
from teleder.cases.questionnaire import BodySite
from teleder.cases.triage import Urgency


class ClinicFilesSerializer(PatientFilesSerializer):
    """Address of each copy that is ready, and of what the AI drew."""

    mask = serializers.URLField(required=False)
    attribution = serializers.URLField(required=False)


class ClinicPhotoSerializer(PhotoSerializer):
    """The same with what a dermatologist sees besides; with `ai_is_open` in the context, what the AI drew."""

    kinds = tuple(FileKind)

    quality = serializers.DictField(
        child=serializers.FloatField(), help_text="what was measured, by name; empty until it was prepared"
    )

    class Meta(PhotoSerializer.Meta):
        fields = (*PhotoSerializer.Meta.fields, "analysis_width", "analysis_height", "quality")

    @extend_schema_field(ClinicFilesSerializer)
    def get_files(self, photo: Photo) -> dict[str, str]:
        return super().get_files(photo)


class ReviewSerializer(PatientReviewSerializer):
    """A signed answer as the clinic keeps it."""

    triage_urgency = UrgencyField()
    urgency = UrgencyField()

    class Meta(PatientReviewSerializer.Meta):
        fields = (*PatientReviewSerializer.Meta.fields, "impression", "triage_urgency", "urgency", "reason")


class SignSerializer(StrictSerializer):
    impression = serializers.ChoiceField(Impression.choices)
    disposition = serializers.ChoiceField(Disposition.choices)
    text = serializers.CharField(max_length=4000)
    reason = serializers.CharField(
        required=False,
        allow_blank=True,
        max_length=1000,
        help_text="needed where the disposition is less urgent than the triage",
    )


class AmendSerializer(SignSerializer):
    amends = serializers.UUIDField(
        required=False, help_text="the answer that was read before; 409 where another is in force by now"
    )


class FlagSerializer(serializers.Serializer):
    """A reason to look sooner."""

    origin = serializers.ChoiceField(triage.Origin.choices)
    code = serializers.CharField()
    level = serializers.SerializerMethodField(help_text="the level it asks for, if any")

    @extend_schema_field(URGENCY_OR_NULL)
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
    flags = serializers.SerializerMethodField(
        help_text="one of origin `model` has the code `sooner` until the AI's opinion is open to the reader"
    )
    body_site = serializers.ChoiceField(BodySite.choices, source="case.body_site", allow_blank=True)
    claimed_by = PersonSerializer(allow_null=True)
    overdue = serializers.BooleanField(source="is_overdue")

    class Meta(SubmissionRowSerializer.Meta):
        fields = (
            *SubmissionRowSerializer.Meta.fields,
            *("urgency", "flags", "body_site", "ai_status", "claimed_by", "claimed_at", "overdue"),
        )

    @property
    def reader(self) -> User:
        return self.context["request"].user

    @extend_schema_field(FlagSerializer(many=True))
    def get_flags(self, submission: Submission) -> list[dict[str, Any]]:
        return FlagSerializer(ai_opinion.shown_flags(submission, self.reader), many=True).data


class ClinicSubmissionSerializer(WorklistRowSerializer):
    """A submission as dermatologists and admins see it."""

    rule_urgency = UrgencyField()
    patient = PatientSerializer()
    answers = serializers.DictField(child=serializers.CharField())
    history = HistoryField()
    photos_wanted = serializers.ChoiceField(PhotosWanted.choices, allow_blank=True)
    verdict = serializers.SerializerMethodField()
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
                "verdict",
                "photos",
                "reviews",
            ),
        )

    @extend_schema_field(VerdictSerializer)
    def get_verdict(self, submission: Submission) -> dict[str, Any]:
        return VerdictSerializer(ai_opinion.shown_verdict(submission, self.reader)).data

    @extend_schema_field(ClinicPhotoSerializer(many=True))
    def get_photos(self, submission: Submission) -> list[dict]:
        photos = submission.current_photos().prefetch_related("analyses")
        context = {"ai_is_open": ai_opinion.is_open(submission, self.reader)}
        return ClinicPhotoSerializer(photos, many=True, context=context).data

    @extend_schema_field(ReviewSerializer(many=True))
    def get_reviews(self, submission: Submission) -> list[dict]:
        return ReviewSerializer(submission.reviews.select_related("author__dermatologist"), many=True).data


class ChosenImpressionSerializer(StrictSerializer):
    """An impression, or an empty one: the wish to see the AI's opinion without one."""

    impression = serializers.ChoiceField(
        Impression.choices,
        allow_blank=True,
        help_text="empty: open the AI's opinion without an impression; the timeline says so",
    )


class FirstImpressionSerializer(serializers.ModelSerializer):
    """My impression of a submission that waits for an answer, and whether the AI's opinion is open to me."""

    impression = serializers.ChoiceField(Impression.choices, source="latest", allow_blank=True)
    independent = serializers.ChoiceField(
        Impression.choices,
        allow_blank=True,
        help_text="what I chose before the AI's opinion opened, or empty",
    )
    ai_is_open = serializers.SerializerMethodField(help_text="false in a clinic that reads blind")

    class Meta:
        model = FirstImpression
        fields = ("impression", "independent", "saw_ai_first", "at", "ai_is_open")

    def get_ai_is_open(self, row: FirstImpression) -> bool:
        return ai_opinion.is_open(row.submission, row.reader)


class PhotosWantedSerializer(StrictSerializer):
    reason = serializers.ChoiceField(PhotosWanted.choices)
