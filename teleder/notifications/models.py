"""Messages to people. Imports cases and accounts, which never import it."""

from __future__ import annotations

from datetime import timedelta

from django.conf import settings
from django.db import models
from django.db.models import Exists, OuterRef, Q
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from teleder.accounts.models import Clinic, User
from teleder.cases.models import Event, Status, Submission
from teleder.notifications import texts


class Channel(models.TextChoices):
    EMAIL = "email", _("e-mail")
    WEBHOOK = "webhook", _("webhook")  # of those on call
    INBOX = "inbox", _("inbox")


class MessageState(models.TextChoices):
    QUEUED = "queued", _("queued")  # -> sending
    SENDING = "sending", _("sending")  # -> sent; past its deadline -> sending again, or failed
    SENT = "sent", _("sent")
    FAILED = "failed", _("failed")


UNSENT = (MessageState.QUEUED, MessageState.SENDING)


class MessageQuerySet(models.QuerySet):
    def visible_to(self, user: User) -> MessageQuerySet:
        """For the admin site; a user's own messages are `inbox_of`."""
        return self.filter(person__in=User.objects.visible_to(user)) if user.is_admin else self.none()

    def inbox_of(self, person: User) -> MessageQuerySet:
        return self.filter(person=person, channel=Channel.INBOX).order_by("-created_at")

    def unread(self) -> MessageQuerySet:
        return self.filter(read_at=None)

    def mark_read(self) -> int:
        return self.unread().update(read_at=timezone.now())


