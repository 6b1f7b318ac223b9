"""What the operations board showed for a clinic at one moment: its lines over 24 hours are drawn from these."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q

from teleder.accounts.models import Clinic, User


class BoardSampleQuerySet(models.QuerySet):
    def visible_to(self, user: User) -> BoardSampleQuerySet:
        return self.filter(user.in_own_clinic()) if user.is_admin else self.none()


class BoardSample(models.Model):
    """Counts and seconds only. The sweeper writes one every few minutes and deletes old ones."""

    clinic = models.ForeignKey(Clinic, models.PROTECT, related_name="+", db_index=False)
    at = models.DateTimeField()
    waiting = models.PositiveIntegerField()
    overdue = models.PositiveIntegerField()
    oldest_seconds = models.PositiveIntegerField()  # 0: nothing waits
    # Of the last 24 hours.
    answered = models.PositiveIntegerField()
    on_time = models.PositiveIntegerField()
    photo_seconds = models.FloatField(
        null=True
    )  # from sending until a photo can be seen; none without a photo
    photos = models.PositiveIntegerField()  # that were read last, and of how many the AI said nothing
    abstained = models.PositiveIntegerField()

    objects = BoardSampleQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["clinic", "at"], name="clinic_has_one_sample_at_a_time"),
            models.CheckConstraint(
                condition=Q(on_time__lte=F("answered"), abstained__lte=F("photos")),
                name="sample_has_no_part_above_its_whole",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.clinic_id} {self.at:%Y-%m-%d %H:%M}"
