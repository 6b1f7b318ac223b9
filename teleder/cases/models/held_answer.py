"""What becomes of a signature: the answer that waits to be sent, its reading, and its being taken back."""

from __future__ import annotations

import uuid_utils.compat as uuid
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from teleder.accounts.models import User
from teleder.accounts.text import TextField
from teleder.cases.models.review import Review
from teleder.cases.models.submission import Submission, SubmissionPartQuerySet
from teleder.cases.triage import Urgency


class HeldAnswer(models.Model):
    """A signed answer until it is sent, or until its sending is undone or stopped (`cases/held.py`).

    Its submission stays in review and claimed by the signer, or answered where it is a correction (`amends`): for everybody
    but them nothing has happened. With the sending it becomes a `Review`, and no row of it is left.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid7, editable=False)
    submission = models.OneToOneField(Submission, models.PROTECT, related_name="held_answer")
    author = models.ForeignKey(User, models.PROTECT, related_name="+", verbose_name=_("signed by"))
    answer = models.JSONField(
        _("answer")
    )  # impression, disposition, text, reason and the columns of the plan
    amends = models.ForeignKey(
        Review, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("amends")
    )
    triage_urgency = models.PositiveSmallIntegerField(_("urgency when it was signed"), choices=Urgency)
    signed_at = models.DateTimeField(_("signed"), default=timezone.now)
    send_at = models.DateTimeField(_("to be sent"), db_default=Now())  # by the database's clock

    objects = SubmissionPartQuerySet.as_manager()

    class Meta:
        verbose_name, verbose_name_plural = _("held answer"), _("held answers")
        indexes = [models.Index("send_at", name="held_answer_by_sending")]

    def __str__(self) -> str:
        return f"{self.submission} {self.author}"


class AnswerReading(models.Model):
    """That the patient, or who writes for them, has opened an answer: from then on it can only be corrected."""

    review = models.OneToOneField(Review, models.PROTECT, related_name="reading", primary_key=True)
    at = models.DateTimeField(_("read"), default=timezone.now)

    class Meta:
        verbose_name, verbose_name_plural = _("reading of an answer"), _("readings of answers")

    def __str__(self) -> str:
        return f"{self.review_id} {self.at:%Y-%m-%d %H:%M}"


class TakenBackAnswer(models.Model):
    """An answer that was taken back before its patient had opened it: it stays on the record, and no patient sees it."""

    review = models.OneToOneField(Review, models.PROTECT, related_name="taken_back", primary_key=True)
    by = models.ForeignKey(User, models.PROTECT, related_name="+", verbose_name=_("by"))
    reason = TextField(_("reason"), max_length=1000)
    at = models.DateTimeField(_("taken back"), default=timezone.now)

    class Meta:
        verbose_name, verbose_name_plural = _("answer taken back"), _("answers taken back")
        constraints = [models.CheckConstraint(condition=~Q(reason=""), name="taken_back_gives_reason")]

    def __str__(self) -> str:
        return f"{self.review_id} {self.at:%Y-%m-%d %H:%M}"
