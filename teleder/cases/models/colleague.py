"""What dermatologists write to each other about a case: a second opinion, and the note of a hand-over."""

from __future__ import annotations

import uuid_utils.compat as uuid
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from teleder.accounts.models import User
from teleder.accounts.text import TextField
from teleder.cases.models.review import Impression
from teleder.cases.models.submission import Submission, SubmissionPartQuerySet

COLLEAGUE_NOTE_LENGTH = 2000


class SecondOpinionQuerySet(SubmissionPartQuerySet):
    def open(self) -> SecondOpinionQuerySet:
        return self.filter(answered_at=None)


class SecondOpinion(models.Model):
    """A colleague is asked with a note and answers with one, and with an impression if they have one; the asker goes on
    holding the case, and its clock runs."""

    IMPRESSIONS = Impression.choices

    id = models.UUIDField(primary_key=True, default=uuid.uuid7, editable=False)
    submission = models.ForeignKey(Submission, models.PROTECT, related_name="second_opinions")
    asked_by = models.ForeignKey(User, models.PROTECT, related_name="+", verbose_name=_("asked by"))
    colleague = models.ForeignKey(
        User, models.PROTECT, related_name="opinions_wanted", verbose_name=_("colleague")
    )
    question = TextField(_("question"), max_length=COLLEAGUE_NOTE_LENGTH)
    asked_at = models.DateTimeField(_("asked"), default=timezone.now)
    opinion = TextField(_("opinion"), max_length=COLLEAGUE_NOTE_LENGTH, blank=True)
    impression = models.CharField(
        _("impression"), max_length=10, choices=Impression, blank=True, db_default=""
    )
    answered_at = models.DateTimeField(_("answered"), null=True, blank=True)

    objects = SecondOpinionQuerySet.as_manager()

    class Meta:
        verbose_name, verbose_name_plural = _("second opinion"), _("second opinions")
        ordering = ("asked_at", "id")
        constraints = [
            models.UniqueConstraint(
                fields=["submission", "colleague"],
                condition=Q(answered_at=None),
                name="second_opinion_open_once_a_colleague",
            ),
            models.CheckConstraint(condition=~Q(question=""), name="second_opinion_has_question"),
            models.CheckConstraint(
                condition=Q(opinion="", answered_at=None) | (~Q(opinion="") & Q(answered_at__isnull=False)),
                name="second_opinion_with_answer_says_when",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.submission} {self.asked_at:%Y-%m-%d %H:%M}"


class HandOverNote(models.Model):
    """What was said at a hand-over; who had and who took the case stays with it."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid7, editable=False)
    submission = models.ForeignKey(Submission, models.PROTECT, related_name="hand_over_notes")
    author = models.ForeignKey(User, models.PROTECT, related_name="+", verbose_name=_("written by"))
    to = models.ForeignKey(User, models.PROTECT, related_name="+", verbose_name=_("handed over to"))
    text = TextField(_("hand-over note"), max_length=COLLEAGUE_NOTE_LENGTH, blank=True)
    at = models.DateTimeField(_("at"), default=timezone.now)

    objects = SubmissionPartQuerySet.as_manager()

    class Meta:
        verbose_name, verbose_name_plural = _("hand-over note"), _("hand-over notes")
        ordering = ("at", "id")

    def __str__(self) -> str:
        return f"{self.submission} {self.at:%Y-%m-%d %H:%M}"
