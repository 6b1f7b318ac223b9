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
    PlanSerializer,
    SubmissionRowSerializer,
)
from teleder.api.serializers.questionnaire import HistoryField, PlacesField
from teleder.cases import ai_opinion, triage
from teleder.cases.files import FileKind
from teleder.cases.models import (
    Confidence,
    Disposition,
    FirstImpression,
    HeldAnswer,
    Impression,
    Photo,
    PhotosWanted,
    Review,
    SnoozeFor,
    SnoozeReason,
    Submission,
)
from teleder.cases.models.photo_request import WORDS_LENGTH
from teleder.cases.plan import Plan
from teleder.cases.questionnaire import BodySite
from teleder.cases.triage import Urgency
from teleder.pipeline.queue import OnDemandState, full_copy_state


class ClinicFilesSerializer(PatientFilesSerializer):
    """Address of each copy that is ready, and of what the AI drew."""

    veiled = serializers.URLField(required=False)
    full = serializers.URLField(required=False)
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


class FullCopySerializer(serializers.Serializer):
    """How the full-size copy of a photo stands; done, it is the file `full` of the photo."""

    state = serializers.SerializerMethodField()

    @extend_schema_field(serializers.ChoiceField(list(OnDemandState)))
    def get_state(self, photo: Photo) -> str:
        return full_copy_state(photo)


class ReviewSerializer(PatientReviewSerializer):
    """A signed answer as the clinic keeps it."""

    triage_urgency = UrgencyField()
    urgency = UrgencyField()
    taken_back = serializers.SerializerMethodField(
        help_text="whether it was taken back unread: no patient sees it"
    )

    class Meta(PatientReviewSerializer.Meta):
        fields = (
            *PatientReviewSerializer.Meta.fields,
            *("impression", "diagnosis", "icd10", "snomed", "codes_version", "confidence"),
            *("triage_urgency", "urgency", "reason", "template", "template_edited", "taken_back"),
        )

    def get_taken_back(self, review: Review) -> bool:
        return hasattr(review, "taken_back")


class HeldAnswerSerializer(serializers.ModelSerializer):
    """A signed answer that is not sent yet. Its signer can undo it until `send_at`; news from the patient stops it."""

    class Meta:
        model = HeldAnswer
        fields = ("id", "signed_at", "send_at")


class TakeBackSerializer(StrictSerializer):
    reason = serializers.CharField(
        max_length=1000, help_text="stays on the record; the patient never sees it"
    )


class SnoozeSerializer(StrictSerializer):
    length = serializers.ChoiceField(SnoozeFor.choices, help_text="refused where it would pass the due time")
    reason = serializers.ChoiceField(
        SnoozeReason.choices, help_text="stays on the record; the patient never sees it"
    )


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
    plan = PlanSerializer(required=False)
    diagnosis = serializers.CharField(
        required=False,
        allow_blank=True,
        max_length=80,
        help_text="`id` of `GET diagnoses`, of the same impression; empty: the usual one of the impression",
    )
    confidence = serializers.ChoiceField(Confidence.choices, required=False, allow_blank=True)
    template = serializers.CharField(
        required=False,
        allow_blank=True,
        max_length=80,
        help_text="`key` of the reply template that the text began as",
    )
    keep_text = serializers.BooleanField(
        required=False,
        help_text="true: send a text that began as the template of a less urgent action; 422 without it",
    )

    def validate_plan(self, given: dict[str, Any]) -> Plan:
        return Plan(**given)


class DiagnosisSerializer(serializers.Serializer):
    """A diagnosis that can be signed, with its codes. They are drafts until a clinician has signed the list."""

    id = serializers.CharField()
    ja = serializers.CharField()
    en = serializers.CharField()
    icd10 = serializers.CharField()
    snomed = serializers.CharField(help_text="SNOMED CT; empty where the code was not checked yet")
    impression = serializers.ChoiceField(Impression.choices)


