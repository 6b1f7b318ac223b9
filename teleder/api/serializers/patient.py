"""What patients send and read. Nothing that only the AI says is in it."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.reverse import reverse

from contract import photos
from teleder.accounts.models import User
from teleder.api.serializers.base import (
    AdviceSerializer,
    DueField,
    PausedField,
    StrictSerializer,
    UrgencyField,
)
from teleder.api.serializers.questionnaire import HistoryField, PlacesField
from teleder.cases import reading, triage
from teleder.cases.files import FOR_PATIENTS, FileKind
from teleder.cases.models import (
    Case,
    MissingPhoto,
    Photo,
    PhotosWanted,
    PhotoView,
    Review,
    Status,
    Submission,
)
from teleder.cases.plan import LINE_LENGTH, LINES
from teleder.cases.questionnaire import BodySite
from teleder.cases.remedies import remedy_for, state_for_patient
from teleder.cases.transitions import WITH_ANSWER

PHOTO_HELP = f"{', '.join(photos.LABELS[:-1])} or {photos.LABELS[-1]} up to {photos.FILE_LIMIT_MB} MB"


class PhotoUploadSerializer(StrictSerializer):
    """One photo for each request. Size and kind of the file are judged by the record, which says why."""

    view = serializers.ChoiceField(PhotoView.choices)
    place = serializers.CharField(
        required=False, max_length=30, help_text="`id` of its place; needed where the case has several"
    )
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
            *(
                "id",
                "view",
                "place",
                "state",
                "state_text",
                "reason",
                "fault",
                "advice",
                "remedy",
                "sent_anyway",
            ),
            *("created_at", "size", "sha256", "width", "height", "files"),
        )

    def get_state_text(self, photo: Photo) -> str:
        return state_for_patient(photo)

    def get_remedy(self, photo: Photo) -> str:
        return remedy_for(photo)

    @extend_schema_field(PatientFilesSerializer)
    def get_files(self, photo: Photo) -> dict[str, str]:
        keys = {kind: getattr(photo, f"{kind}_key") for kind in FOR_PATIENTS}
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
    """Who signed, in the reader's language as far as it is given."""

    name = serializers.CharField(source="name_for_reader")
    title = serializers.CharField(source="dermatologist.title_for_reader", default="")
    licence_number = serializers.CharField(source="dermatologist.licence_number", default="")


class PlanSerializer(StrictSerializer):
    """What the patient is to do; signed with the answer."""

    today = serializers.ListField(
        child=serializers.CharField(max_length=LINE_LENGTH), required=False, max_length=LINES
    )
    this_week = serializers.ListField(
        child=serializers.CharField(max_length=LINE_LENGTH), required=False, max_length=LINES
    )
    next_photo_on = serializers.DateField(
        required=False,
        allow_null=True,
        help_text="the day for new photos, on the patient's calendar; a reminder is sent",
    )


class PatientReviewSerializer(serializers.ModelSerializer):
    """A signed answer as its patient reads it: the dermatologist's words, and no code of a disease."""

    disposition_text = serializers.CharField(source="get_disposition_display")
    plan = PlanSerializer(source="*")
    signed_by = SignerSerializer(source="author")
    amends = serializers.UUIDField(
        source="corrects", allow_null=True, help_text="the answer that this one corrects, if it corrects one"
    )

    class Meta:
        model = Review
        fields = (
            *("id", "text", "disposition", "disposition_text", "plan"),
            *("signed_by", "signed_at", "amends"),
        )


class CaseSerializer(serializers.ModelSerializer):
    places = PlacesField(source="body_places")
    submissions = serializers.SerializerMethodField(help_text="newest first")

    class Meta:
        model = Case
        fields = ("id", "number", "body_site", "places", "opened_at", "submissions")

    @extend_schema_field(serializers.ListField(child=serializers.UUIDField()))
    def get_submissions(self, case: Case) -> list[str]:
        if hasattr(case, "shown_submissions"):
            return [str(submission.pk) for submission in case.shown_submissions]
        rows = Submission.objects.visible_to(self.context["request"].user).filter(case=case)
        return [str(pk) for pk in rows.order_by("-created_at").values_list("pk", flat=True)]


