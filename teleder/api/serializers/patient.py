"""What patients send and read. Nothing that only the AI says is in it."""

from __future__ import annotations

from django.conf import settings
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.reverse import reverse

from contract import photos
from teleder.api.serializers.base import AdviceSerializer, StrictSerializer, UrgencyField
from teleder.api.serializers.questionnaire import HistoryField
from teleder.cases import triage
from teleder.cases.files import FOR_PATIENTS, FileKind
from teleder.cases.models import Case, Photo, PhotosWanted, PhotoView, Review, Status, Submission
from teleder.cases.questionnaire import BodySite
from teleder.cases.remedies import remedy_for, state_for_patient
from teleder.cases.triage import Urgency

PHOTO_HELP = f"{', '.join(photos.LABELS[:-1])} or {photos.LABELS[-1]} up to {photos.FILE_LIMIT_MB} MB"


class PhotoUploadSerializer(StrictSerializer):
    """One photo for each request. Size and kind of the file are judged by the record, which says why."""

    view = serializers.ChoiceField(PhotoView.choices)
    file = serializers.FileField(allow_empty_file=True, help_text=PHOTO_HELP)


class PatientFilesSerializer(serializers.Serializer):
    """Address of each copy that is ready."""

    display = serializers.URLField(required=False)
    thumbnail = serializers.URLField(required=False)


class PhotoSerializer(serializers.ModelSerializer):
    """A photo as its patient sees it."""

    kinds = (FileKind.DISPLAY, FileKind.THUMBNAIL)

    state_text = serializers.SerializerMethodField()
    remedy = serializers.SerializerMethodField(help_text="what to do about it, or empty")
    files = serializers.SerializerMethodField(help_text="address of each copy that is ready, by kind")

    class Meta:
        model = Photo
        fields = (
            *("id", "view", "state", "state_text", "reason", "fault", "advice", "remedy", "sent_anyway"),
            *("created_at", "size", "sha256", "width", "height", "files"),
        )

    def get_state_text(self, photo: Photo) -> str:
        return state_for_patient(photo)

    def get_remedy(self, photo: Photo) -> str:
        return remedy_for(photo)

    @extend_schema_field(PatientFilesSerializer)
    def get_files(self, photo: Photo) -> dict[str, str]:
        keys = {FileKind.DISPLAY: photo.display_key, FileKind.THUMBNAIL: photo.thumbnail_key}
        if self.context.get("ai_is_open") and photo.analysis:
            keys |= {kind: getattr(photo.analysis, f"{kind}_key") for kind in set(FileKind) - FOR_PATIENTS}
        address = {kind: reverse("api:photo-file", args=[photo.pk, kind.value]) for kind in self.kinds}
        return {kind.value: settings.PUBLIC_URL + address[kind] for kind in self.kinds if keys.get(kind)}


class PhotoStateSerializer(serializers.ModelSerializer):
    remedy = serializers.SerializerMethodField()

    class Meta:
        model = Photo
        fields = ("id", "view", "state", "reason", "fault", "advice", "remedy", "sent_anyway")

    def get_remedy(self, photo: Photo) -> str:
        return remedy_for(photo)


class SignerSerializer(serializers.Serializer):
    """Who signed."""

    name = serializers.CharField()
    title = serializers.CharField(source="dermatologist.title", default="")
    licence_number = serializers.CharField(source="dermatologist.licence_number", default="")


class PatientReviewSerializer(serializers.ModelSerializer):
    """A signed answer as its patient reads it: the dermatologist's words, and no code of a disease."""

    disposition_text = serializers.CharField(source="get_disposition_display")
    signed_by = SignerSerializer(source="author")
    amends = serializers.UUIDField(
        source="amends_id", allow_null=True, help_text="the answer that this one corrects, if it corrects one"
    )

    class Meta:
        model = Review
        fields = ("id", "text", "disposition", "disposition_text", "signed_by", "signed_at", "amends")


class CaseSerializer(serializers.ModelSerializer):
    submissions = serializers.SerializerMethodField(help_text="newest first")

    class Meta:
        model = Case
        fields = ("id", "number", "body_site", "opened_at", "submissions")

    @extend_schema_field(serializers.ListField(child=serializers.UUIDField()))
    def get_submissions(self, case: Case) -> list[str]:
        if hasattr(case, "shown_submissions"):
            return [str(submission.pk) for submission in case.shown_submissions]
        rows = Submission.objects.visible_to(self.context["request"].user).filter(case=case)
        return [str(pk) for pk in rows.order_by("-created_at").values_list("pk", flat=True)]


