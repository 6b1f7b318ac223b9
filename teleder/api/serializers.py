"""What goes in and comes out. One serializer for each reader: patients never get what only the AI says."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.reverse import reverse

from inference_worker.contract import Stage
from teleder.accounts.models import Language, PatientProfile, Purpose, Role, SkinType, User
from teleder.accounts.text import clean_text
from teleder.cases import questionnaire, triage
from teleder.cases.files import FOR_PATIENTS, FileKind
from teleder.cases.models import (
    Analysis,
    Case,
    Disposition,
    Finding,
    Impression,
    Job,
    JobState,
    Photo,
    PhotosWanted,
    PhotoView,
    Review,
    Status,
    Submission,
)
from teleder.cases.remedies import remedy_for
from teleder.cases.triage import Urgency
from teleder.notifications.models import Message
from teleder.privacy.models import Why

EARLIEST_BIRTH_YEAR = 1900


class Strict(serializers.Serializer):
    """What goes in: an unknown field is a mistake to be told, not to be passed over."""

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        if isinstance(data, dict) and (unknown := [name for name in data if name not in self.fields]):
            raise serializers.ValidationError({str(name)[:50]: [_("Unknown field.")] for name in unknown})
        return super().to_internal_value(self._clean(data))

    def _clean(self, data: Any) -> Any:
        """Return the data with all free text cleaned before it is validated; a password stays as it is."""
        if type(data) is not dict:
            return data
        typed = {name for name, field in self.fields.items() if type(field) is serializers.CharField}
        typed = {
            name for name in typed if self.fields[name].trim_whitespace and isinstance(data.get(name), str)
        }
        return data | {name: clean_text(data[name]) for name in typed}


# --- Small parts ------------------------------------------------------------------------------------------
@extend_schema_field({"type": "string", "enum": [level.code for level in Urgency], "example": "same_day"})
class UrgencyField(serializers.ReadOnlyField):
    """A level by its code; numbers are the database's."""

    def to_representation(self, value: int) -> str:
        return Urgency(value).code


class AdviceSerializer(serializers.Serializer):
    """An approved text for patients, in the language of the request."""

    code = serializers.CharField()
    title = serializers.CharField()
    text = serializers.CharField()
    phone = serializers.CharField(allow_blank=True, help_text="a number to call, or empty")


class CodeSerializer(serializers.Serializer):
    value = serializers.CharField()
    text = serializers.CharField()


class FieldErrorSerializer(serializers.Serializer):
    field = serializers.CharField()
    code = serializers.CharField()
    message = serializers.CharField()


class ProblemSerializer(serializers.Serializer):
    """RFC 9457."""

    type = serializers.CharField()
    title = serializers.CharField()
    status = serializers.IntegerField()
    detail = serializers.CharField()
    code = serializers.CharField()
    errors = FieldErrorSerializer(many=True, required=False)
    review = serializers.UUIDField(
        required=False, help_text="of `already_amended`: the answer that is in force now"
    )
    urgency = serializers.CharField(required=False, help_text="of `urgency_rose`: what it is now")
    trace_id = serializers.CharField()


# --- The person -------------------------------------------------------------------------------------------
class ProofSerializer(Strict):
    """Who one is. It is shown again before what cannot be undone: a token alone does not do."""

    password = serializers.CharField(trim_whitespace=False, max_length=256, write_only=True)
    code = serializers.RegexField(
        "[0-9A-Za-z]",  # one at least: what is blank is no code
        required=False,
        max_length=20,
        help_text="from the authenticator app, where the account has one",
    )


class LogInSerializer(ProofSerializer):
    email = serializers.EmailField()


class TokenSerializer(serializers.Serializer):
    token = serializers.CharField(help_text="send it as `Authorization: Token ...`; it is shown only once")
    expires_at = serializers.DateTimeField()


