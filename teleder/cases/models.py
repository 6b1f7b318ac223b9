"""The clinical record. Words: docs/glossary.md. A status changes only through `workflow.move`."""

from __future__ import annotations

import secrets
from datetime import datetime

import uuid_utils.compat as uuid
from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from contract import messages
from contract.messages import Abstention, Condition, NoBox, QualityFault, Reason, Stage
from teleder.accounts.models import Clinic, User
from teleder.accounts.text import TextField
from teleder.cases.questionnaire import INTIMATE_SITES, BodySite
from teleder.cases.stored_values import FindingsField, MeasureField
from teleder.cases.triage import Urgency

PHOTOS_PER_SUBMISSION = 6
# Letters and digits that are not taken for one another when read aloud.
NUMBER_ALPHABET = "23456789ABCDEFGHJKMNPQRSTVWXYZ"


def case_number() -> str:
    letters = "".join(secrets.choice(NUMBER_ALPHABET) for _ in range(8))
    return f"{letters[:4]}-{letters[4:]}"


class Status(models.TextChoices):
    DRAFT = "draft", _("draft")
    SUBMITTED = "submitted", _("submitted")
    IN_REVIEW = "in_review", _("in review")
    NEEDS_PHOTOS = "needs_photos", _("photos asked for")
    ANSWERED = "answered", _("answered")
    CLOSED = "closed", _("closed")
    WITHDRAWN = "withdrawn", _("withdrawn")


class PhotosWanted(models.TextChoices):
    """Why another photo is asked for; each has one remedy, the same as a photo's fault."""

    BLURRED = QualityFault.BLURRED.value, _("it is blurred")
    TOO_DARK = QualityFault.TOO_DARK.value, _("it is too dark")
    TOO_BRIGHT = QualityFault.TOO_BRIGHT.value, _("it is too bright")
    GLARE = QualityFault.GLARE.value, _("the skin reflects the light")
    TOO_FAR = "too_far", _("it was taken from too far away")
    TOO_NEAR = "too_near", _("it was taken from too near")
    NOT_IN_PICTURE = "not_in_picture", _("the spot is not all in the picture")


OPEN = (Status.SUBMITTED, Status.IN_REVIEW, Status.NEEDS_PHOTOS)
AWAITING_DERMATOLOGIST = (Status.SUBMITTED, Status.IN_REVIEW)
TAKES_PHOTOS = (Status.DRAFT, Status.NEEDS_PHOTOS, Status.SUBMITTED)


class AIStatus(models.TextChoices):
    NOT_USED = "not_used", _("AI not used")
    WAITING = "waiting", _("AI reading")
    DONE = "done", _("AI done")
    PARTLY = "partly", _("AI partly done")
    UNAVAILABLE = "unavailable", _("AI unavailable")


class Kind(models.TextChoices):
    """Kinds of submission within a case."""

    FIRST = "first", _("first")
    FOLLOW_UP = "follow_up", _("follow-up")


class Cases(models.QuerySet):
    def visible_to(self, user: User) -> Cases:
        """The one rule for pages and API: patients see their own, dermatologists and admins their clinic's but drafts."""
        if user.is_patient:
            return self.filter(patient=user)
        if user.is_dermatologist or user.is_admin:
            sent = Submission.objects.filter(case=models.OuterRef("pk")).exclude(submitted_at=None)
            return self.filter(models.Exists(sent), user.in_own_clinic())
        return self.none()


