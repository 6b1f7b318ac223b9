"""A job: one stage of work on one photo. Its state changes only through `teleder.pipeline.transitions`."""

from __future__ import annotations

import uuid_utils.compat as uuid
from django.db import models
from django.db.models import F, Q, Subquery
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from contract.messages import Stage
from teleder.accounts.models import User
from teleder.cases.models.photo import Photo, PhotoState
from teleder.cases.transitions import AWAITING_DERMATOLOGIST
from teleder.cases.triage import Urgency
from teleder.pipeline.transitions import NEEDS_ADMIN, UNDER_WAY, UNFINISHED, AIStatus, JobState

NOT_AWAITED = (
    Stage.FULL,
    Stage.CHECK,
    Stage.DISTANCE,
    Stage.REANALYSE,
)  # no submission waits for these, and none fails with them


class JobQuerySet(models.QuerySet):
    def visible_to(self, user: User) -> JobQuerySet:
        """Admins see the work on every photo of their clinic, that of drafts too: a job shows no photo."""
        if not user.is_admin:
            return self.none()
        return self.filter(user.in_own_clinic("photo__submission__clinic"))

    def stopped(self) -> JobQuerySet:
        """Those that wait for a person to run them again: failed, quarantined, and of the cancelled ones those without
        which a photo cannot be seen, or the AI does not read a case that waits."""
        from teleder.cases.models.submission import Submission  # which imports photos

        # No job is older than its photo, and no photo than its submission: of what was cancelled over the years only
        # the newest is looked at, by the job's own columns and an index.
        hidden = Photo.objects.filter(state=PhotoState.STORED, removed_at=None).order_by("created_at")
        waiting = Submission.objects.filter(status__in=AWAITING_DERMATOLOGIST).order_by("created_at")
        prepare = Q(stage=Stage.PREPARE, created_at__gte=Subquery(hidden.values("created_at")[:1]))
        analyse = Q(stage=Stage.ANALYSE, created_at__gte=Subquery(waiting.values("created_at")[:1]))
        own = Q(state__in=NEEDS_ADMIN) | (Q(state=JobState.CANCELLED) & (prepare | analyse))
        hides = Q(stage=Stage.PREPARE, photo__state=PhotoState.STORED)
        unread = Q(stage=Stage.ANALYSE, photo__submission__status__in=AWAITING_DERMATOLOGIST)
        unread &= ~Q(photo__submission__ai_status=AIStatus.NOT_USED)
        return self.filter(own, Q(state__in=NEEDS_ADMIN) | (Q(photo__removed_at=None) & (hides | unread)))


class Job(models.Model):
    """One stage of work on one photo. This row is the truth; the messages in Valkey only carry it."""

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

    objects = JobQuerySet.as_manager()

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
            models.Index(
                "state",
                "stage",
                "created_at",
                condition=Q(state__in=(*UNFINISHED, *NEEDS_ADMIN)),
                name="job_unfinished_or_stopped",
            ),
            models.Index(
                "stage", "created_at", condition=Q(state=JobState.CANCELLED), name="job_cancelled_by_creation"
            ),
            models.Index("finished_at", condition=Q(finished_at__isnull=False), name="job_by_finish"),
        ]
        constraints = [
            models.UniqueConstraint(fields=["photo", "stage"], name="photo_has_one_job_per_stage"),
            models.CheckConstraint(
                condition=~Q(state__in=UNDER_WAY) | Q(deadline__isnull=False, sent_at__isnull=False),
                name="job_under_way_has_deadline",
            ),
        ]

    @property
    def hides_photo(self) -> bool:
        """Whether nobody can see the photo before this job is done."""
        return self.stage == Stage.PREPARE and self.photo.state == PhotoState.STORED

    @property
    def seconds_waited(self) -> float | None:
        """How long the job waited until it was sent the last time."""
        return (self.sent_at - self.created_at).total_seconds() if self.sent_at else None

    @property
    def seconds_worked(self) -> float | None:
        """How long it took from then until its result was recorded."""
        ended = self.sent_at and self.finished_at
        return (self.finished_at - self.sent_at).total_seconds() if ended else None

    def __str__(self) -> str:
        return f"{self.stage}[{self.attempt}]({self.photo_id})"
