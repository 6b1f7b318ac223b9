"""What is done from the worklist: claim, claim next, assign several to a colleague, snooze. Each is a form of its own."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_POST

from teleder.cases import reassigning, reviews, snoozing, transitions
from teleder.cases.models import SnoozeFor, SnoozeReason, Submission
from teleder.cases.transitions import AWAITING_DERMATOLOGIST
from teleder.web.clinician import list_pages, worklist
from teleder.web.clinician.views import claimed_next, refusal, submission_action, visible
from teleder.web.operations.case_filters import parse_ids
from teleder.web.roles import dermatologist_required

AT_ONCE = worklist.ROWS


def says(request: HttpRequest, *texts: str) -> HttpResponse:
    """The list with the view of the requesting page, and a message for its live region; without a script the page itself."""
    if not request.htmx:
        for text in filter(None, texts):
            messages.info(request, text)
        return redirect("web:worklist")
    _path, _mark, query = (request.htmx.current_url_abs_path or "").partition("?")
    context = list_pages.shown_list(request, QueryDict(query.partition("#")[0]))
    said = " ".join(filter(None, texts))
    return render(request, "web/clinician/_worklist.html", context | {"said": said})


@require_POST
@dermatologist_required
def claim(request: HttpRequest, pk: UUID) -> HttpResponse:
    submission = visible(request, pk)
    try:
        reviews.claim(submission, by=request.user)
    except transitions.IllegalMoveError as error:
        if not request.htmx:
            return refusal(request, submission, str(error), status=409)
        now = get_object_or_404(Submission.objects.select_related("case", "claimed_by"), pk=pk)
        claimed = _("%(name)s has already claimed %(case)s.") % {"case": now.case, "name": now.claimed_by}
        return says(request, claimed if now.claimed_by else str(error))
    if request.htmx:
        return says(request, _("You have claimed %(case)s.") % {"case": submission.case})
    return redirect("web:review", pk)


@require_POST
@dermatologist_required
def claim_next(request: HttpRequest) -> HttpResponse:
    """Claim and open the most urgent free submission; two callers get different ones."""
    if (found := claimed_next(request.user)) is not None:
        return redirect("web:review", found.pk)
    messages.info(request, _("No unclaimed submission is waiting."))
    return redirect("web:worklist")


# --- Several at once --------------------------------------------------------------------------------------
def _chosen(request: HttpRequest) -> list[Submission]:
    """Return the selected submissions that still wait for a dermatologist."""
    given = request.POST if request.method == "POST" else request.GET
    ids = parse_ids(given.getlist("case"))[:AT_ONCE]
    rows = Submission.objects.visible_to(request.user).filter(pk__in=ids, status__in=AWAITING_DERMATOLOGIST)
    return list(rows.select_related("case", "claimed_by").order_by("due_at", "id"))


def _ask(request: HttpRequest, template: str, chosen: list[Submission], **context: Any) -> HttpResponse:
    """Ask in the dialog of the list, or without a script on a page."""
    context |= {"chosen": chosen, "number_chosen": len(chosen), "template": template}
    return render(request, template if request.htmx else "web/clinician/ask.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@dermatologist_required
def assign(request: HttpRequest) -> HttpResponse:
    """Give the selected cases to a colleague: by GET the colleagues with what each holds, by POST it is done."""
    chosen, colleagues = _chosen(request), reassigning.colleagues_of(request.user)
    if request.method != "POST":
        return _ask(request, "web/clinician/_assign.html", chosen, colleagues=colleagues)
    to = colleagues.filter(pk__in=parse_ids([request.POST.get("to", "")])).first()
    if not chosen:
        return says(request, _("No case was chosen, or the chosen cases have changed meanwhile."))
    if to is None:
        return says(request, _("Please choose a dermatologist who may log in."))
    outcome = reassigning.hand_on(chosen, to=to, by=request.user, reason=request.POST.get("reason", ""))
    done, left = len(outcome.events), len(chosen) - len(outcome.events)
    given = ngettext(
        "%(n)d case was given to %(name)s. Its due time stays.",
        "%(n)d cases were given to %(name)s. Their due times stay.",
        done,
    )
    kept = ngettext("%(n)d case was left as it is.", "%(n)d cases were left as they are.", left)
    return says(request, given % {"n": done, "name": to} if done else "", kept % {"n": left} if left else "")


@require_http_methods(["GET", "HEAD", "POST"])
@dermatologist_required
def snooze(request: HttpRequest) -> HttpResponse:
    """Put the selected cases off: by GET how long is possible, by POST it is done."""
    chosen = _chosen(request)
    length, reason = request.POST.get("for", ""), request.POST.get("reason", "")
    if request.method != "POST":
        can_wait = [each for each in chosen if snoozing.may_snooze(each)]
        lengths = [
            choice for choice in SnoozeFor if any(snoozing.until_of(choice, each) for each in can_wait)
        ]
        context = {"lengths": lengths, "reasons": SnoozeReason.choices}
        return _ask(request, "web/clinician/_snooze.html", chosen, **context)
    if length not in SnoozeFor.values or reason not in SnoozeReason.values:
        return says(request, _("Please choose how long, and why."))
    outcome = snoozing.snooze_each(chosen, by=request.user, length=length, reason=reason)
    text = ngettext(
        "%(n)d case is snoozed. Its due time stays.",
        "%(n)d cases are snoozed. Their due times stay.",
        outcome.snoozed,
    )
    refused = [f"{submission.case}: {why}" for submission, why in outcome.refused]
    return says(request, text % {"n": outcome.snoozed} if outcome.snoozed else "", *refused)


@submission_action
def end_snooze(request: HttpRequest, submission: Submission) -> HttpResponse:
    snoozing.end_snooze(submission, by=request.user)
    return says(request, _("%(case)s is back on the worklist.") % {"case": submission.case})
