"""The dermatologist's pages about one case: review, answer. Every action is a form; htmx and shortcuts are optional."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import wraps
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.db.models import Exists, OuterRef, Prefetch, Subquery, prefetch_related_objects
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from teleder.accounts import people
from teleder.accounts.models import Purpose, User
from teleder.audit import entries
from teleder.audit.models import Verb
from teleder.cases import ai_opinion, answer_drafts, reading, replies, reviews, transitions
from teleder.cases.models import (
    AnswerDraft,
    DrawnCrop,
    Event,
    EventKind,
    Photo,
    Review,
    Status,
    Submission,
)
from teleder.cases.originals import RefusedError
from teleder.cases.transitions import WITH_ANSWER
from teleder.cases.triage import Urgency
from teleder.cases.verdict import Verdict, verdict_of
from teleder.pipeline import queue
from teleder.web import wording
from teleder.web.clinician import list_views, readings, worklist
from teleder.web.clinician.case_photos import opinion_of, photos_of, stopped_job
from teleder.web.clinician.drawn import drawing_of
from teleder.web.clinician.due_times import time_left
from teleder.web.clinician.forms import AnswerForm, PhotosWantedForm
from teleder.web.conditional import unless_same
from teleder.web.roles import dermatologist_required


# --- Actions ----------------------------------------------------------------------------------------------
def visible(request: HttpRequest, pk: UUID) -> Submission:
    whose = [f"case__patient__{each}" for each in ("patient", "erasure")]
    rows = Submission.objects.visible_to(request.user).select_related(
        *whose, "claimed_by", "held_answer__author"
    )
    kinds = [EventKind.HANDED_OVER, EventKind.OPINION_ASKED, EventKind.OPINION_GIVEN]
    notes = Event.objects.filter(submission=OuterRef("pk"), kind__in=kinds).order_by("-id")
    drawn = Exists(DrawnCrop.objects.filter(photo__submission=OuterRef("pk")))
    rows = answer_drafts.with_drafts(rows).annotate(last_note=Subquery(notes.values("id")[:1]), drawn=drawn)
    return get_object_or_404(ai_opinion.with_impressions(rows, request.user), pk=pk)


def submission_action(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """Decorate an action on one submission, by POST. Refusals are a page (409, 422).

    A GET redirects to the review page: after a POST that needed a log-in, allauth leads back to this URL.
    """

    @require_http_methods(["GET", "HEAD", "POST"])
    @dermatologist_required
    @wraps(view)
    def guarded(request: HttpRequest, pk: UUID) -> HttpResponse:
        submission = visible(request, pk)
        if request.method != "POST":
            return redirect("web:review", pk)
        try:
            return view(request, submission)
        except transitions.IllegalMoveError as error:
            return refusal(request, submission, str(error), status=409)
        except RefusedError as error:
            return refusal(request, submission, error.message, status=422)

    return guarded


def refusal(request: HttpRequest, submission: Submission, message: str, *, status: int) -> HttpResponse:
    """Show why the action was refused, who has claimed the submission, and the typed text."""
    submission = get_object_or_404(Submission, pk=submission.pk)  # its patient may have been erased meanwhile
    context = {"submission": submission, "message": message, "text": request.POST.get("text", "")}
    return render(request, "web/clinician/refusal.html", context, status=status)


@submission_action
def release(request: HttpRequest, submission: Submission) -> HttpResponse:
    reviews.release(submission, by=request.user)
    messages.success(request, _("%(case)s is back on the worklist.") % {"case": submission.case})
    return redirect("web:worklist")


@submission_action
def keep_claim(request: HttpRequest, submission: Submission) -> HttpResponse:
    """Keep the claim of an open page alive; return a warning once the claim is lost."""
    if reviews.keep_claim(submission, by=request.user):
        return HttpResponse(status=204)
    submission.refresh_from_db()
    return claim_lost(request, submission)


def claim_lost(request: HttpRequest, submission: Submission, *, status: int = 200) -> HttpResponse:
    """Say by whom the case is claimed instead, which is a look at the case."""
    entries.set_verb(request, Verb.READ)
    return render(request, "web/clinician/_claim_lost.html", {"submission": submission}, status=status)


@submission_action
def request_photos(request: HttpRequest, submission: Submission) -> HttpResponse:
    form = PhotosWantedForm(request.POST, submission=submission)
    if not form.is_valid():
        return show_review(request, submission, photos_form=form, status=422)
    reviews.request_photos(submission, by=request.user, **form.cleaned_data)
    messages.success(
        request, _("The patient of %(case)s was asked for another photo.") % {"case": submission.case}
    )
    return to_next(request, submission)


def claimed_next(user: User) -> Submission | None:
    """Claim the most urgent free submission, or return the one that `user` holds already; two callers get different ones."""
    while (found := worklist.next_for(user)) is not None:
        if found.claimed_by_id == user.pk:
            return found
        with suppress(transitions.IllegalMoveError):  # a colleague was faster
            reviews.claim(found, by=user)
            return found
    return None


def to_next(request: HttpRequest, submission: Submission) -> HttpResponse:
    """Claim the next submission and redirect to it; that page deletes the saved draft of the finished one."""
    following = claimed_next(request.user)
    url = reverse("web:review", args=[following.pk]) if following else reverse("web:worklist")
    return redirect(f"{url}?done={submission.pk}")


# --- The review page --------------------------------------------------------------------------------------
@require_safe
@dermatologist_required
def review(request: HttpRequest, pk: UUID) -> HttpResponse:
    return show_review(request, visible(request, pk))


@require_safe
@dermatologist_required
def review_state(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Claim, urgency and AI status, polled by the open page: 304 while nothing changes."""
    submission = visible(request, pk)
    photos = list(submission.current_photos().prefetch_related("analyses__findings"))
    context = _state(request, submission, ai_opinion.shown_verdict(submission, request.user, photos), photos)
    context["position"] = list_views.position_of(submission, request.user) if submission.is_open else None
    return unless_same(request, render(request, "web/clinician/_state.html", context))