class Case(models.Model):
    """One skin concern of one patient over time (FHIR EpisodeOfCare)."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid7, editable=False)
    number = models.CharField(
        _("case number"), max_length=9, unique=True, default=case_number, editable=False
    )
    patient = models.ForeignKey(
        User, models.PROTECT, related_name="cases", limit_choices_to={"role": "patient"}
    )
    # The patient's when it was opened; it stays there when they move.
    clinic = models.ForeignKey(Clinic, models.PROTECT, related_name="cases", verbose_name=_("clinic"))
    body_site = models.CharField(_("body site"), max_length=20, choices=BodySite, blank=True)
    opened_at = models.DateTimeField(_("opened"), default=timezone.now)

    objects = Cases.as_manager()

    class Meta:
        verbose_name, verbose_name_plural = _("case"), _("cases")
        ordering = ("-opened_at",)

    def __str__(self) -> str:
        return self.number

    @property
    def is_intimate(self) -> bool:
        return self.body_site in INTIMATE_SITES


class Submissions(models.QuerySet):
    def visible_to(self, user: User) -> Submissions:
        if user.is_patient:
            return self.filter(case__patient=user)
        if user.is_dermatologist or user.is_admin:
            # A draft that was sent once, taken back and restored is the patient's own again.
            sent = self.exclude(submitted_at=None).exclude(status=Status.DRAFT)
            return sent.filter(user.in_own_clinic("case__clinic"))
        return self.none()

    def worklist(self) -> Submissions:
        """Those that wait for a dermatologist, most urgent first."""
        return self.filter(status__in=AWAITING_DERMATOLOGIST).order_by("-urgency", "due_at", "id")

    def overdue(self) -> Submissions:
        return self.filter(status__in=AWAITING_DERMATOLOGIST, due_at__lt=timezone.now())

    def updated_since(self, time: datetime) -> Submissions:
        """Those that changed at this time or later, with their photos, findings and reviews."""
        return self.filter(updated_at__gte=time)

    def answered_since(self, time: datetime) -> Submissions:
        """Those with a review, first or amended, that was signed at this time or later."""
        signed = Review.objects.filter(submission=models.OuterRef("pk"), signed_at__gte=time)
        return self.filter(models.Exists(signed))


class Submission(models.Model):
    """One set of photos and answers within a case (FHIR ServiceRequest + QuestionnaireResponse)."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid7, editable=False)
    case = models.ForeignKey(Case, models.PROTECT, related_name="submissions")
    kind = models.CharField(_("kind"), max_length=10, choices=Kind, default=Kind.FIRST)
    status = models.CharField(_("status"), max_length=20, choices=Status, default=Status.DRAFT)
    idempotency_key = models.CharField(max_length=100, blank=True)
    created_at = models.DateTimeField(_("created"), default=timezone.now)
    submitted_at = models.DateTimeField(_("submitted"), null=True, blank=True)
    # Kept by triggers (migration 0007): an UPDATE that forgets it cannot be written.
    updated_at = models.DateTimeField(_("updated"), db_default=Now(), editable=False)

    answers = models.JSONField(_("red-flag answers"), default=dict)
    history = models.JSONField(_("history"), default=dict, blank=True)

    policy = models.CharField(_("triage policy"), max_length=40)
    rule_urgency = models.PositiveSmallIntegerField(_("urgency by answers"), choices=Urgency)
    urgency = models.PositiveSmallIntegerField(_("urgency"), choices=Urgency)
    flags = models.JSONField(_("flags"), default=list, blank=True)
    due_at = models.DateTimeField(_("answer due"), null=True, blank=True)

    ai_status = models.CharField(_("AI"), max_length=12, choices=AIStatus, default=AIStatus.NOT_USED)
    ai_deadline = models.DateTimeField(null=True, blank=True)

    claimed_by = models.ForeignKey(
        User, models.PROTECT, null=True, blank=True, related_name="claims", verbose_name=_("claimed by")
    )
    claimed_at = models.DateTimeField(_("claimed"), null=True, blank=True)
    photos_wanted = models.CharField(_("photos asked for, because"), max_length=20, blank=True)

    objects = Submissions.as_manager()

    class Meta:
        verbose_name, verbose_name_plural = _("submission"), _("submissions")
        ordering = ("-created_at",)
        indexes = [
            models.Index(
                F("urgency").desc(),
                "due_at",
                "id",
                condition=Q(status__in=AWAITING_DERMATOLOGIST),
                name="worklist_order",
            ),
            models.Index("updated_at", name="submission_by_update"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(status=Status.IN_REVIEW, claimed_by__isnull=False, claimed_at__isnull=False)
                | (~Q(status=Status.IN_REVIEW) & Q(claimed_by=None, claimed_at=None)),
                name="submission_in_review_has_reviewer_and_no_other_has",
            ),
            models.CheckConstraint(
                condition=~Q(status__in=[*OPEN, Status.ANSWERED, Status.CLOSED])
                | Q(due_at__isnull=False, submitted_at__isnull=False),
                name="submission_once_submitted_has_due_time",
            ),
            models.CheckConstraint(
                condition=Q(urgency__gte=F("rule_urgency")),
                name="submission_urgency_is_never_below_its_rules",
            ),
            models.CheckConstraint(
                condition=~Q(ai_status=AIStatus.WAITING) | Q(ai_deadline__isnull=False),
                name="submission_waiting_for_ai_has_deadline",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.case} {self.created_at:%Y-%m-%d}"

    def get_absolute_url(self) -> str:
        return reverse("web:submission", args=[self.pk])

    @property
    def patient(self) -> User:
        return self.case.patient

    @property
    def is_open(self) -> bool:
        return self.status in OPEN

    @property
    def level(self) -> Urgency:
        return Urgency(self.urgency)

    @property
    def is_overdue(self) -> bool:
        return bool(self.due_at) and self.status in AWAITING_DERMATOLOGIST and self.due_at < timezone.now()

    def current_photos(self) -> models.QuerySet[Photo]:
        return self.photos.filter(removed_at=None)

    def answer(self) -> Review | None:
        """The review in force: the newest that no other one corrects."""
        return self.reviews.filter(amended_by=None).order_by("-signed_at").first()


class PhotoView(models.TextChoices):
    """Which photo it is (ATA quick guide: overview and close-up)."""

    OVERVIEW = "overview", _("overview")
    CLOSE_UP = "close_up", _("close-up")
    OTHER = "other", _("other")


class PhotoState(models.TextChoices):
    STORED = "stored", _("being checked")
    READY = "ready", _("good")
    POOR = "poor", _("hard to read")
    UNUSABLE = "unusable", _("cannot be used")


class Photos(models.QuerySet):
    def visible_to(self, user: User) -> Photos:
        return self.filter(submission__in=Submission.objects.visible_to(user))

    def current(self) -> Photos:
        return self.filter(removed_at=None)


class Photo(models.Model):
    """A stranger's bytes as they came, and the copies the worker made of them."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid7, editable=False)
    submission = models.ForeignKey(Submission, models.PROTECT, related_name="photos")
    view = models.CharField(_("view"), max_length=10, choices=PhotoView)
    state = models.CharField(_("state"), max_length=10, choices=PhotoState, default=PhotoState.STORED)
    created_at = models.DateTimeField(_("received"), default=timezone.now)
    removed_at = models.DateTimeField(_("removed"), null=True, blank=True)

    original_key = models.CharField(max_length=200)
    # Written no more, as names of files tell of people; the version after this one drops the column.
    original_name = models.CharField(max_length=200, blank=True)
    trace = models.CharField(
        max_length=36, blank=True, db_default="", help_text="the request that brought it"
    )
    size = models.PositiveIntegerField(_("bytes"))
    sha256 = models.CharField(max_length=64)
    sealed_by = models.CharField(
        max_length=8, blank=True, help_text="name of the key that opens the original"
    )

    display_key = models.CharField(max_length=200, blank=True)
    analysis_key = models.CharField(max_length=200, blank=True)
    thumbnail_key = models.CharField(max_length=200, blank=True)
    width = models.PositiveIntegerField(default=0)
    height = models.PositiveIntegerField(default=0)
    analysis_width = models.PositiveIntegerField(default=0)
    analysis_height = models.PositiveIntegerField(default=0)
    quality = FindingsField(_("quality"), declared=messages.Measured, default=dict, blank=True)
    reason = models.CharField(_("rejection"), max_length=30, choices=[(r, r) for r in Reason], blank=True)
    fault = models.CharField(_("fault"), max_length=30, choices=[(f, f) for f in QualityFault], blank=True)
    sent_anyway = models.BooleanField(_("sent anyway"), default=False)

    objects = Photos.as_manager()

    class Meta:
        verbose_name, verbose_name_plural = _("photo"), _("photos")
        ordering = ("created_at",)
        constraints = [
            models.UniqueConstraint(
                fields=["submission", "sha256"],
                condition=Q(removed_at=None),
                name="submission_holds_a_photo_once",
            ),
            models.CheckConstraint(
                condition=~Q(state__in=[PhotoState.READY, PhotoState.POOR])
                | (~Q(display_key="") & ~Q(analysis_key="")),
                name="photo_that_was_prepared_has_its_copies",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_view_display()} {self.created_at:%Y-%m-%d %H:%M}"

    @property
    def analysis(self) -> Analysis | None:
        """The newest analysis; a repeated one keeps the old beside it."""
        return max(self.analyses.all(), key=lambda analysis: analysis.created_at, default=None)

    @property
    def was_prepared(self) -> bool:
        return self.state in {PhotoState.READY, PhotoState.POOR}


class JobState(models.TextChoices):
    QUEUED = "queued", _("queued")  # -> sent, cancelled
    SENT = "sent", _("sent")  # -> started, done, failed; lost -> queued
    STARTED = "started", _("started")  # -> done, failed; died -> queued or quarantined
    DONE = "done", _("done")
    FAILED = "failed", _("failed")  # the worker foresaw it and said why; requeue -> queued
    QUARANTINED = "quarantined", _("quarantined")  # died too often; requeue -> queued
    CANCELLED = "cancelled", _("cancelled")


UNDER_WAY = (JobState.SENT, JobState.STARTED)
UNFINISHED = (JobState.QUEUED, *UNDER_WAY)


class Jobs(models.QuerySet):
    def visible_to(self, user: User) -> Jobs:
        """Admins see the work on every photo of their clinic, that of drafts too: a job shows no photo."""
        if not user.is_admin:
            return self.none()
        return self.filter(user.in_own_clinic("photo__submission__case__clinic"))


class Job(models.Model):
    """One stage of work on one photo: the truth of which messages in Valkey are only the carriers."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid7, editable=False)
    photo = models.ForeignKey(Photo, models.CASCADE, related_name="jobs", verbose_name=_("photo"))
    stage = models.CharField(_("stage"), max_length=10, choices=[(s.value, s.value) for s in Stage])
    state = models.CharField(_("state"), max_length=12, choices=JobState, default=JobState.QUEUED)
    priority = models.PositiveSmallIntegerField(_("priority"), choices=Urgency)
    attempt = models.PositiveIntegerField(_("attempt"), default=0)
    batch = models.PositiveSmallIntegerField(_("photos in the message"), default=1)
    deaths = models.PositiveSmallIntegerField(_("deaths"), default=0)
    losses = models.PositiveIntegerField(_("losses"), default=0)
    created_at = models.DateTimeField(_("created"), default=timezone.now)
    sent_at = models.DateTimeField(_("sent"), null=True, blank=True)
    deadline = models.DateTimeField(_("deadline"), null=True, blank=True)
    finished_at = models.DateTimeField(_("finished"), null=True, blank=True)
    worker = models.CharField(_("worker"), max_length=100, blank=True)
    error = models.CharField(_("error"), max_length=100, blank=True)

    objects = Jobs.as_manager()

    class Meta:
        verbose_name, verbose_name_plural = _("job"), _("jobs")
        ordering = ("-created_at",)
        indexes = [
            models.Index(
                "stage",
                F("priority").desc(),
                "created_at",
                condition=Q(state=JobState.QUEUED),
                name="job_backlog_order",
            ),
            models.Index("deadline", condition=Q(state__in=UNDER_WAY), name="job_under_way_by_deadline"),
        ]
        constraints = [
            models.UniqueConstraint(fields=["photo", "stage"], name="photo_has_one_job_per_stage"),
            models.CheckConstraint(
                condition=~Q(state__in=UNDER_WAY) | Q(deadline__isnull=False, sent_at__isnull=False),
                name="job_under_way_has_deadline",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.stage}[{self.attempt}]({self.photo_id})"


class RefusedMessage(models.Model):
    """How many messages of workers were refused on a day, by kind: rows are few, however many are sent."""

    day = models.DateField()
    kind = models.CharField(max_length=20)  # the task's name
    count = models.PositiveBigIntegerField(default=0)
    last_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["day", "kind"], name="refused_messages_once_a_day")]

    def __str__(self) -> str:
        return f"{self.kind} {self.day}"