class PatientSerializer(serializers.ModelSerializer):
    """Whom it is about: for patients themselves or a child, for the clinic the patient."""

    birth_year = serializers.IntegerField(source="patient.birth_year", default=None, allow_null=True)
    skin_type = serializers.IntegerField(source="patient.skin_type", default=None, allow_null=True)

    class Meta:
        model = User
        fields = ("id", "name", "language", "birth_year", "skin_type")


class SubmissionRowSerializer(serializers.ModelSerializer):
    """One line of a list."""

    case = serializers.UUIDField(source="case_id")
    case_number = serializers.CharField(source="case.number")
    patient = PatientSerializer(source="case.patient")
    status_text = serializers.CharField(source="get_status_display")
    due_at = DueField()
    paused_at = PausedField()

    class Meta:
        model = Submission
        fields = (
            *("id", "case", "case_number", "patient", "written_by", "kind", "status", "status_text"),
            *("created_at", "updated_at", "submitted_at", "due_at", "paused_at"),
        )


class WarningSignsSerializer(serializers.Serializer):
    """When not to wait; the same for every patient."""

    title = serializers.CharField()
    text = serializers.CharField()
    signs = serializers.ListField(child=serializers.CharField())


class SubmissionSerializer(SubmissionRowSerializer):
    """A submission as its patient sees it. `urgency` is that of their own answers: no model speaks in it."""

    urgency = UrgencyField(source="rule_urgency")
    advice = serializers.SerializerMethodField()
    warning_signs = serializers.SerializerMethodField(
        help_text="show them with every answer: no text of an answer repeats them"
    )
    body_site = serializers.ChoiceField(
        BodySite.choices, source="case.body_site", allow_blank=True, help_text="of the first place"
    )
    places = PlacesField(source="case.body_places")
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
            *("urgency", "advice", "warning_signs", "body_site", "places"),
            *("answers", "history", "ai_status"),
            *("photos_wanted", "photos_wanted_text", "photos_wanted_place", "photos_wanted_words"),
            *("photos", "reviews"),
        )

    @extend_schema_field(AdviceSerializer)
    def get_advice(self, submission: Submission) -> dict[str, str]:
        return advice_for(submission)

    @extend_schema_field(WarningSignsSerializer)
    def get_warning_signs(self, submission: Submission) -> dict[str, Any]:
        return triage.warning_signs(answered=submission.status in WITH_ANSWER)

    def get_photos_wanted_text(self, submission: Submission) -> str:
        return str(PhotosWanted(submission.photos_wanted).label) if submission.photos_wanted else ""

    @extend_schema_field(PhotoSerializer(many=True))
    def get_photos(self, submission: Submission) -> list[dict]:
        return PhotoSerializer(submission.current_photos(), many=True).data

    @extend_schema_field(PatientReviewSerializer(many=True))
    def get_reviews(self, submission: Submission) -> list[dict]:
        reading.answer_for_patient(submission)
        return PatientReviewSerializer(submission.reviews.sent().for_showing(), many=True).data


def advice_for(submission: Submission) -> dict[str, str]:
    """Return the approved text for the patient's own answers."""
    return triage.advice_for(submission)


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
    due_at = DueField()
    paused_at = PausedField()
    photos_wanted = serializers.ChoiceField(PhotosWanted.choices, allow_blank=True)
    photos = serializers.SerializerMethodField()

    class Meta:
        model = Submission
        fields = (
            *("id", "status", "status_text", "due_at", "paused_at", "ai_status", "photos_wanted", "photos"),
        )

    @extend_schema_field(PhotoStateSerializer(many=True))
    def get_photos(self, submission: Submission) -> list[dict]:
        return PhotoStateSerializer(submission.current_photos(), many=True).data


class SubmitSerializer(StrictSerializer):
    send_anyway = serializers.BooleanField(
        default=False, help_text="send photos that are hard to read as they are"
    )
    missing_photo = serializers.ChoiceField(
        MissingPhoto.choices,
        required=False,
        help_text="why there is no overview or no close-up; needed where one is missing, unless the answers mean today",
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
