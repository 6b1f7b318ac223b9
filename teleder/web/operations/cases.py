"""The admin's pages about cases: find them, hand several on at once, merge two, and change one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from datetime import timedelta
from uuid import UUID

from django.contrib import messages
from django.db.models import Count, Min, Prefetch, Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST, require_safe

from teleder.accounts import licences
from teleder.accounts.models import Role, User
from teleder.cases import merging, reassigning, reviews, transitions, withdrawal
from teleder.cases.models import Case, Event, Job, Photo, Status, Submission
from teleder.cases.originals import RefusedError
from teleder.cases.reassigning import REASON_LENGTH, UNDO_MINUTES
from teleder.cases.transitions import AWAITING_DERMATOLOGIST, OPEN, WITH_ANSWER, EventKind, sources_of
from teleder.web.operations.case_filters import (
    AGES,
    CHIPS,
    MARKS,
    NOBODY,
    STATUSES,
    URGENCIES,
    CaseFilters,
    counts,
    parse_ids,
)
from teleder.web.roles import admin_required

CASES_SHOWN = 50
LAST_PAGE = 200
WITHDRAWABLE = {*sources_of(EventKind.WITHDRAWN)} & {*OPEN}  # a draft is its patient's own
UNDOABLE = "handed_on"  # the key in the session


def dermatologists_for(user: User) -> QuerySet[User]:
    """Who may be given cases, each with the number they hold; who cannot sign is not among them."""
    rows = User.objects.visible_to(user).filter(role=Role.DERMATOLOGIST, is_active=True)
    rows = rows.filter(licences.may_sign())
    held = Count("claims", filter=Q(claims__status=Status.IN_REVIEW))
    return rows.annotate(held=held).order_by("name")


# --- The list ---------------------------------------------------------------------------------------------
@require_safe
@admin_required
def cases(request: HttpRequest) -> HttpResponse:
    """Find submissions by number, address, status, urgency, due time, holder and age."""
    filters, counted = CaseFilters.of(request.GET), counts(request.user)
    wanted = request.GET.get("page", "")[:6]
    page = min(max(int(wanted), 1), LAST_PAGE) if wanted.isdecimal() else 1
    first = (page - 1) * CASES_SHOWN
    rows = list(filters.rows(request.user)[first : first + CASES_SHOWN + 1])
    for row in rows:
        row.may_hand_on = row.status in AWAITING_DERMATOLOGIST
    context = {
        "rows": rows[:CASES_SHOWN],
        "kept": [(name, value) for name, value in asdict(filters).items() if value],
        "filters": filters,
        "counts": counted,
        "marks": [(name, MARKS[name][0], counted[name]) for name in CHIPS],
        "statuses": STATUSES,
        "urgencies": [(code, level.label) for code, level in URGENCIES.items()],
        "ages": [(code, label) for code, (_age, label) in AGES.items()],
        "nobody": NOBODY,
        "dermatologists": dermatologists_for(request.user),
        "may_hand_on": any(row.may_hand_on for row in rows),
        "previous": page - 1,
        "next": page + 1 if len(rows) > CASES_SHOWN and page < LAST_PAGE else None,
        "overdue_number": counted["overdue"],
        "undoable": len(_undoable(request)),
        "undo_minutes": UNDO_MINUTES,
        "reason_length": REASON_LENGTH,
    }
    return render(request, "web/operations/cases.html", context)


def _undoable(request: HttpRequest) -> list[int]:
    """Return the events of this admin's last step over several cases, as long as it can be undone."""
    kept = request.session.get(UNDOABLE, {"events": [], "until": 0})
    return kept["events"] if kept["until"] > timezone.now().timestamp() else []


def _to_list(request: HttpRequest) -> HttpResponse:
    query = CaseFilters.of(
        {key: request.POST.get(f"of_{key}", "") for key in CaseFilters.__annotations__}
    ).address
    return redirect(f"{reverse('web:cases_admin')}?{query}" if query else "web:cases_admin")


@require_POST
@admin_required
def reassign_cases(request: HttpRequest) -> HttpResponse:
    """Hand the selected submissions to a dermatologist, or to nobody: back to the worklist. It can be undone."""
    ids = parse_ids(request.POST.getlist("case"))[:CASES_SHOWN]
    chosen = Submission.objects.visible_to(request.user).filter(pk__in=ids, status__in=AWAITING_DERMATOLOGIST)
    chosen = list(chosen.select_related("case", "claimed_by").order_by("due_at", "id"))
    to = dermatologists_for(request.user).filter(pk__in=parse_ids([request.POST.get("to", "")])).first()
    if not chosen:
        messages.error(request, _("No case was chosen, or the chosen cases have changed meanwhile."))
    elif to is None and request.POST.get("to") != NOBODY:
        messages.error(request, _("Please choose a dermatologist who may log in."))
    else:
        outcome = reassigning.hand_on(chosen, to=to, by=request.user, reason=request.POST.get("reason", ""))
        until = (timezone.now() + timedelta(minutes=UNDO_MINUTES)).timestamp()
        request.session[UNDOABLE] = {"events": outcome.events, "until": until}
        _say_outcome(request, len(outcome.events), len(chosen) - len(outcome.events), to)
    return _to_list(request)


