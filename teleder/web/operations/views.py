"""The admin's pages about the work: its state, jobs to requeue or cancel, cases to reassign."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.db.models import Prefetch, Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST, require_safe
from django.views.decorators.vary import vary_on_headers

from teleder.accounts.models import Role, User
from teleder.accounts.normalisation import normalise_code, normalise_email
from teleder.cases import intake, reviews, transitions
from teleder.cases.models import Case, Job, Photo, Status, Submission
from teleder.cases.originals import RefusedError
from teleder.cases.transitions import AWAITING_DERMATOLOGIST, OPEN, WITH_ANSWER, EventKind, sources_of
from teleder.pipeline import recovery
from teleder.pipeline.transitions import NEEDS_ADMIN, UNFINISHED
from teleder.web.conditional import unless_same
from teleder.web.operations import health
from teleder.web.roles import admin_required

JOBS_SHOWN = 100
CASES_SHOWN = 50
FEW_CASES = 1000
VERBS = {"requeue": (recovery.requeue, NEEDS_ADMIN), "cancel": (recovery.cancel, UNFINISHED)}
WITHDRAWABLE = {*sources_of(EventKind.WITHDRAWN)} & {*OPEN}  # a draft is its patient's own


# --- The state of the work --------------------------------------------------------------------------------
@require_safe
@admin_required
@vary_on_headers("HX-Request")
def operations(request: HttpRequest) -> HttpResponse:
    """The whole page, or for htmx the board alone: 304 while nothing on it has changed."""
    context: dict[str, Any] = {"board": health.board(request.user)}
    if request.htmx:
        return unless_same(request, render(request, "web/operations/_board.html", context))
    context["stopped"] = _jobs(request.user, NEEDS_ADMIN).order_by("-finished_at")[:JOBS_SHOWN]
    context["unfinished"] = _jobs(request.user, UNFINISHED).order_by("-priority", "created_at")[:JOBS_SHOWN]
    return render(request, "web/operations/operations.html", context)


def _jobs(user: User, states: tuple[str, ...]) -> QuerySet[Job]:
    return Job.objects.visible_to(user).filter(state__in=states).select_related("photo__submission__case")


@require_POST
@admin_required
def change_jobs(request: HttpRequest) -> HttpResponse:
    """Requeue or cancel the selected jobs. The first POST asks for confirmation, the second does it."""
    verb = request.POST.get("verb", "")
    if verb not in VERBS:
        return redirect("web:operations")
    jobs = _jobs(request.user, VERBS[verb][1])
    chosen = list(jobs if "all" in request.POST else jobs.filter(pk__in=_uuids(request.POST.getlist("job"))))
    if not chosen:
        messages.info(request, _("No job was chosen, or the chosen jobs have changed meanwhile."))
        return redirect("web:operations")
    if "sure" not in request.POST:
        return render(request, "web/operations/confirm.html", {"jobs": chosen, "verb": verb})
    done = sum(VERBS[verb][0](job, by=request.user) for job in chosen)
    if verb == "requeue":
        text = ngettext("%(n)d job was requeued.", "%(n)d jobs were requeued.", done)
    else:
        text = ngettext("%(n)d job was cancelled.", "%(n)d jobs were cancelled.", done)
    messages.success(request, text % {"n": done})
    return redirect("web:operations")


def _uuids(texts: list[str]) -> list[UUID]:
    found = []
    for text in texts:
        try:
            found.append(UUID(text))
        except ValueError:
            continue
    return found


# --- Cases ------------------------------------------------------------------------------------------------
@require_safe
@admin_required
def cases(request: HttpRequest) -> HttpResponse:
    """Find submissions by case number, e-mail address or the id of a request that brought a photo, and by status."""
    query, status = request.GET.get("find", "").strip()[:100], request.GET.get("status", "")
    rows = Submission.objects.visible_to(request.user).select_related("case__patient", "claimed_by")
    if status in Status.values:
        rows = rows.filter(status=status)
    if query:
        rows = rows.filter(_found_by(query))
    context = {
        "rows": rows.order_by("-submitted_at")[:CASES_SHOWN],
        "find": query,
        "status": status,
        "statuses": [choice for choice in Status.choices if choice[0] != Status.DRAFT],
        "limit": CASES_SHOWN,
    }
    return render(request, "web/operations/cases.html", context)


def _found_by(query: str) -> Q:
    """Return the condition that a submission's case number or patient's address contains this, or a request had this id.

    Few cases are looked up by themselves, each by its own index: one condition over both tables reads every submission.
    """
    if requests := _uuids([query]):
        return Q(pk__in=list(Photo.objects.filter(trace=requests[0]).values_list("submission", flat=True)))
    letters, address = "".join(filter(str.isalnum, normalise_code(query).upper())), normalise_email(query)
    number = f"{letters[:4]}-{letters[4:]}" if len(letters) > 4 else letters
    people = User.objects.filter(email__icontains=address).values_list("pk", flat=True)[:FEW_CASES]
    addressed = Case.objects.filter(patient__in=list(people)).values_list("pk", flat=True)[:FEW_CASES]
    numbered = Case.objects.filter(number__contains=number).values_list("pk", flat=True)[:FEW_CASES]
    found = [*addressed, *(numbered if letters else ())]
    if len(found) < FEW_CASES > len(people):
        return Q(case__in=found)
    by_number = Q(case__number__contains=number) if letters else Q()
    return Q(case__patient__email__icontains=address) | by_number


def _visible(request: HttpRequest, pk: UUID) -> Submission:
    rows = Submission.objects.visible_to(request.user).select_related("case__patient", "claimed_by")
    return get_object_or_404(rows, pk=pk)


@require_safe
@admin_required
def case(request: HttpRequest, pk: UUID) -> HttpResponse:
    return _case(request, _visible(request, pk))


def _case(
    request: HttpRequest, submission: Submission, *, error: str = "", status: int = 200
) -> HttpResponse:
    seen = Submission.objects.visible_to(request.user)
    dermatologists = User.objects.visible_to(request.user).filter(
        role=Role.DERMATOLOGIST, clinic=submission.case.clinic_id, is_active=True
    )
    context = {
        "submission": submission,
        "error": error,
        "others": seen.filter(case=submission.case).exclude(pk=submission.pk).order_by("-submitted_at"),
        "events": submission.events.select_related("actor"),
        "photos": submission.photos.prefetch_related(
            Prefetch("jobs", Job.objects.order_by("created_at")), "analyses"
        ).order_by("created_at"),
        "dermatologists": dermatologists.order_by("name"),
        "may_reassign": submission.status in AWAITING_DERMATOLOGIST,
        "may_release": submission.status == Status.IN_REVIEW,
        "may_reopen": submission.status in WITH_ANSWER,
        "may_withdraw": submission.status in WITHDRAWABLE,
    }
    return render(request, "web/operations/case.html", context, status=status)


CASE_VERBS = {"release": reviews.release, "reopen": reviews.reopen, "withdraw": intake.withdraw}


@require_POST
@admin_required
def change_case(request: HttpRequest, pk: UUID, verb: str) -> HttpResponse:
    """Reassign, release, reopen or withdraw one submission; a refusal is shown as text."""
    submission = _visible(request, pk)
    if verb not in {"reassign", *CASE_VERBS}:
        raise Http404
    try:
        if verb == "reassign":
            ids = _uuids([request.POST.get("to", "")])
            to = User.objects.visible_to(request.user).filter(pk__in=ids).first()
            if to is None:
                raise RefusedError("not_a_dermatologist", _("Please choose a dermatologist who may log in."))
            reviews.reassign(submission, to=to, by=request.user)
        else:
            CASE_VERBS[verb](submission, by=request.user)
    except transitions.IllegalMoveError as error:
        return _case(request, _visible(request, pk), error=str(error), status=409)
    except RefusedError as error:
        return _case(request, submission, error=error.message, status=422)
    messages.success(request, _("Done: %(case)s") % {"case": submission.case})
    return redirect("web:case_admin", pk)
