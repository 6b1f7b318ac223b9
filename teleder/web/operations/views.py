"""The admin's pages about the work: its state, and jobs to requeue or cancel."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.contrib import messages
from django.db.models import QuerySet, Subquery
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST, require_safe
from django.views.decorators.vary import vary_on_headers

from teleder.accounts.models import User
from teleder.cases.models import Event, EventKind, Job
from teleder.notifications import alerts, runbook
from teleder.pipeline import recovery
from teleder.pipeline.transitions import NEEDS_ADMIN, UNFINISHED
from teleder.web.conditional import unless_same
from teleder.web.operations import health, tiles
from teleder.web.operations.case_filters import parse_ids
from teleder.web.operations.stopped import groups_of, of_group, stopped_groups
from teleder.web.roles import admin_required

JOBS_SHOWN, ALERTS_SHOWN = 100, 20
EVENTS_SHOWN, EVENTS_LOOKED_AT = 8, 20_000
EVENTS_OF_THE_WORK = (
    *(EventKind.JOB_QUARANTINED, EventKind.JOB_REQUEUED, EventKind.JOB_CANCELLED, EventKind.AI_UNAVAILABLE),
    *(EventKind.ON_CALL_TOLD, EventKind.CALL_ACKNOWLEDGED, EventKind.TIME_RUNNING_OUT),
    *(EventKind.REASSIGNED, EventKind.REOPENED, EventKind.MERGED),
)
VERBS = {"requeue": recovery.requeue, "cancel": recovery.cancel}


# --- The state of the work --------------------------------------------------------------------------------
@require_safe
@admin_required
@vary_on_headers("HX-Request")
def operations(request: HttpRequest) -> HttpResponse:
    """The whole page, or for htmx the board alone: 304 while nothing on it has changed."""
    board = health.board(request.user)
    shown = tiles.board_tiles(request.user, board, timezone.now())
    context: dict[str, Any] = {"board": board, "tiles": shown, "events": recent_events(request.user)}
    found = alerts.newest(request.user, ALERTS_SHOWN)
    context["alerts"] = [(alert, runbook.section(alert.kind)) for alert in found]
    waiting = [alert for alert in found if alert.closed_at is None]
    context["problems"] = [
        (problem, [alert for alert in waiting if alert.kind == problem.kind]) for problem in board.problems
    ]
    context["stopped_number"] = board.cancelled + sum(
        row[state] for row in board.stages for state in NEEDS_ADMIN
    )
    context["overdue_number"] = board.submissions["overdue"]
    if request.htmx:
        return unless_same(request, render(request, "web/operations/_board.html", context))
    stopped = _jobs(request.user, "requeue").order_by("-finished_at")
    if request.GET.get("stage") in health.STAGES:
        stopped = stopped.filter(stage=request.GET["stage"])
    unfinished = _jobs(request.user, "cancel").order_by("-priority", "created_at")
    both = list(stopped[:JOBS_SHOWN].union(unfinished[:JOBS_SHOWN], all=True))  # one query
    context["stopped"] = [job for job in both if job.state not in UNFINISHED]
    context["stopped"].sort(key=lambda job: job.finished_at or timezone.now(), reverse=True)
    context["unfinished"] = [job for job in both if job.state in UNFINISHED]
    context["unfinished"].sort(key=lambda job: (-job.priority, job.created_at))
    is_all = "stage" not in request.GET and len(context["stopped"]) < JOBS_SHOWN
    context["groups"] = (
        groups_of(context["stopped"]) if is_all else stopped_groups(Job.objects.visible_to(request.user))
    )
    return render(request, "web/operations/operations.html", context)


@require_POST
@admin_required
def acknowledge_alert(request: HttpRequest) -> HttpResponse:
    """See to a fault: nobody is told of it again until it has ended."""
    if alerts.acknowledge_alerts(request.POST.get("kind", ""), by=request.user):
        messages.success(request, _("You see to it. Nobody is mailed about it again until it has ended."))
    else:
        messages.info(request, _("This has ended, or somebody sees to it already."))
    return redirect("web:operations")


@require_safe
@admin_required
def show_runbook(request: HttpRequest) -> HttpResponse:
    return render(request, "web/operations/runbook.html", {"sections": list(runbook.sections())})


def recent_events(user: User) -> list[Event]:
    """Return the newest events of the day that are about the work and not about one patient's case, the newest first."""
    newest = Event.objects.order_by("-pk").values("pk")[:1]
    rows = Event.objects.visible_to(user).filter(
        # Without this, a quiet clinic would read the whole history for a few lines.
        pk__gt=Subquery(newest) - EVENTS_LOOKED_AT,
        at__gte=timezone.now() - timedelta(days=1),
        kind__in=EVENTS_OF_THE_WORK,
    )
    return list(rows.select_related("actor", "submission__case").order_by("-pk")[:EVENTS_SHOWN])


def _jobs(user: User, verb: str) -> QuerySet[Job]:
    rows = Job.objects.visible_to(user).select_related("photo__submission__case")
    return rows.stopped() if verb == "requeue" else rows.filter(state__in=UNFINISHED)


@require_POST
@admin_required
def change_jobs(request: HttpRequest) -> HttpResponse:
    """Requeue or cancel the selected jobs. The first POST asks for confirmation, the second does it."""
    verb = request.POST.get("verb", "")
    if verb not in VERBS:
        return redirect("web:operations")
    jobs = _jobs(request.user, verb)
    if "group" in request.POST:
        jobs = of_group(jobs, request.POST["group"])
    chosen = list(
        jobs
        if {"all", "group"} & request.POST.keys()
        else jobs.filter(pk__in=parse_ids(request.POST.getlist("job")))
    )
    if not chosen:
        messages.info(request, _("No job was chosen, or the chosen jobs have changed meanwhile."))
        return redirect("web:operations")
    cases = len({job.photo.submission.case_id for job in chosen})
    if "sure" not in request.POST:
        context = {
            "jobs": chosen,
            "cases": cases,
            "verb": verb,
            "hidden": sum(job.hides_photo for job in chosen),
        }
        return render(request, "web/operations/confirm.html", context)
    done = sum(VERBS[verb](job, by=request.user) for job in chosen)
    if verb == "requeue":
        text = ngettext("%(n)d job was requeued.", "%(n)d jobs were requeued.", done)
    else:
        text = ngettext("%(n)d job was cancelled.", "%(n)d jobs were cancelled.", done)
    messages.success(request, text % {"n": done})
    return redirect("web:operations")
