"""What the AI says and found, for dermatologists to whom its opinion is open and for admins. Never for patients."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from contract.alarms import Condition
from contract.signs import SignName
from teleder.api.serializers.base import URGENCY_OR_NULL
from teleder.cases import triage
from teleder.cases.models import Analysis, Finding, Photo
from teleder.cases.verdict import AlarmVerdict, Chip, VerdictKind, shown_report, why_muted
from teleder.pipeline.queue import OnDemandState, distance_state


class EstimateSerializer(serializers.Serializer):
    """Of 100 photos like this in a clinic like this, how many show the condition, with the 95 % interval."""

    of_hundred = serializers.FloatField()
    low = serializers.FloatField()
    high = serializers.FloatField()
    n = serializers.IntegerField(help_text="teaching photos on which it was measured")


class FalseAlarmsSerializer(serializers.Serializer):
    """Of 100 photos of AD or another disease, how many cross the same alarm line, with a 95 % interval."""

    of_hundred = serializers.FloatField()
    low = serializers.FloatField()
    high = serializers.FloatField()
    n = serializers.IntegerField(help_text="such photos on which it was measured")


class AlarmVerdictSerializer(serializers.Serializer):
    """A condition that cannot be ruled out."""

    condition = serializers.ChoiceField(list(Condition))
    level = serializers.SerializerMethodField(help_text="the urgency it raises to, if it has earned that")
    estimate = EstimateSerializer(allow_null=True)
    false_alarms = FalseAlarmsSerializer(allow_null=True)

    @extend_schema_field(URGENCY_OR_NULL)
    def get_level(self, alarm: AlarmVerdict) -> str | None:
        return None if alarm.level is None else alarm.level.code


class VerdictSerializer(serializers.Serializer):
    """The one thing that the AI says of the submission, as on the pages. Preliminary, and never for patients.

    `hidden`: the reader has not chosen an impression yet; then `chip` and `sentence` alone speak, of no condition.
    """

    kind = serializers.ChoiceField(VerdictKind.choices)
    chip = serializers.ChoiceField(
        Chip.choices, allow_null=True, help_text="as in the worklist; null: no AI is used"
    )
    reason = serializers.CharField(help_text="why it says nothing, as a code, or empty")
    alarms = AlarmVerdictSerializer(many=True)
    named = serializers.ChoiceField(list(Condition), allow_null=True)
    unstable_with_distance = serializers.BooleanField(
        help_text="by a distance report the verdict is another one from nearer or farther; no alarm is taken back for it"
    )
    sentence = serializers.CharField(help_text="in the language of the answer")


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
        help_text="`alarm HI` (or several), `named AD`, `inconclusive` or `not usable`; `alarm` and `named` alone for "
        "a condition of which the submission's verdict does not speak"
    )
    scores = serializers.DictField(
        child=serializers.FloatField(), help_text="by condition that the verdict cannot rule out"
    )


class DistanceReportSerializer(serializers.Serializer):
    """A photo seen from eight distances, farthest first. Preliminary, and never for patients."""

    looks = LookSerializer(many=True)
    x = serializers.FloatField(help_text="middle of the nearer looks, 0 to 1 of the width")
    y = serializers.FloatField(help_text="0 to 1 of the height")
    thresholds = serializers.DictField(
        child=serializers.FloatField(), help_text="by condition that the verdict cannot rule out"
    )
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
    """How the distance report of a photo stands; `verdict` in the context is that of its submission."""

    state = serializers.SerializerMethodField()
    report = serializers.SerializerMethodField()

    @extend_schema_field(serializers.ChoiceField(list(OnDemandState)))
    def get_state(self, photo: Photo) -> str:
        return distance_state(photo)

    @extend_schema_field(DistanceReportSerializer(allow_null=True))
    def get_report(self, photo: Photo) -> dict[str, Any] | None:
        verdict, policy = self.context["verdict"], triage.policy(photo.submission.policy)
        report = photo.analysis and shown_report(photo.analysis, policy, names=verdict.reports_names)
        if report is None:
            return None
        data = DistanceReportSerializer(report).data
        told = set() if why_muted(photo, policy) else {alarm.condition for alarm in verdict.alarms}
        for look in data["looks"]:
            kind, *conditions = look["verdict"].split(" ")
            if kind in {"alarm", "named"}:
                look["verdict"] = " ".join([kind, *(c for c in conditions if c in verdict.conditions)])
            look["scores"] = {name: score for name, score in look["scores"].items() if name in told}
        data["thresholds"] = {name: line for name, line in data["thresholds"].items() if name in told}
        return data


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


# What speaks of each condition, for a model that may not name one: the fields stay, and hold nothing.
UNNAMED = {
    "top": "",
    "findings": [],
    "thresholds": {},
    "views": [],
    "attribution_condition": "",
    "attribution_box": None,
}


class AnalysisSerializer(serializers.ModelSerializer):
    """Preliminary, and with all that is needed to make it again; `verdict` in the context is the submission's.

    Where the verdict names no condition (a demonstration model never does), `top`, `findings`, `thresholds`, `views` and
    `attribution_condition` are empty: the verdict and the alarm say all that the model may say.
    """

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
    alarms = serializers.SerializerMethodField(
        help_text="those whose line this photo has crossed, of the conditions that the verdict cannot rule out; none "
        "where its numbers are muted"
    )
    views = CropProbabilitiesSerializer(many=True)

    @extend_schema_field(serializers.ListField(child=serializers.ChoiceField(list(Condition))))
    def get_plausible(self, analysis: Analysis) -> list[str]:
        return []

    @extend_schema_field(AlarmSerializer(many=True))
    def get_alarms(self, analysis: Analysis) -> list[dict[str, Any]]:
        told = {alarm.condition for alarm in self.context["verdict"].alarms if not alarm.muted}
        return AlarmSerializer([one for one in analysis.ringing if one.condition in told], many=True).data

    def to_representation(self, analysis: Analysis) -> dict[str, Any]:
        return super().to_representation(analysis) | ({} if self.context["verdict"].names else UNNAMED)

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