def unknown_model() -> dict[str, str]:
    return {"name": "", "version": "", "sha256": ""}


class Analyses(models.QuerySet):
    def visible_to(self, user: User) -> Analyses:
        return self.none() if user.is_patient else self.filter(photo__in=Photo.objects.visible_to(user))


class Analysis(models.Model):
    """What one pair of model versions found on one photo: enough to make it again."""

    photo = models.ForeignKey(Photo, models.CASCADE, related_name="analyses")
    created_at = models.DateTimeField(default=timezone.now)
    mask_key = models.CharField(max_length=200)
    skin = MeasureField(_("skin"))
    lesion = MeasureField(_("lesion"))
    boxes = FindingsField(_("boxes"), declared=messages.Boxes, default=list, blank=True)
    no_box = models.CharField(max_length=30, choices=[(n, n) for n in NoBox], blank=True)
    nearest_miss = FindingsField(_("nearest miss"), declared=messages.ABox, null=True, blank=True)
    segmentation_model = FindingsField(
        _("segmentation model"), declared=messages.Model, default=unknown_model
    )
    classified_at = models.DateTimeField(null=True, blank=True)
    classification_model = FindingsField(
        _("classification model"), declared=messages.Model, null=True, blank=True
    )
    demonstration = models.BooleanField(_("demonstration model"), default=True)
    views = FindingsField(declared=messages.Views, default=list, blank=True)
    thresholds = FindingsField(declared=messages.Thresholds, default=dict, blank=True)
    top = models.CharField(max_length=10, choices=[(c, c) for c in Condition], blank=True)
    abstention = models.CharField(max_length=20, choices=[(a, a) for a in Abstention], blank=True)
    device = models.CharField(max_length=100, blank=True)
    attribution_key = models.CharField(max_length=200, blank=True)
    attribution_condition = models.CharField(max_length=10, choices=[(c, c) for c in Condition], blank=True)
    attribution_box = models.PositiveSmallIntegerField(null=True, blank=True)

    objects = Analyses.as_manager()

    class Meta:
        verbose_name, verbose_name_plural = _("analysis"), _("analyses")
        ordering = ("-created_at",)

    def __str__(self) -> str:
        return f"{self.photo_id} {self.created_at:%Y-%m-%d %H:%M}"

    @property
    def plausible(self) -> list[str]:
        """The model's conformal set: the conditions it cannot rule out; empty where it has no such bounds."""
        bounds = {
            finding: self.thresholds.get(f"conformal.{finding.condition}") for finding in self.findings.all()
        }
        return [f.condition for f, bound in bounds.items() if bound is not None and f.probability >= bound]

    def probabilities(self) -> dict[str, float]:
        return {finding.condition: finding.probability for finding in self.findings.all()}