class MeSerializer(serializers.Serializer):
    id = serializers.UUIDField()
    email = serializers.EmailField()
    name = serializers.CharField()
    role = serializers.ChoiceField(Role.choices)
    language = serializers.ChoiceField(Language.choices)
    birth_year = serializers.SerializerMethodField(help_text="patients only")
    skin_type = serializers.SerializerMethodField(help_text="patients only: Fitzpatrick I to VI as 1 to 6")
    email_messages = serializers.SerializerMethodField(help_text="whether news is also sent by e-mail")

    def get_birth_year(self, user: User) -> int | None:
        return getattr(getattr(user, "patient", None), "birth_year", None)

    def get_skin_type(self, user: User) -> int | None:
        return getattr(getattr(user, "patient", None), "skin_type", None)

    def get_email_messages(self, user: User) -> bool:
        return getattr(getattr(user, "preference", None), "email", True)


class MeChangeSerializer(Strict):
    language = serializers.ChoiceField(Language.choices, required=False)
    email_messages = serializers.BooleanField(required=False)


class PatientChangeSerializer(MeChangeSerializer):
    name = serializers.CharField(required=False, max_length=100, allow_blank=True)
    birth_year = serializers.IntegerField(required=False, min_value=EARLIEST_BIRTH_YEAR)
    skin_type = serializers.ChoiceField(SkinType.choices, required=False, allow_null=True)

    def validate_birth_year(self, year: int) -> int:
        if year > timezone.localdate().year:
            raise serializers.ValidationError(_("This year has not come yet."))
        return year

    def validate(self, data: dict[str, Any]) -> dict[str, Any]:
        has_profile = PatientProfile.objects.filter(user=self.context["request"].user).exists()
        if data.get("skin_type") and "birth_year" not in data and not has_profile:
            raise serializers.ValidationError({"birth_year": [_("Please say the year of birth first.")]})
        return data


class ConsentSerializer(serializers.Serializer):
    purpose = serializers.ChoiceField(Purpose.choices)
    version = serializers.CharField()
    text = serializers.CharField(help_text="the words agreed to, in the language of the request")
    given = serializers.BooleanField()
    given_at = serializers.DateTimeField(allow_null=True)


class ConsentChoiceSerializer(Strict):
    version = serializers.CharField(max_length=20, help_text="of the texts that the person has read")
    care = serializers.BooleanField(required=False)
    ai = serializers.BooleanField(required=False)
    training = serializers.BooleanField(required=False)


class MessageSerializer(serializers.ModelSerializer):
    """News in the inbox: that something happened, never what."""

    title = serializers.CharField()
    submission = serializers.UUIDField(source="event.submission_id")

    class Meta:
        model = Message
        fields = ("id", "title", "submission", "created_at", "read_at")


# --- Questions --------------------------------------------------------------------------------------------
class QuestionSerializer(serializers.Serializer):
    id = serializers.CharField()
    text = serializers.CharField()
    choices = CodeSerializer(many=True)


class HistoryQuestionSerializer(serializers.Serializer):
    id = serializers.CharField()
    kind = serializers.ChoiceField(["one", "several", "scale", "text"])
    text = serializers.CharField()
    choices = CodeSerializer(many=True, required=False)


class QuestionnaireSerializer(serializers.Serializer):
    policy = serializers.CharField(help_text="version of the questions, rules and texts")
    red_flags = QuestionSerializer(many=True)
    body_sites = CodeSerializer(many=True)
    history = HistoryQuestionSerializer(many=True)
    photo_views = CodeSerializer(many=True)
    receipt = AdviceSerializer(help_text="the same words for all, on every receipt")


class HistorySerializer(Strict):
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
    """As it is kept: what was left out is not there."""


class AnswersSerializer(Strict):
    """The twelve red-flag answers, by question. Nothing else is asked here: advice must not wait for it."""

    answers = serializers.DictField(child=serializers.CharField(max_length=20))

    def validate_answers(self, answers: dict[str, str]) -> dict[str, str]:
        return questionnaire.clean_red_flags(answers, triage.policy())


