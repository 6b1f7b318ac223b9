"""The admin site's read-only view of the clinical record. Changes go through `intake`, `reviews` and `pipeline`."""

from __future__ import annotations

from collections.abc import Callable

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from teleder.accounts.admin import AdminOnlyMixin, VisibleRowsMixin
from teleder.cases.models import Analysis, Case, Event, Finding, Job, Photo, Review, Submission
from teleder.pipeline import recovery


class SubmissionInline(VisibleRowsMixin, AdminOnlyMixin, admin.TabularInline):
    model = Submission
    fields = ("created_at", "kind", "status", "urgency", "due_at", "claimed_by", "ai_status")
    show_change_link = True


class EventInline(AdminOnlyMixin, admin.TabularInline):
    model = Event
    fields = ("at", "kind", "actor", "detail", "told_at")


class PhotoInline(AdminOnlyMixin, admin.TabularInline):
    model = Photo
    fields = ("created_at", "view", "state", "reason", "fault", "advice", "sent_anyway", "removed_at")
    show_change_link = True


class JobInline(AdminOnlyMixin, admin.TabularInline):
    model = Job
    fields = ("stage", "state", "attempt", "deaths", "losses", "worker", "error", "finished_at")
    show_change_link = True


class FindingInline(AdminOnlyMixin, admin.TabularInline):
    model = Finding


class Record(VisibleRowsMixin, AdminOnlyMixin, admin.ModelAdmin):
    """Drafts and other clinics' cases stay out, as they do on the pages."""

    list_per_page = 50
    show_full_result_count = False


@admin.register(Case)
class CaseAdmin(Record):
    list_display = ("number", "patient", "body_site", "opened_at")
    list_filter = ("body_site",)
    search_fields = ("number", "patient__email")
    list_select_related = ("patient",)
    date_hierarchy = "opened_at"
    inlines = (SubmissionInline,)


@admin.register(Submission)
class SubmissionAdmin(Record):
    list_display = ("case", "kind", "status", "urgency", "due_at", "claimed_by", "ai_status", "submitted_at")
    list_filter = ("status", "urgency", "ai_status", "kind")
    search_fields = ("case__number", "case__patient__email")
    list_select_related = ("case", "claimed_by")
    date_hierarchy = "submitted_at"
    inlines = (PhotoInline, EventInline)


@admin.register(Photo)
class PhotoAdmin(Record):
    list_display = ("id", "submission", "view", "state", "reason", "fault", "created_at", "removed_at")
    list_filter = ("state", "reason", "fault", "view")
    search_fields = ("submission__case__number", "sha256")
    list_select_related = ("submission__case",)
    inlines = (JobInline,)


@admin.register(Analysis)
class AnalysisAdmin(Record):
    list_display = ("photo", "top", "abstention", "no_box", "demonstration", "device", "created_at")
    list_filter = ("top", "abstention", "no_box", "demonstration")
    search_fields = ("photo__submission__case__number",)
    list_select_related = ("photo",)
    inlines = (FindingInline,)


@admin.register(Job)
class JobAdmin(Record):
    list_display = ("case", "stage", "state", "priority", "attempt", "deaths", "error", "created_at")
    list_filter = ("stage", "state", "priority", "worker")
    search_fields = ("photo__submission__case__number", "worker", "error")
    list_select_related = ("photo__submission__case",)
    actions = ("requeue", "cancel")

    @admin.display(description=gettext_lazy("case"))
    def case(self, job: Job) -> str:
        return job.photo.submission.case.number

    @admin.action(description=gettext_lazy("Requeue: try again with a clean slate"))
    def requeue(self, request: HttpRequest, rows: QuerySet[Job]) -> None:
        self._each(request, rows, recovery.requeue)

    @admin.action(description=gettext_lazy("Cancel: the AI does not read the photo"))
    def cancel(self, request: HttpRequest, rows: QuerySet[Job]) -> None:
        self._each(request, rows, recovery.cancel)

    def _each(self, request: HttpRequest, rows: QuerySet[Job], verb: Callable[..., bool]) -> None:
        changed = sum(verb(job, by=request.user) for job in rows)
        counts = {"n": changed, "chosen": len(rows)}
        self.message_user(request, _("%(n)d of %(chosen)d jobs were changed.") % counts)


@admin.register(Review)
class ReviewAdmin(Record):
    list_display = (
        "submission",
        "author",
        "impression",
        "disposition",
        "urgency",
        "triage_urgency",
        "signed_at",
    )
    list_filter = ("impression", "disposition", "urgency")
    search_fields = ("submission__case__number", "author__email")
    list_select_related = ("submission__case", "author")
    date_hierarchy = "signed_at"


@admin.register(Event)
class EventAdmin(Record):
    list_display = ("at", "kind", "submission", "actor", "told_at")
    list_filter = ("kind",)
    search_fields = ("submission__case__number", "actor__email")
    list_select_related = ("submission__case", "actor")
    date_hierarchy = "at"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Event]:
        return super().get_queryset(request).order_by("-at", "-id")
