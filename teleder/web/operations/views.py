"""The admin's pages about the work: its state in one sentence, jobs to requeue or cancel, cases to move."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.db.models import Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST, require_safe
from django.views.decorators.vary import vary_on_headers

from teleder.accounts.models import Role, User
from teleder.accounts.normalisation import normalise_code, normalise_email
from teleder.cases import intake, reviews, transitions
from teleder.cases.models import UNFINISHED, Case, Job, Status, Submission
from teleder.cases.originals import Refused
from teleder.pipeline import recovery
from teleder.web.conditional import unless_same
from teleder.web.operations import health
from teleder.web.roles import admin_required

JOBS_SHOWN = 100
CASES_SHOWN = 50
VERBS = {"requeue": (recovery.requeue, health.STOPPED), "cancel": (recovery.cancel, UNFINISHED)}
REASSIGNABLE = (Status.SUBMITTED, Status.IN_REVIEW)
REOPENABLE = (Status.ANSWERED, Status.CLOSED)
WITHDRAWABLE = (Status.SUBMITTED, Status.NEEDS_PHOTOS)


# --- The state of the work --------------------------------------------------------------------------------
@require_safe
@admin_required
@vary_on_headers("HX-Request")
def operations(request: HttpRequest) -> HttpResponse:
    """The whole page, or for htmx the board alone: 304 while nothing on it has changed."""
    context: dict[str, Any] = {"board": health.board(request.user)}
    if request.htmx:
        return unless_same(request, render(request, "web/operations/_board.html", context))
    context["stopped"] = _jobs(request.user, health.STOPPED).order_by("-finished_at")[:JOBS_SHOWN]
    context["unfinished"] = _jobs(request.user, UNFINISHED).order_by("-priority", "created_at")[:JOBS_SHOWN]
    return render(request, "web/operations/show.html", context)


def _jobs(user: User, states: tuple[str, ...]) -> QuerySet[Job]:
    return Job.objects.visible_to(user).filter(state__in=states).select_related("photo__submission__case")


@require_POST
@admin_required
def change_jobs(request: HttpRequest) -> HttpResponse:
    """Requeue or cancel the chosen jobs; the first POST asks and names their number, the second does it."""
    verb = request.POST.get("verb", "")
    if verb not in VERBS:
        return redirect("web:operations")
    chosen = _chosen(request, VERBS[verb][1])
    if not chosen:
        messages.info(request, _("No job was chosen, or the chosen jobs have changed meanwhile."))
        return redirect("web:operations")
    if "sure" not in request.POST:
        return render(request, "web/operations/confirm.html", {"jobs": chosen, "verb": verb})
    done = sum(VERBS[verb][0](job, by=request.user) for job in chosen)
    messages.success(request, _what_was_done(verb, done))
    return redirect("web:operations")


def _chosen(request: HttpRequest, states: tuple[str, ...]) -> list[Job]:
    if "all" in request.POST:
        return list(_jobs(request.user, states))
    return list(_jobs(request.user, states).filter(pk__in=_uuids(request.POST.getlist("job"))))


def _uuids(texts: list[str]) -> list[UUID]:
    found = []
    for text in texts:
        try:
            found.append(UUID(text))
        except ValueError:
            continue
    return found


def _what_was_done(verb: str, n: int) -> str:
    if verb == "requeue":
        return ngettext("%(n)d job was requeued.", "%(n)d jobs were requeued.", n) % {"n": n}
    return ngettext("%(n)d job was cancelled.", "%(n)d jobs were cancelled.", n) % {"n": n}


# --- Cases ------------------------------------------------------------------------------------------------
@require_safe
@admin_required
def cases(request: HttpRequest) -> HttpResponse:
    """Find submissions by case number or e-mail address, and by status."""
    words, status = request.GET.get("find", "").strip()[:100], request.GET.get("status", "")
    rows = Submission.objects.visible_to(request.user).select_related("case__patient", "claimed_by")
    if status in Status.values:
        rows = rows.filter(status=status)
    if words:
        rows = _matching(rows, words)
    context = {
        "rows": rows.order_by("-submitted_at")[:CASES_SHOWN],
        "find": words,
        "status": status,
        "statuses": [choice for choice in Status.choices if choice[0] != Status.DRAFT],
        "limit": CASES_SHOWN,
    }
    return render(request, "web/operations/cases.html", context)


def _matching(rows: QuerySet[Submission], words: str) -> QuerySet[Submission]:
    letters = "".join(filter(str.isalnum, normalise_code(words).upper()))
    number = f"{letters[:4]}-{letters[4:]}" if len(letters) > 4 else letters
    numbered = Q(case__number__contains=number) if letters else Q()
    return rows.filter(Q(case__patient__email__icontains=normalise_email(words)) | numbered)


def _seen(request: HttpRequest, pk: UUID) -> Submission:
    rows = Submission.objects.visible_to(request.user).select_related("case__patient", "claimed_by")
    return get_object_or_404(rows, pk=pk)


@require_safe
@admin_required
def case(request: HttpRequest, pk: UUID) -> HttpResponse:
    return _case(request, _seen(request, pk))


def _case(
    request: HttpRequest, submission: Submission, *, error: str = "", status: int = 200
) -> HttpResponse:
    seen = Submission.objects.visible_to(request.user)
    context = {
        "submission": submission,
        "error": error,
        "others": seen.filter(case=submission.case).exclude(pk=submission.pk).order_by("-submitted_at"),
        "events": submission.events.select_related("actor"),
        "jobs": Job.objects.filter(photo__submission=submission).order_by("created_at"),
        "dermatologists": _dermatologists(request.user, submission.case).filter(is_active=True),
        "may_reassign": submission.status in REASSIGNABLE,
        "may_release": submission.status == Status.IN_REVIEW,
        "may_reopen": submission.status in REOPENABLE,
        "may_withdraw": submission.status in WITHDRAWABLE,
    }
    return render(request, "web/operations/case.html", context, status=status)


def _dermatologists(user: User, case: Case) -> QuerySet[User]:
    """Return to whom a case can be handed: the dermatologists of its clinic."""
    rows = User.objects.visible_to(user).filter(role=Role.DERMATOLOGIST, clinic=case.clinic_id)
    return rows.order_by("name")


CASE_VERBS = {"release": reviews.release, "reopen": reviews.reopen, "withdraw": intake.withdraw}


@require_POST
@admin_required
def change_case(request: HttpRequest, pk: UUID, verb: str) -> HttpResponse:
    """Reassign, release, reopen or withdraw one submission; what cannot be done is said in words."""
    submission = _seen(request, pk)
    if verb not in {"reassign", *CASE_VERBS}:
        raise Http404
    try:
        if verb == "reassign":
            reviews.reassign(submission, to=_dermatologist(request), by=request.user)
        else:
            CASE_VERBS[verb](submission, by=request.user)
    except transitions.IllegalMoveError as error:
        return _case(request, _seen(request, pk), error=str(error), status=409)
    except Refused as error:
        return _case(request, submission, error=error.message, status=422)
    messages.success(request, _("Done: %(case)s") % {"case": submission.case})
    return redirect("web:case_admin", pk)


def _dermatologist(request: HttpRequest) -> User:
    found = User.objects.visible_to(request.user).filter(pk__in=_uuids([request.POST.get("to", "")])).first()
    if found is None:
        raise Refused("not_a_dermatologist", _("Please choose a dermatologist who may log in."))
    return found
