"""What a dermatologist draws over the model's crops and lesion, and what the model says of it. Never for patients."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from contract.drawn import RUNS_AT_MOST
from contract.fields import LARGEST
from contract.messages import NoCropReason
from teleder.api.serializers.base import StrictSerializer
from teleder.api.serializers.findings import BoxSerializer, ModelRefSerializer, VerdictSerializer
from teleder.cases.drawn_crops import DrawnCropState
from teleder.cases.drawn_verdict import verdict_on
from teleder.cases.models import DrawnCrop

RUNS = (
    "the lesion as lengths of runs over the pixels of the analysis copy, row by row: none, lesion, none and so on; only the first "
    "may be 0, and they sum up to all pixels; null: as the model finds it"
)


class RectangleSerializer(StrictSerializer):
    """In pixels of the analysis copy (`analysis_width` x `analysis_height` of the photo)."""

    x = serializers.IntegerField(min_value=0, max_value=LARGEST)
    y = serializers.IntegerField(min_value=0, max_value=LARGEST)
    width = serializers.IntegerField(min_value=1, max_value=LARGEST)
    height = serializers.IntegerField(min_value=1, max_value=LARGEST)


class DrawCropSerializer(StrictSerializer):
    box = RectangleSerializer()
    lesion = serializers.ListField(
        child=serializers.IntegerField(min_value=0, max_value=LARGEST),
        max_length=RUNS_AT_MOST,
        allow_null=True,
        required=False,
        default=None,
        help_text=RUNS,
    )


class DrawnFindingSerializer(serializers.Serializer):
    """What the model says of a drawn crop together with the whole photo, by the rules of the submission's verdict.

    It changes no urgency and gives no numbers of an alarm: those were measured on the model's own crops.
    """

    at = serializers.DateTimeField()
    verdict = VerdictSerializer()
    box = BoxSerializer(help_text="the drawn crop with its shares")
    no_box = serializers.ChoiceField(
        list(NoCropReason),
        allow_null=True,
        help_text="why the crop does not obey the 80/10 rule; then the photo was read without it",
    )
    demonstration = serializers.BooleanField()
    segmentation_model = ModelRefSerializer()
    classification_model = ModelRefSerializer()


class DrawnCropSerializer(serializers.ModelSerializer):
    """A crop and a lesion that a dermatologist drew. It never changes; a later one is another."""

    author = serializers.CharField(source="author.name")
    box = RectangleSerializer()
    lesion = serializers.ListField(child=serializers.IntegerField(), allow_null=True, help_text=RUNS)
    segmentation_model = ModelRefSerializer(
        source="analysis.segmentation_model", help_text="of the result that it corrects"
    )
    classification_model = ModelRefSerializer(
        source="analysis.classification_model", help_text="of the result that it corrects"
    )
    state = serializers.SerializerMethodField()
    finding = serializers.SerializerMethodField()

    @extend_schema_field(serializers.ChoiceField(list(DrawnCropState)))
    def get_state(self, drawn: DrawnCrop) -> str:
        return self.context["states"][drawn.pk]

    @extend_schema_field(DrawnFindingSerializer(allow_null=True))
    def get_finding(self, drawn: DrawnCrop) -> dict[str, Any] | None:
        found = getattr(drawn, "finding", None)
        outcome = found and found.outcome
        if outcome is None:
            return None
        segmented, classified = outcome.segmented, outcome.classified
        row = {
            "at": found.at,
            "verdict": verdict_on(drawn, outcome),
            "box": segmented.boxes[0] if segmented.boxes else segmented.nearest_miss,
            "no_box": segmented.no_box,
            "demonstration": classified.demonstration,
            "segmentation_model": segmented.model,
            "classification_model": classified.model,
        }
        return DrawnFindingSerializer(row).data

    class Meta:
        model = DrawnCrop
        fields = (
            *("id", "author", "at", "box", "lesion", "segmentation_model", "classification_model"),
            *("state", "finding"),
        )