class SubmissionRowSerializer(serializers.ModelSerializer):
    """One line of a list."""

    case = serializers.UUIDField(source="case_id")
    case_number = serializers.CharField(source="case.number")
    status_text = serializers.CharField(source="get_status_display")

    class Meta:
        model = Submission
        fields = (
            *("id", "case", "case_number", "kind", "status", "status_text"),
            *("created_at", "updated_at", "submitted_at", "due_at"),
        )


class SubmissionSerializer(SubmissionRowSerializer):
    """A submission as its patient sees it. `urgency` is that of their own answers: no model speaks in it."""

    urgency = UrgencyField(source="rule_urgency")
    advice = serializers.SerializerMethodField()
    body_site = serializers.ChoiceField(BodySite.choices, source="case.body_site", allow_blank=True)
    photos_wanted = serializers.ChoiceField(
        PhotosWanted.choices, allow_blank=True, help_text="why another photo is asked for, or empty"
    )
    photos_wanted_text = serializers.SerializerMethodField()
    photos = serializers.SerializerMethodField()
    answers = serializers.DictField(child=serializers.CharField())
    history = HistoryField()
    reviews = serializers.SerializerMethodField(help_text="signed answers, newest first")

    class Meta(SubmissionRowSerializer.Meta):
        fields = (
            *SubmissionRowSerializer.Meta.fields,
            *("urgency", "advice", "body_site", "answers", "history", "ai_status"),
            *("photos_wanted", "photos_wanted_text", "photos", "reviews"),
        )

    @extend_schema_field(AdviceSerializer)
    def get_advice(self, submission: Submission) -> dict[str, str]:
        return advice_for(submission)

    def get_photos_wanted_text(self, submission: Submission) -> str:
        return str(PhotosWanted(submission.photos_wanted).label) if submission.photos_wanted else ""

    @extend_schema_field(PhotoSerializer(many=True))
    def get_photos(self, submission: Submission) -> list[dict]:
        return PhotoSerializer(submission.current_photos(), many=True).data

    @extend_schema_field(PatientReviewSerializer(many=True))
    def get_reviews(self, submission: Submission) -> list[dict]:
        return PatientReviewSerializer(
            submission.reviews.select_related("author__dermatologist"), many=True
        ).data


def advice_for(submission: Submission) -> dict[str, str]:
    """Return the approved text for the patient's own answers."""
    return triage.policy(submission.policy).advice_for(Urgency(submission.rule_urgency))


class OpenedSubmissionSerializer(serializers.Serializer):
    """What opening a submission answers at once: no worker, broker or model takes part."""

    id = serializers.UUIDField()
    case = serializers.UUIDField(source="case_id")
    case_number = serializers.CharField(source="case.number")
    status = serializers.ChoiceField(Status.choices)
    urgency = UrgencyField(source="rule_urgency")
    advice = serializers.SerializerMethodField(help_text="show it before anything else")

    @extend_schema_field(AdviceSerializer)
    def get_advice(self, submission: Submission) -> dict[str, str]:
        return advice_for(submission)


class StatusSerializer(serializers.ModelSerializer):
    """The light answer for asking again and again."""

    status_text = serializers.CharField(source="get_status_display")
    photos_wanted = serializers.ChoiceField(PhotosWanted.choices, allow_blank=True)
    photos = serializers.SerializerMethodField()

    class Meta:
        model = Submission
        fields = ("id", "status", "status_text", "due_at", "ai_status", "photos_wanted", "photos")

    @extend_schema_field(PhotoStateSerializer(many=True))
    def get_photos(self, submission: Submission) -> list[dict]:
        return PhotoStateSerializer(submission.current_photos(), many=True).data


class SubmitSerializer(StrictSerializer):
    send_anyway = serializers.BooleanField(
        default=False, help_text="send photos that are hard to read as they are"
    )


class ReceiptSerializer(StatusSerializer):
    """What sending answers."""

    case_number = serializers.CharField(source="case.number")
    status_url = serializers.SerializerMethodField()
    receipt = serializers.SerializerMethodField(help_text="the same words for all")
    advice = serializers.SerializerMethodField()

    class Meta(StatusSerializer.Meta):
        fields = (
            *StatusSerializer.Meta.fields,
            "case_number",
            "submitted_at",
            "status_url",
            "receipt",
            "advice",
        )

    @extend_schema_field(OpenApiTypes.URI)
    def get_status_url(self, submission: Submission) -> str:
        return status_url(submission)

    @extend_schema_field(AdviceSerializer)
    def get_receipt(self, submission: Submission) -> dict[str, str]:
        return triage.policy(submission.policy).advice("receipt")

    @extend_schema_field(AdviceSerializer)
    def get_advice(self, submission: Submission) -> dict[str, str]:
        return advice_for(submission)


def status_url(submission: Submission) -> str:
    return settings.PUBLIC_URL + reverse("api:submission-status", args=[submission.pk])
