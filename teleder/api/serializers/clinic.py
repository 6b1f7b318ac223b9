"""What dermatologists and admins send and read."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from contract.alarms import Condition
from contract.signs import SignName
from teleder.accounts.models import User
from teleder.api.serializers.base import URGENCY_OR_NULL, StrictSerializer, UrgencyField
from teleder.api.serializers.patient import (
    PatientFilesSerializer,
    PatientReviewSerializer,
    PhotoSerializer,
    SubmissionRowSerializer,
)
from teleder.api.serializers.questionnaire import HistoryField
from teleder.cases import triage
from teleder.cases.files import FileKind
from teleder.cases.models import Analysis, Disposition, Finding, Impression, Photo, PhotosWanted, Submission
from teleder.cases.questionnaire import BodySite
from teleder.cases.triage import Urgency
from teleder.cases.verdict import AlarmVerdict, VerdictKind, verdict_of
from teleder.pipeline.queue import DistanceState, distance_state


class ClinicFilesSerializer(PatientFilesSerializer):
    """Address of each copy that is ready, and of what the AI drew."""

    mask = serializers.URLField(required=False)
    attribution = serializers.URLField(required=False)


class ClinicPhotoSerializer(PhotoSerializer):
    """The same with what a dermatologist sees besides."""

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


class EstimateSerializer(serializers.Serializer):
    """Of 100 photos like this in a clinic like this, how many show the condition, with the 95 % interval."""

    of_hundred = serializers.FloatField()
    low = serializers.FloatField()
    high = serializers.FloatField()
    n = serializers.IntegerField(help_text="teaching photos on which it was measured")


class AlarmVerdictSerializer(serializers.Serializer):
    """A condition that cannot be ruled out."""

    condition = serializers.ChoiceField(list(Condition))
    level = serializers.SerializerMethodField(help_text="the urgency it raises to, if it has earned that")
    estimate = EstimateSerializer(allow_null=True)

    @extend_schema_field(URGENCY_OR_NULL)
    def get_level(self, alarm: AlarmVerdict) -> str | None:
        return None if alarm.level is None else alarm.level.code


class VerdictSerializer(serializers.Serializer):
    """The one thing that the AI says of the submission, as on the pages. Preliminary, and never for patients."""

    kind = serializers.ChoiceField(VerdictKind.choices)
    reason = serializers.CharField(help_text="why it says nothing, as a code, or empty")
    alarms = AlarmVerdictSerializer(many=True)
    named = serializers.ChoiceField(list(Condition), allow_null=True)
    unstable_with_distance = serializers.BooleanField(
        help_text="by a distance report the verdict is another one from nearer or farther; no alarm is taken back for it"
    )
    sentence = serializers.CharField(help_text="in the language of the answer")


class WorklistRowSerializer(SubmissionRowSerializer):
    """One line of the worklist."""

    urgency = UrgencyField()
    flags = FlagSerializer(many=True)
    body_site = serializers.ChoiceField(BodySite.choices, source="case.body_site", allow_blank=True)
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
        return VerdictSerializer(verdict_of(submission)).data

    @extend_schema_field(ClinicPhotoSerializer(many=True))
    def get_photos(self, submission: Submission) -> list[dict]:
        photos = submission.current_photos().prefetch_related("analyses")
        return ClinicPhotoSerializer(photos, many=True).data

    @extend_schema_field(ReviewSerializer(many=True))
    def get_reviews(self, submission: Submission) -> list[dict]:
        return ReviewSerializer(submission.reviews.select_related("author__dermatologist"), many=True).data


class PhotosWantedSerializer(StrictSerializer):
    reason = serializers.ChoiceField(PhotosWanted.choices)


class FindingSerializer(serializers.ModelSerializer):
    over_threshold = serializers.BooleanField(source="is_over_threshold")

    class Meta:
        model = Finding
        fields = ("condition", "probability", "threshold", "over_threshold")


class BoxSerializer(serializers.Serializer):
    """A square in pixels of the analysis copy (`analysis_width` x `analysis_height` of the photo)."""

    x = serializers.IntegerField()
    y = serializers.IntegerField()
    width = serializers.IntegerField()
    height = serializers.IntegerField()
    skin = serializers.FloatField(help_text="share of its pixels, 0 to 1; counts lesion too")
    lesion = serializers.FloatField(help_text="share of its pixels, 0 to 1")


class MeasuredSignSerializer(serializers.Serializer):
    """What was measured of the rash without naming it."""

    name = serializers.ChoiceField(
        list(SignName),
        help_text="lesion_share and lesion_size: of the skin in the photo, 0 to 1; redness: CIELAB a* above own skin; "
        "yellow_crust and dark_crust: of the lesion, 0 to 1; lesions: a number; edge: colour difference (CIE 1976)",
    )
    value = serializers.FloatField()
    error = serializers.FloatField(help_text="the largest deviation when the photo was segmented again")


class ModelRefSerializer(serializers.Serializer):
    """Which weights spoke."""

    name = serializers.CharField()
    version = serializers.CharField()
    sha256 = serializers.CharField()


class LookSerializer(serializers.Serializer):
    """What is found at one scale; 1.4: everything looks 1.4 times as large."""

    scale = serializers.FloatField()
    boxes = BoxSerializer(many=True, help_text="in pixels of the photo at this scale")
    verdict = serializers.CharField(
        help_text="`alarm HI` (or several), `named AD`, `inconclusive` or `not usable`"
    )
    scores = serializers.DictField(child=serializers.FloatField(), help_text="by condition with an alarm")


class DistanceReportSerializer(serializers.Serializer):
    """A photo seen from eight distances, farthest first. Preliminary, and never for patients."""

    looks = LookSerializer(many=True)
    x = serializers.FloatField(help_text="middle of the nearer looks, 0 to 1 of the width")
    y = serializers.FloatField(help_text="0 to 1 of the height")
    thresholds = serializers.DictField(child=serializers.FloatField(), help_text="by condition with an alarm")
    changes = serializers.ListField(
        child=serializers.ListField(child=serializers.FloatField(), min_length=2, max_length=2),
        help_text="neighbouring scales between which the answer changes",
    )
    stability = serializers.FloatField(help_text="share of the other scales that tell the same as 1x")
    is_stable = serializers.BooleanField()
    segmentation_model = ModelRefSerializer()
    classification_model = ModelRefSerializer()
    seconds = serializers.FloatField()


class PhotoDistancesSerializer(serializers.Serializer):
    """How the distance report of a photo stands."""

    state = serializers.SerializerMethodField()
    report = DistanceReportSerializer(source="analysis.distance_report", allow_null=True, default=None)

    @extend_schema_field(serializers.ChoiceField(list(DistanceState)))
    def get_state(self, photo: Photo) -> str:
        return distance_state(photo)


class CropProbabilitiesSerializer(serializers.Serializer):
    """Calibrated probabilities for one view of the photo."""

    box = serializers.IntegerField(allow_null=True, help_text="index in `boxes`; null: the whole photo")
    probabilities = serializers.DictField(child=serializers.FloatField(), help_text="by condition, 0 to 1")


class FigureSerializer(serializers.Serializer):
    """A measured figure with its 95 % interval."""

    value = serializers.FloatField()
    low = serializers.FloatField()
    high = serializers.FloatField()
    n = serializers.IntegerField(help_text="photos measured; of a sensitivity, those of the condition")


class AlarmSerializer(serializers.Serializer):
    """How a photo compares with the alarm line of a condition, and what that alarm has measured to be worth."""

    condition = serializers.ChoiceField(list(Condition))
    score = serializers.FloatField()
    threshold = serializers.FloatField()
    sensitivity = FigureSerializer(allow_null=True)
    likelihood_ratio = FigureSerializer(allow_null=True, help_text="LR+ against AD or OTHER")
    likelihood_ratio_ad = FigureSerializer(allow_null=True, help_text="LR+ against AD alone")


class AnalysisSerializer(serializers.ModelSerializer):
    """Preliminary, and with all that is needed to make it again."""

    boxes = BoxSerializer(many=True)
    nearest_miss = BoxSerializer(
        allow_null=True, help_text="without a box: the square that falls short of the rule least"
    )
    segmentation_model = ModelRefSerializer()
    classification_model = ModelRefSerializer(allow_null=True)
    signs = MeasuredSignSerializer(many=True)
    findings = FindingSerializer(many=True)
    plausible = serializers.SerializerMethodField(
        help_text="always empty, kept for older programs: the submission's `verdict` says what cannot be ruled out"
    )
    thresholds = serializers.DictField(child=serializers.FloatField(), help_text="by condition and by name")
    alarms = AlarmSerializer(source="ringing", many=True, help_text="those whose line this photo has crossed")
    views = CropProbabilitiesSerializer(many=True)

    @extend_schema_field(serializers.ListField(child=serializers.ChoiceField(list(Condition))))
    def get_plausible(self, analysis: Analysis) -> list[str]:
        return []

    class Meta:
        model = Analysis
        fields = (
            *("photo", "created_at", "skin", "lesion", "boxes", "no_box", "nearest_miss"),
            *("signs", "segmentation_model"),
            *("classified_at", "classification_model", "demonstration", "top", "abstention", "plausible"),
            *(
                "findings",
                "thresholds",
                "views",
                "alarms",
                "device",
                "attribution_condition",
                "attribution_box",
            ),
        )