class Finding(models.Model):
    """One condition with a probability, by the analysis' model (FHIR Observation, preliminary)."""

    analysis = models.ForeignKey(Analysis, models.CASCADE, related_name="findings")
    condition = models.CharField(_("condition"), max_length=10, choices=[(c, c) for c in Condition])
    probability = models.FloatField(_("probability"))
    threshold = MeasureField(_("threshold"), null=True, blank=True)

    class Meta:
        verbose_name, verbose_name_plural = _("finding"), _("findings")
        ordering = ("-probability",)
        constraints = [
            models.UniqueConstraint(
                fields=["analysis", "condition"], name="analysis_has_one_finding_per_condition"
            ),
            models.CheckConstraint(
                condition=Q(probability__gte=0, probability__lte=1),
                name="finding_probability_is_between_0_and_1",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.condition} {self.probability:.2f}"

    @property
    def is_over_threshold(self) -> bool:
        return self.threshold is not None and self.probability >= self.threshold


class Impression(models.TextChoices):
    """What the dermatologist takes it for."""

    AD = "AD", _("atopic dermatitis")
    HI = "HI", _("herpesvirus infection")
    IM = "IM", _("impetigo")
    MF = "MF", _("mycosis fungoides suspected")
    OTHER = "other", _("another condition")
    UNCLEAR = "unclear", _("cannot be judged from photos")


class Disposition(models.TextChoices):
    """What the patient should do next."""

    SELF_CARE = "self_care", _("go on with the usual care at home")
    APPOINTMENT = "appointment", _("appointment within two weeks")
    DAYS_2 = "days_2", _("see a doctor within two days")
    TODAY = "today", _("see a doctor today")
    EMERGENCY = "emergency", _("emergency department now")

    @property
    def urgency(self) -> Urgency:
        return Urgency(list(Disposition).index(self))


class OfSubmissions(models.QuerySet):
    """Rows that are seen by who sees their submission."""

    def visible_to(self, user: User) -> OfSubmissions:
        return self.filter(submission__in=Submission.objects.visible_to(user))


class Review(models.Model):
    """The dermatologist's signed answer (FHIR DiagnosticReport final; an amendment is one more row)."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid7, editable=False)
    submission = models.ForeignKey(Submission, models.PROTECT, related_name="reviews")
    author = models.ForeignKey(User, models.PROTECT, related_name="reviews", verbose_name=_("signed by"))
    impression = models.CharField(_("impression"), max_length=10, choices=Impression)
    disposition = models.CharField(_("what to do"), max_length=12, choices=Disposition)
    text = TextField(_("answer to the patient"), max_length=4000)
    triage_urgency = models.PositiveSmallIntegerField(_("urgency before the answer"), choices=Urgency)
    urgency = models.PositiveSmallIntegerField(_("urgency of the answer"), choices=Urgency)
    reason = TextField(_("why less urgent than triage"), max_length=1000, blank=True)
    amends = models.OneToOneField(
        "self", models.PROTECT, null=True, blank=True, related_name="amended_by", verbose_name=_("amends")
    )
    signed_at = models.DateTimeField(_("signed"), default=timezone.now)

    objects = OfSubmissions.as_manager()

    class Meta:
        verbose_name, verbose_name_plural = _("review"), _("reviews")
        ordering = ("-signed_at",)
        indexes = [models.Index("signed_at", name="review_by_signing")]
        constraints = [
            models.CheckConstraint(condition=~Q(text=""), name="review_has_text"),
            models.CheckConstraint(
                condition=Q(urgency__gte=F("triage_urgency")) | ~Q(reason=""),
                name="review_less_urgent_than_triage_gives_reason",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.submission} {self.get_impression_display()}"


class EventKind(models.TextChoices):
    OPENED = "opened", _("opened")
    SUBMITTED = "submitted", _("submitted")
    CLAIMED = "claimed", _("claimed")
    RELEASED = "released", _("released")
    REASSIGNED = "reassigned", _("reassigned")
    PHOTOS_REQUESTED = "photos_requested", _("photos asked for")
    SIGNED = "signed", _("signed")
    AMENDED = "amended", _("amended")
    CLOSED = "closed", _("closed")
    REOPENED = "reopened", _("reopened")
    WITHDRAWN = "withdrawn", _("withdrawn")
    RESTORED = "restored", _("restored")
    URGENCY_RAISED = "urgency_raised", _("urgency raised")
    AI_DONE = "ai_done", _("AI finished")
    AI_UNAVAILABLE = "ai_unavailable", _("AI unavailable")
    JOB_QUARANTINED = "job_quarantined", _("job quarantined")
    JOB_REQUEUED = "job_requeued", _("job requeued")
    JOB_CANCELLED = "job_cancelled", _("job cancelled")


class Event(models.Model):
    """One step: history, audit and outbox in one table. `told_at` is empty until people were told."""

    submission = models.ForeignKey(Submission, models.PROTECT, related_name="events")
    kind = models.CharField(_("kind"), max_length=20, choices=EventKind)
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("by"),
    )
    at = models.DateTimeField(_("at"), default=timezone.now)
    detail = models.JSONField(_("detail"), default=dict, blank=True)
    told_at = models.DateTimeField(_("told"), null=True, blank=True)

    objects = OfSubmissions.as_manager()

    class Meta:
        verbose_name, verbose_name_plural = _("event"), _("events")
        ordering = ("at", "id")
        indexes = [models.Index("id", condition=Q(told_at=None), name="event_not_yet_told")]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.at:%Y-%m-%d %H:%M}"
