"""A patient's question about a signed answer, and the reply to it."""

from __future__ import annotations

import uuid_utils.compat as uuid
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from teleder.accounts.models import User
from teleder.accounts.text import TextField
from teleder.cases.models.submission import Submission, SubmissionPartQuerySet

QUESTION_LENGTH = 2000


class PatientQuestionQuerySet(SubmissionPartQuerySet):
    def asked(self) -> PatientQuestionQuerySet:
        """Those that were sent; one that its patient still writes is for nobody else."""
        return self.exclude(asked_at=None)

    def open(self) -> PatientQuestionQuerySet:
        return self.asked().filter(replied_at=None)


class PatientQuestion(models.Model):
    """One question with its reply; without `asked_at` it is being written. What was sent or replied is never changed:
    the database refuses it (migration 0027)."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid7, editable=False)
    submission = models.ForeignKey(Submission, models.PROTECT, related_name="questions")
    text = TextField(_("question"), max_length=QUESTION_LENGTH, blank=True)
    asked_at = models.DateTimeField(_("asked"), null=True, blank=True)
    due_at = models.DateTimeField(_("reply due"), null=True, blank=True)
    reply = TextField(_("reply"), max_length=QUESTION_LENGTH, blank=True)
    replied_by = models.ForeignKey(
        User, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("signed by")
    )
    replied_at = models.DateTimeField(_("replied"), null=True, blank=True)

    objects = PatientQuestionQuerySet.as_manager()

    class Meta:
        verbose_name, verbose_name_plural = _("question"), _("questions")
        ordering = ("asked_at", "id")
        constraints = [
            models.UniqueConstraint(
                fields=["submission"],
                condition=Q(asked_at=None),
                name="submission_has_one_question_in_writing",
            ),
            models.CheckConstraint(
                condition=Q(asked_at=None, due_at=None)
                | (Q(asked_at__isnull=False, due_at__isnull=False) & ~Q(text="")),
                name="question_that_was_asked_has_text_and_due_time",
            ),
            models.CheckConstraint(
                condition=Q(reply="", replied_by=None, replied_at=None)
                | (
                    ~Q(reply="")
                    & Q(replied_by__isnull=False, replied_at__isnull=False, asked_at__isnull=False)
                ),
                name="question_with_reply_says_by_whom_and_when",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.submission} {self.asked_at or ''}"
