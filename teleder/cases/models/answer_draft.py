"""What a dermatologist has typed for an answer and not signed."""

from __future__ import annotations

import uuid_utils.compat as uuid
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from teleder.accounts.models import User
from teleder.cases.models.submission import Submission, SubmissionPartQuerySet


class AnswerDraft(models.Model):
    """One for each author and submission, so that nobody overwrites the text of another (`cases/answer_drafts.py`)."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid7, editable=False)
    submission = models.ForeignKey(Submission, models.PROTECT, related_name="answer_drafts")
    author = models.ForeignKey(User, models.PROTECT, related_name="+", verbose_name=_("written by"))
    typed = models.JSONField(_("typed"), default=dict)  # the text of each field of the form, by its name
    # Why the answer was not sent (`held.Stop`), until its signer has opened the case again.
    stopped_because = models.CharField(max_length=12, blank=True, default="", db_default="")
    saved_at = models.DateTimeField(_("saved"), default=timezone.now)

    objects = SubmissionPartQuerySet.as_manager()

    class Meta:
        verbose_name, verbose_name_plural = _("draft of an answer"), _("drafts of answers")
        ordering = ("-saved_at",)
        constraints = [
            models.UniqueConstraint("submission", "author", name="answer_draft_once_an_author"),
        ]

    def __str__(self) -> str:
        return f"{self.submission} {self.author}"

    @property
    def amends(self) -> str:
        """The id of the answer that it corrects; for a first answer another word."""
        return self.typed.get("amends", "")