class ReplyTemplateSerializer(serializers.Serializer):
    """A reply template in force at my clinic, in one language."""

    key = serializers.CharField(
        help_text="names it and its version; send it as `template` with an answer that began as it"
    )
    text = serializers.CharField()
    approved_by = serializers.CharField(help_text="the clinician who approved it; empty: a draft")


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


class WorklistRowSerializer(SubmissionRowSerializer):
    """One line of the worklist."""

    urgency = UrgencyField()
    flags = serializers.SerializerMethodField(
        help_text="one of origin `model` has the code `sooner` until the AI's opinion is open to the reader"
    )
    body_site = serializers.ChoiceField(
        BodySite.choices, source="case.body_site", allow_blank=True, help_text="of the first place"
    )
    places = PlacesField(source="case.body_places")
    claimed_by = PersonSerializer(allow_null=True)
    overdue = serializers.BooleanField(source="is_overdue")
    snooze_reason = serializers.ChoiceField(SnoozeReason.choices, allow_blank=True)

    class Meta(SubmissionRowSerializer.Meta):
        fields = (
            *SubmissionRowSerializer.Meta.fields,
            *("urgency", "flags", "body_site", "places", "ai_status", "claimed_by", "claimed_at", "overdue"),
            *("snoozed_until", "snooze_reason"),
        )

    @property
    def reader(self) -> User:
        return self.context["request"].user

    @extend_schema_field(FlagSerializer(many=True))
    def get_flags(self, submission: Submission) -> list[dict[str, Any]]:
        return FlagSerializer(ai_opinion.shown_flags(submission, self.reader), many=True).data


class AnswerChangeSerializer(serializers.Serializer):
    """A red-flag answer other than "no" that the patient corrected before sending."""

    question = serializers.CharField()
    was = serializers.CharField(help_text="the earlier answer")
    until = serializers.DateTimeField(help_text="when it was corrected first")


class ClinicSubmissionSerializer(WorklistRowSerializer):
    """A submission as dermatologists and admins see it."""

    rule_urgency = UrgencyField()
    answers = serializers.DictField(child=serializers.CharField())
    answer_changes = AnswerChangeSerializer(many=True)
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
                "answers",
                "answer_changes",
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
        return ReviewSerializer(submission.reviews.for_showing(), many=True).data


class ChosenImpressionSerializer(StrictSerializer):
    """An impression, or an empty one: the wish to see the AI's opinion without one."""

    impression = serializers.ChoiceField(
        Impression.choices,
        allow_blank=True,
        help_text="empty: open the AI's opinion without an impression; the timeline says so",
    )
    # Not with a default: generated clients would have to send them.
    signed = serializers.BooleanField(
        required=False,
        help_text="sign it, in a clinic that reads in a blind study: the AI's opinion opens, and it cannot be changed",
    )
    confidence = serializers.ChoiceField(
        Confidence.choices, allow_blank=True, required=False, help_text="how sure I am of what I sign"
    )


class FirstImpressionSerializer(serializers.ModelSerializer):
    """My impression of a submission that waits for an answer, and whether the AI's opinion is open to me."""

    impression = serializers.ChoiceField(Impression.choices, source="latest", allow_blank=True)
    independent = serializers.ChoiceField(
        Impression.choices,
        allow_blank=True,
        help_text="what I chose before the AI's opinion opened, or empty",
    )
    ai_is_open = serializers.SerializerMethodField(
        help_text="false in a clinic that reads blind, until I have signed in a blind study"
    )

    class Meta:
        model = FirstImpression
        fields = ("impression", "independent", "saw_ai_first", "at", "ai_is_open", "confidence", "signed_at")

    def get_ai_is_open(self, row: FirstImpression) -> bool:
        return ai_opinion.is_open(row.submission, row.reader)


class PhotosWantedSerializer(StrictSerializer):
    reason = serializers.ChoiceField(PhotosWanted.choices)
    place = serializers.CharField(
        required=False, allow_blank=True, max_length=30, help_text="a place of the case; none: whichever"
    )
    words = serializers.CharField(
        required=False, allow_blank=True, max_length=WORDS_LENGTH, help_text="for the patient"
    )