class DescriptionSerializer(Strict):
    body_site = serializers.CharField(required=False, max_length=20, help_text="a code of the questionnaire")
    history = HistorySerializer(required=False)


# --- Photos -----------------------------------------------------------------------------------------------
class PhotoUploadSerializer(Strict):
    """One photo for each request. Size and kind of the file are judged by the record, which says why."""

    view = serializers.ChoiceField(PhotoView.choices)
    file = serializers.FileField(allow_empty_file=True, help_text="JPEG, PNG, WebP or HEIC up to 25 MB")


class PhotoSerializer(serializers.ModelSerializer):
    """A photo as its patient sees it."""

    kinds = (FileKind.DISPLAY, FileKind.THUMBNAIL)

    state_text = serializers.CharField(source="get_state_display")
    remedy = serializers.SerializerMethodField(help_text="what to do about it, or empty")
    files = serializers.SerializerMethodField(help_text="address of each copy that is ready, by kind")

    class Meta:
        model = Photo
        fields = (
            *("id", "view", "state", "state_text", "reason", "fault", "remedy", "sent_anyway"),
            *("created_at", "size", "sha256", "width", "height", "files"),
        )

    def get_remedy(self, photo: Photo) -> str:
        return remedy_for(photo)

    def get_files(self, photo: Photo) -> dict[str, str]:
        keys = {FileKind.DISPLAY: photo.display_key, FileKind.THUMBNAIL: photo.thumbnail_key}
        if FileKind.MASK in self.kinds and photo.analysis:
            keys |= {kind: getattr(photo.analysis, f"{kind}_key") for kind in set(FileKind) - FOR_PATIENTS}
        address = {kind: reverse("api:photo-file", args=[photo.pk, kind.value]) for kind in self.kinds}
        return {kind.value: settings.PUBLIC_URL + address[kind] for kind in self.kinds if keys.get(kind)}


class ClinicPhotoSerializer(PhotoSerializer):
    """The same with what a dermatologist sees besides."""

    kinds = tuple(FileKind)

    class Meta(PhotoSerializer.Meta):
        fields = (*PhotoSerializer.Meta.fields, "analysis_width", "analysis_height", "quality")


class PhotoStateSerializer(serializers.ModelSerializer):
    remedy = serializers.SerializerMethodField()

    class Meta:
        model = Photo
        fields = ("id", "view", "state", "reason", "fault", "remedy", "sent_anyway")

    def get_remedy(self, photo: Photo) -> str:
        return remedy_for(photo)


# --- Answers of dermatologists ----------------------------------------------------------------------------
class SignerSerializer(serializers.Serializer):
    """Who signed."""

    name = serializers.CharField()
    title = serializers.CharField(source="dermatologist.title", default="")
    licence_number = serializers.CharField(source="dermatologist.licence_number", default="")


class AnswerSerializer(serializers.ModelSerializer):
    """A signed answer as its patient reads it: the dermatologist's words, and no code of a disease."""

    disposition_text = serializers.CharField(source="get_disposition_display")
    signed_by = SignerSerializer(source="author")
    amends = serializers.PrimaryKeyRelatedField(read_only=True)

    class Meta:
        model = Review
        fields = ("id", "text", "disposition", "disposition_text", "signed_by", "signed_at", "amends")


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


class AmendSerializer(SignSerializer):
    amends = serializers.UUIDField(
        required=False, help_text="the answer that was read before; 409 where another is in force by now"
    )


# --- Submissions ------------------------------------------------------------------------------------------
class CaseSerializer(serializers.ModelSerializer):
    submissions = serializers.SerializerMethodField(help_text="newest first")

    class Meta:
        model = Case
        fields = ("id", "number", "body_site", "opened_at", "submissions")

    @extend_schema_field(serializers.ListField(child=serializers.UUIDField()))
    def get_submissions(self, case: Case) -> list[str]:
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
            *("created_at", "submitted_at", "due_at"),
        )