class Message(models.Model):
    """One message to one person over one channel. It holds no text: that follows from its event."""

    event = models.ForeignKey(Event, models.PROTECT, related_name="messages", verbose_name=_("event"))
    person = models.ForeignKey(User, models.PROTECT, related_name="messages", verbose_name=_("to"))
    channel = models.CharField(_("channel"), max_length=10, choices=Channel)
    state = models.CharField(_("state"), max_length=10, choices=MessageState, default=MessageState.QUEUED)
    attempt = models.PositiveSmallIntegerField(_("attempt"), default=0)
    created_at = models.DateTimeField(_("created"), default=timezone.now)
    due_at = models.DateTimeField(_("next try"), db_default=Now())  # the clock that deliver() asks
    sent_at = models.DateTimeField(_("sent"), null=True, blank=True)
    read_at = models.DateTimeField(_("read"), null=True, blank=True)

    objects = MessageQuerySet.as_manager()

    class Meta:
        verbose_name, verbose_name_plural = _("message"), _("messages")
        ordering = ("-created_at",)
        indexes = [
            models.Index("due_at", condition=Q(state__in=UNSENT), name="message_to_deliver"),
            models.Index("id", condition=Q(state=MessageState.FAILED), name="message_failed"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["event", "person", "channel"], name="person_is_told_once_per_event_and_channel"
            ),
            models.CheckConstraint(
                condition=~Q(state=MessageState.SENT) | Q(sent_at__isnull=False),
                name="message_that_was_sent_has_its_time",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_channel_display()} {self.created_at:%Y-%m-%d %H:%M}"

    @property
    def title(self) -> str:
        return texts.title_of(self.event)


class UrgentCallQuerySet(models.QuerySet):
    def visible_to(self, user: User) -> UrgentCallQuerySet:
        return self.filter(submission__in=Submission.objects.visible_to(user))

    def open(self) -> UrgentCallQuerySet:
        """The newest of each case that nobody has claimed, unless somebody said just now that they see to it."""
        long_ago = timezone.now() - timedelta(minutes=settings.SEEN_TO_MINUTES)
        later = UrgentCall.objects.filter(submission=OuterRef("submission"), pk__gt=OuterRef("pk"))
        rows = self.filter(Q(acknowledged_at=None) | Q(acknowledged_at__lte=long_ago), ~Exists(later))
        return rows.filter(submission__status=Status.SUBMITTED)


class UrgentCall(models.Model):
    """That an emergency or same-day case waits for somebody: told again and again until a person has claimed it.

    Who acknowledges it keeps it quiet for `SEEN_TO_MINUTES`.
    """

    event = models.OneToOneField(
        Event, models.PROTECT, related_name="urgent_call"
    )  # which made the case wait
    submission = models.ForeignKey(Submission, models.PROTECT, related_name="urgent_calls")
    opened_at = models.DateTimeField(_("since"), default=timezone.now)
    tell_at = models.DateTimeField(_("told again"), default=timezone.now)
    acknowledged_at = models.DateTimeField(_("acknowledged"), null=True, blank=True)
    acknowledged_by = models.ForeignKey(
        User, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("acknowledged by")
    )

    objects = UrgentCallQuerySet.as_manager()

    class Meta:
        verbose_name, verbose_name_plural = _("urgent call"), _("urgent calls")
        ordering = ("-opened_at",)

    def __str__(self) -> str:
        return f"{self.submission} {self.opened_at:%Y-%m-%d %H:%M}"


class DueWarning(models.Model):
    """The moment at which a share of the promised time is used up, and when staff were told of it."""

    submission = models.ForeignKey(Submission, models.PROTECT, related_name="due_warnings")
    share = models.PositiveSmallIntegerField(_("percent of the promised time"))
    due_at = models.DateTimeField(_("answer due"))  # with another one by now, the warning is void
    at = models.DateTimeField(_("at"))
    told_at = models.DateTimeField(_("told"), null=True, blank=True)

    class Meta:
        verbose_name, verbose_name_plural = _("warning of a due time"), _("warnings of due times")
        indexes = [models.Index("at", condition=Q(told_at=None), name="due_warning_to_tell")]
        constraints = [
            models.UniqueConstraint(
                fields=["submission", "share", "due_at"], name="due_warning_once_a_share_and_due_time"
            )
        ]

    def __str__(self) -> str:
        return f"{self.submission} {self.share} %"


class AlertQuerySet(models.QuerySet):
    def visible_to(self, user: User) -> AlertQuerySet:
        return self.filter(Q(clinic=None) | user.in_own_clinic()) if user.is_admin else self.none()

    def open(self) -> AlertQuerySet:
        return self.filter(closed_at=None)


class Alert(models.Model):
    """A fault, from the look that found it to the one that did not: told again and again until somebody sees to it.

    One that ends and soon begins again is the same row, with another of its `times`. It says nothing of a patient.
    """

    kind = models.CharField(max_length=30)  # a section of runbook.toml, or the weekly line
    clinic = models.ForeignKey(
        Clinic, models.PROTECT, null=True, blank=True, related_name="+"
    )  # none: of what all clinics share
    opened_at = models.DateTimeField()
    times = models.PositiveIntegerField(default=1)
    told_at = models.DateTimeField(null=True, blank=True)  # first
    last_told_at = models.DateTimeField(null=True, blank=True)
    tell_at = models.DateTimeField(null=True, blank=True)
    # Every telling has a number. A channel that failed is tried again without the other.
    mailed = models.PositiveIntegerField(default=0)
    called = models.PositiveIntegerField(default=0)
    acknowledged_at = models.DateTimeField(null=True, blank=True)
    acknowledged_by = models.ForeignKey(User, models.PROTECT, null=True, blank=True, related_name="+")
    closed_at = models.DateTimeField(null=True, blank=True)

    objects = AlertQuerySet.as_manager()

    class Meta:
        ordering = ("-opened_at",)
        indexes = [
            models.Index("tell_at", condition=Q(tell_at__isnull=False), name="alert_to_tell"),
            models.Index(models.F("closed_at").desc(nulls_first=True), name="alert_newest_end"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["kind", "clinic"],
                condition=Q(closed_at=None),
                nulls_distinct=False,
                name="alert_open_once",
            ),
            models.UniqueConstraint(
                fields=["kind", "clinic", "opened_at"],
                nulls_distinct=False,
                name="alert_opens_once_at_a_time",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.opened_at:%Y-%m-%d %H:%M}"


class PreferenceQuerySet(models.QuerySet):
    def visible_to(self, user: User) -> PreferenceQuerySet:
        return self.filter(person__in=User.objects.visible_to(user))


class Preference(models.Model):
    """The channels a person wants. The inbox in the app is always on."""

    person = models.OneToOneField(User, models.CASCADE, related_name="preference", primary_key=True)
    email = models.BooleanField(_("e-mail"), default=True)

    objects = PreferenceQuerySet.as_manager()

    class Meta:
        verbose_name, verbose_name_plural = _("preference"), _("preferences")

    def __str__(self) -> str:
        return str(self.person)