def _state(
    request: HttpRequest, submission: Submission, verdict: Verdict, photos: list[Photo]
) -> dict[str, Any]:
    return {
        "submission": submission,
        "verdict": verdict,
        "due": time_left(submission),
        "is_mine": is_mine(request, submission),
        "held": getattr(submission, "held_answer", None),
        "stamps": _stamps(submission, photos),
    }


def _stamps(submission: Submission, photos: list[Photo]) -> dict[str, str]:
    """Name what the page shows of the photos, of the AI and of colleagues: an open page that has other names fetches them."""
    read = [photo.analysis.pk for photo in photos if photo.analysis]
    return {
        "photos": " ".join(f"{photo.pk}{photo.state}{photo.copy_version}" for photo in photos),
        "ai": f"{submission.ai_status} {len(read)}",
        "colleagues": str(submission.last_note or ""),
    }


def is_mine(request: HttpRequest, submission: Submission) -> bool:
    return submission.status == Status.IN_REVIEW and submission.claimed_by_id == request.user.pk


def show_review(
    request: HttpRequest,
    submission: Submission,
    *,
    form: AnswerForm | None = None,
    photos_form: PhotosWantedForm | None = None,
    preview: dict[str, Any] | None = None,
    refused_reply: dict[str, Any] | None = None,
    status: int = 200,
) -> HttpResponse:
    others = Submission.objects.visible_to(request.user).exclude(pk=submission.pk)
    earlier = list(others.filter(case=submission.case).order_by("-submitted_at"))
    prefetch_related_objects(
        [submission, *earlier],
        Prefetch("photos", queue.with_full_copy_state(Photo.objects.current()), to_attr="shown_photos"),
        Prefetch("reviews", Review.objects.for_showing().select_related("amended_by", "reading")),
    )
    photos = submission.shown_photos
    before = [
        visit for visit in earlier if visit.submitted_at and visit.submitted_at < submission.submitted_at
    ]
    for visit in earlier:
        visit.case = submission.case
    prefetch_related_objects([submission.patient], "consents")
    prefetch_related_objects(photos, "analyses__findings")
    is_open = ai_opinion.is_open(submission, request.user)
    verdict = verdict_of(submission, photos) if is_open else verdict_of(submission, photos).hidden()
    state = _state(request, submission, verdict, photos)
    may_answer = not state["held"] and (state["is_mine"] or submission.status in WITH_ANSWER)
    amending = submission.status in WITH_ANSWER
    draft, other_drafts = None, []
    if may_answer:
        amends = str(submission.answer().pk) if amending else answer_drafts.FIRST_ANSWER
        draft, other_drafts = answer_drafts.own_and_other_drafts(submission, request.user, amends=amends)
    opinion = opinion_of(submission, photos, verdict, is_open=is_open)
    signed_look = (
        ai_opinion.signed_look(submission, request.user) if opinion["is_study"] and is_open else None
    )
    consents = people.latest_consents(submission.patient)
    events = list(submission.events.select_related("actor"))
    has_questions = any(event.kind == EventKind.ASKED_BACK for event in events)
    shown = photos_of(request, photos, verdict, is_open=is_open, earlier=before)
    context = {
        **state,
        **shown,
        "drawing": drawing_of(
            submission,
            shown["reading"],
            is_mine=state["is_mine"],
            is_past=shown["is_past"],
            has_some=submission.drawn,
        ),
        "stopped_job": stopped_job(photos),
        **opinion,
        "signed_look": signed_look,
        "age": worklist.age_of(submission.patient),
        "writer": worklist.writer_of(submission),
        "flags": readings.flags_of(ai_opinion.shown_flags(submission, request.user)),
        "answers": readings.red_flag_answers(submission),
        "history": readings.history_of(submission, photos, before[0] if before else None),
        "earlier": earlier,
        "visit": len(before) + 1,
        "last_visit": before[0] if before else None,
        "events": events,
        "withdrawn": [one for one in consents if one.withdrawn_at and one.purpose != Purpose.TRAINING],
        "reviews": submission.reviews.all(),
        "questions": submission.questions.asked().select_related("replied_by") if has_questions else [],
        "refused_reply": refused_reply or {},
        "may_answer": may_answer,
        "amending": amending,
        "form": (form or _new_form(request, submission, draft)) if may_answer else None,
        "draft": draft,
        "other_drafts": other_drafts,
        "is_draft_reply": replies.is_draft(form and form.offered),
        "preview": preview,
        "photos_form": photos_form or PhotosWantedForm(submission=submission),
        "may_ask_photos": submission.urgency < Urgency.SAME_DAY,
        "may_take_back": amending and not state["held"] and reading.may_take_back(submission),
        "why_stopped": wording.STOPS.get(draft.stopped_because) if draft else None,
    }
    return render(request, "web/clinician/review.html", context, status=status)


def _new_form(request: HttpRequest, submission: Submission, draft: AnswerDraft | None) -> AnswerForm:
    if submission.status in WITH_ANSWER:
        return AnswerForm(submission=submission, amending=True, draft=draft)
    kept = ai_opinion.impression_of(submission, request.user)
    return AnswerForm(submission=submission, amending=False, impression=kept or "", draft=draft)