class SubmissionSerializer(SubmissionRowSerializer):
    """A submission as its patient sees it. `urgency` is that of their own answers: no model speaks in it."""

    urgency = UrgencyField(source="rule_urgency")
    advice = serializers.SerializerMethodField()
    body_site = serializers.CharField(source="case.body_site")
    photos_wanted = serializers.CharField(help_text="why another photo is asked for, or empty")
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

    @extend_schema_field(AnswerSerializer(many=True))
    def get_reviews(self, submission: Submission) -> list[dict]:
        return AnswerSerializer(submission.reviews.select_related("author__dermatologist"), many=True).data


def advice_for(submission: Submission) -> dict[str, str]:
    """Return the approved text for the patient's own answers."""
    return triage.policy(submission.policy).advice_for(Urgency(submission.rule_urgency))


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


class OpenedSerializer(serializers.Serializer):
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
    photos = serializers.SerializerMethodField()

    class Meta:
        model = Submission
        fields = ("id", "status", "status_text", "due_at", "ai_status", "photos_wanted", "photos")

    @extend_schema_field(PhotoStateSerializer(many=True))
    def get_photos(self, submission: Submission) -> list[dict]:
        return PhotoStateSerializer(submission.current_photos(), many=True).data


class SubmitSerializer(Strict):
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


class PhotosWantedSerializer(Strict):
    reason = serializers.ChoiceField(PhotosWanted.choices)


class ReassignSerializer(Strict):
    to = serializers.UUIDField(help_text="a dermatologist")


# --- What the AI found: for the clinic only ---------------------------------------------------------------
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


# --- One's own data ---------------------------------------------------------------------------------------
class ErasureSerializer(serializers.Serializer):
    """An erasure under way."""

    why = serializers.ChoiceField(Why.choices)
    asked_at = serializers.DateTimeField()
    due_at = serializers.DateTimeField(help_text="until then it can be taken back")


class DataSerializer(serializers.Serializer):
    """What is held of the person, and what becomes of it."""

    consultations = serializers.IntegerField()
    photos = serializers.IntegerField(help_text="removed ones too")
    bytes = serializers.IntegerField(help_text="of the originals; the export is larger by the copies")
    policy = serializers.CharField()
    cooling_off_days = serializers.IntegerField()
    open_case_days = serializers.IntegerField()
    backup_days = serializers.IntegerField()
    erasure = ErasureSerializer(allow_null=True)
    waits_for = serializers.ListField(
        child=serializers.CharField(), help_text="what an erasure would wait for beside its day, in words"
    )


# --- Operations -------------------------------------------------------------------------------------------
class JobSerializer(serializers.ModelSerializer):
    submission = serializers.UUIDField(source="photo.submission_id")
    case_number = serializers.CharField(source="photo.submission.case.number")
    priority = UrgencyField()

    class Meta:
        model = Job
        fields = (
            *("id", "photo", "submission", "case_number", "stage", "state", "priority", "attempt", "deaths"),
            *("losses", "error", "worker", "created_at", "sent_at", "deadline", "finished_at"),
        )


class QueueSerializer(serializers.Serializer):
    """One stage of the work, counted in the database."""

    stage = serializers.ChoiceField([stage.value for stage in Stage])
    oldest = serializers.DateTimeField(
        allow_null=True, help_text="since when the oldest unfinished job waits"
    )
    jobs = serializers.DictField(child=serializers.IntegerField(), help_text="how many, by state")


class JobFilterSerializer(serializers.Serializer):
    state = serializers.ChoiceField(JobState.choices, required=False)
    stage = serializers.ChoiceField([stage.value for stage in Stage], required=False)


class SubmissionFilterSerializer(serializers.Serializer):
    status = serializers.ChoiceField(Status.choices, required=False)
    case = serializers.UUIDField(required=False)