def _say_outcome(request: HttpRequest, done: int, left: int, to: User | None) -> None:
    if to is None:
        text = ngettext(
            "%(n)d case is back on the worklist. Its due time stays.",
            "%(n)d cases are back on the worklist. Their due times stay.",
            done,
        )
    else:
        text = ngettext(
            "%(n)d case was given to %(name)s. Its due time stays.",
            "%(n)d cases were given to %(name)s. Their due times stay.",
            done,
        )
    if done:
        messages.success(request, text % {"n": done, "name": to})
    if left:
        text = ngettext("%(n)d case was left as it is.", "%(n)d cases were left as they are.", left)
        messages.info(request, text % {"n": left})


@require_POST
@admin_required
def undo_reassign(request: HttpRequest) -> HttpResponse:
    """Take back the last step over several cases."""
    events = _undoable(request)
    request.session.pop(UNDOABLE, None)
    undone = reassigning.undo_reassign(events, by=request.user)
    text = ngettext("%(n)d case is as it was before.", "%(n)d cases are as they were before.", undone)
    if undone:
        messages.success(request, text % {"n": undone})
    if left := len(events) - undone:
        text = ngettext(
            "%(n)d case has changed since, or too much time has passed: it was left as it is.",
            "%(n)d cases have changed since, or too much time has passed: they were left as they are.",
            left,
        )
        messages.info(request, text % {"n": left})
    return _to_list(request)


# --- One case ---------------------------------------------------------------------------------------------
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
    context = {
        "submission": submission,
        "error": error,
        "others": seen.filter(case=submission.case).exclude(pk=submission.pk).order_by("-submitted_at"),
        "events": _with_names(submission.events.select_related("actor")),
        "photos": submission.photos.prefetch_related(
            Prefetch("jobs", Job.objects.order_by("created_at")), "analyses"
        ).order_by("created_at"),
        "dermatologists": dermatologists_for(request.user).filter(clinic=submission.case.clinic_id),
        "other_cases": _other_cases(request, submission.case),
        "former": submission.case.merged.all(),
        "may_reassign": submission.status in AWAITING_DERMATOLOGIST,
        "may_release": submission.status == Status.IN_REVIEW,
        "may_reopen": submission.status in WITH_ANSWER,
        "may_withdraw": submission.status in WITHDRAWABLE,
    }
    return render(request, "web/operations/case.html", context, status=status)


def _with_names(events: Iterable[Event]) -> list[Event]:
    """Put on each event the people that its detail names: who had the submission, and who got it."""
    found = list(events)
    named = [event.detail.get(key) for event in found for key in ("from", "to")]
    ids = parse_ids([text for text in named if isinstance(text, str)])  # else a level of urgency
    people = {str(pk): person for pk, person in User.objects.in_bulk(ids).items()}
    for event in found:
        event.names = {key: people.get(event.detail.get(key)) for key in ("from", "to")}
    return found


CASE_VERBS = {"release": reviews.release, "reopen": reviews.reopen, "withdraw": withdrawal.withdraw}


@require_POST
@admin_required
def change_case(request: HttpRequest, pk: UUID, verb: str) -> HttpResponse:
    """Reassign, release, reopen or withdraw one submission, or merge its case; a refusal is shown as text."""
    submission = _visible(request, pk)
    if verb not in {"reassign", "merge", *CASE_VERBS}:
        raise Http404
    try:
        if verb == "merge":
            into = _other_case(request, submission)
            if "sure" not in request.POST:
                return _ask_to_merge(request, submission, into)
            merging.merge(submission.case, into=into, by=request.user)
        elif verb == "reassign":
            ids = parse_ids([request.POST.get("to", "")])
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


def _other_cases(request: HttpRequest, case: Case) -> QuerySet[Case]:
    """The cases of the same patient and clinic into which this one can be merged."""
    rows = Case.objects.visible_to(request.user).filter(patient=case.patient_id, clinic=case.clinic_id)
    return rows.exclude(pk=case.pk)


def _other_case(request: HttpRequest, submission: Submission) -> Case:
    ids = parse_ids([request.POST.get("into", "")])
    into = _other_cases(request, submission.case).filter(pk__in=ids).first()
    if into is None:
        raise RefusedError("not_two_cases", _("Please choose another case of this patient."))
    return into


def _ask_to_merge(request: HttpRequest, submission: Submission, into: Case) -> HttpResponse:
    """Say what a merge would do, before it is done."""
    photos = Photo.objects.current().exclude(submission__submitted_at=None)
    waiting = Submission.objects.filter(status__in=AWAITING_DERMATOLOGIST)
    context = {
        "submission": submission,
        "into": into,
        "photos": photos.filter(submission__case=submission.case).count(),
        "photos_of_other": photos.filter(submission__case=into).count(),
        "due": waiting.filter(case__in=(submission.case, into)).aggregate(due=Min("due_at"))["due"],
    }
    return render(request, "web/operations/confirm_merge.html", context)
