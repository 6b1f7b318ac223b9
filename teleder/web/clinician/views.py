"""The dermatologist's pages: worklist, review, answer. Every action is a form; htmx and shortcuts are optional."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db.models import Prefetch, prefetch_related_objects
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe
from django.views.decorators.vary import vary_on_headers

from teleder.accounts import people
from teleder.accounts.models import Purpose
from teleder.cases import ai_opinion, reviews, transitions
from teleder.cases.models import Impression, Photo, PhotoState, Place, Review, Status, Submission
from teleder.cases.originals import RefusedError
from teleder.cases.transitions import WITH_ANSWER
from teleder.cases.triage import Urgency
from teleder.cases.verdict import Verdict, VerdictKind, verdict_of
from teleder.web import wording
from teleder.web.clinician import readings, replies, worklist
from teleder.web.clinician.forms import AnswerForm, PhotosWantedForm
from teleder.web.conditional import unless_same, unless_unchanged
from teleder.web.roles import dermatologist_required


# --- The worklist -----------------------------------------------------------------------------------------
@require_safe
@dermatologist_required
@vary_on_headers("HX-Request")
def show_worklist(request: HttpRequest) -> HttpResponse:
    """The whole page, or for htmx its list alone: 304 while nothing on it has changed."""
    if not request.htmx:
        return render(request, "web/clinician/worklist.html", _worklist(request, request.GET))
    return unless_unchanged(
        request,
        worklist.stamp_of(request.user, **_wanted(request.GET)),
        lambda: render(request, "web/clinician/_worklist.html", _worklist(request, request.GET)),
    )


def _wanted(query: QueryDict) -> dict[str, Any]:
    """Return the filter, the case number and the row behind which the page begins, as far as they are valid."""
    show = query.get("show", "all")
    show = show if show in worklist.FILTERS else "all"
    number = query.get("number", "").strip()[:20]
    return {"show": show, "number": number, "after": Place.parse(query.get("after", ""))}


def _worklist(request: HttpRequest, query: QueryDict) -> dict[str, Any]:
    wanted = _wanted(query)
    show, number = wanted["show"], wanted["number"]
    return {
        "page": worklist.page_of(request.user, **wanted),
        "show": show,
        "number": number,
        "after": query.get("after", ""),
        "filters": [
            (key, title, key == show and not number) for key, (title, _narrow) in worklist.FILTERS.items()
        ],
        "counts": worklist.counts(request.user),
    }


# --- Actions ----------------------------------------------------------------------------------------------
def visible(request: HttpRequest, pk: UUID) -> Submission:
    whose = ("case__patient__patient", "case__patient__erasure", "claimed_by")
    rows = Submission.objects.visible_to(request.user).select_related(*whose)
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
        return _worklist_says(request, claimed if now.claimed_by else str(error))
    if request.htmx:
        return _worklist_says(request, _("You have claimed %(case)s.") % {"case": submission.case})
    return redirect("web:review", pk)


def _worklist_says(request: HttpRequest, message: str) -> HttpResponse:
    """The list with the filter of the requesting page, and a message for its live region."""
    _path, _mark, query = (request.htmx.current_url_abs_path or "").partition("?")
    context = _worklist(request, QueryDict(query.partition("#")[0]))
    return render(request, "web/clinician/_worklist.html", context | {"said": message})


@require_POST
@dermatologist_required
def claim_next(request: HttpRequest) -> HttpResponse:
    """Claim and open the most urgent free submission; two callers get different ones."""
    while (found := worklist.next_for(request.user)) is not None:
        if found.claimed_by_id == request.user.pk:
            return redirect("web:review", found.pk)
        try:
            reviews.claim(found, by=request.user)
        except transitions.IllegalMoveError:
            continue
        return redirect("web:review", found.pk)
    messages.info(request, _("No unclaimed submission is waiting."))
    return redirect("web:worklist")


@submission_action
def release(request: HttpRequest, submission: Submission) -> HttpResponse:
    reviews.release(submission, by=request.user)
    messages.success(request, _("%(case)s is back on the worklist.") % {"case": submission.case})
    return redirect("web:worklist")


@submission_action
def keep_claim(request: HttpRequest, submission: Submission) -> HttpResponse:
    """Keep the claim of an open page alive; return a warning once the claim is lost."""
    kept = reviews.keep_claim(submission, by=request.user)
    if kept:
        return HttpResponse(status=204)
    submission.refresh_from_db()
    return render(request, "web/clinician/_claim_lost.html", {"submission": submission})


@submission_action
def request_photos(request: HttpRequest, submission: Submission) -> HttpResponse:
    form = PhotosWantedForm(request.POST)
    if not form.is_valid():
        return show_review(request, submission, photos_form=form, status=422)
    reviews.request_photos(submission, by=request.user, reason=form.cleaned_data["reason"])
    messages.success(
        request, _("The patient of %(case)s was asked for another photo.") % {"case": submission.case}
    )
    return _to_next(request, submission)


@submission_action
def answer(request: HttpRequest, submission: Submission) -> HttpResponse:
    """Insert a draft text, show a preview, or sign: one form, three buttons."""
    amending = submission.status in WITH_ANSWER
    if not amending and not is_mine(request, submission):
        raise transitions.IllegalMoveError(_("Only the dermatologist who claimed it can answer."))
    form = AnswerForm(request.POST, submission=submission, amending=amending)
    if not amending and request.POST.get("impression") in Impression.values:
        ai_opinion.choose(submission, by=request.user, impression=request.POST["impression"])
    if "insert" in request.POST:
        return show_review(request, submission, form=form.with_reply(request.POST["insert"]))
    if not form.is_valid():
        return show_review(request, submission, form=form, status=422)
    if "preview" in request.POST:
        return show_review(request, submission, form=form, preview=form.as_review(request.user))
    try:
        (reviews.amend if amending else reviews.sign)(submission, by=request.user, **form.answer())
    except ValidationError as error:
        form.add_error(None, error)
        return show_review(request, submission, form=form, status=422)
    except transitions.UrgencyRoseError as error:
        form.add_error("reason", str(error))
        return show_review(request, submission, form=form, status=409)
    except transitions.AlreadyAmendedError as error:
        return show_review(request, submission, form=form.on_top_of(error), status=409)
    messages.success(request, _("The answer to %(case)s was signed.") % {"case": submission.case})
    return _to_next(request, submission)


def _to_next(request: HttpRequest, submission: Submission) -> HttpResponse:
    """Redirect to the next submission; that page deletes the saved draft of the finished one."""
    following = worklist.next_for(request.user)
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
    context = _state(request, submission, ai_opinion.shown_verdict(submission, request.user)) | {
        "had_ai": request.GET.get("ai", submission.ai_status)
    }
    return unless_same(request, render(request, "web/clinician/_state.html", context))


def _state(request: HttpRequest, submission: Submission, verdict: Verdict) -> dict[str, Any]:
    return {
        "submission": submission,
        "verdict": verdict,
        "shape": wording.SHAPES[submission.level],
        "due": worklist.due_text(submission),
        "is_mine": is_mine(request, submission),
        "had_ai": submission.ai_status,
    }


def is_mine(request: HttpRequest, submission: Submission) -> bool:
    return submission.status == Status.IN_REVIEW and submission.claimed_by_id == request.user.pk


def show_review(
    request: HttpRequest,
    submission: Submission,
    *,
    form: AnswerForm | None = None,
    photos_form: PhotosWantedForm | None = None,
    preview: Review | None = None,
    status: int = 200,
) -> HttpResponse:
    earlier = _earlier(request, submission)
    prefetch_related_objects(
        [submission, *earlier],
        Prefetch("photos", Photo.objects.current(), to_attr="shown_photos"),
        Prefetch("reviews", Review.objects.select_related("author__dermatologist", "amended_by")),
    )
    photos = submission.shown_photos
    prefetch_related_objects([submission.patient], "consents")
    prefetch_related_objects(photos, "analyses__findings")
    is_open = ai_opinion.is_open(submission, request.user)
    verdict = verdict_of(submission, photos) if is_open else verdict_of(submission, photos).hidden()
    state = _state(request, submission, verdict)
    may_answer = state["is_mine"] or submission.status in WITH_ANSWER
    amending = submission.status in WITH_ANSWER
    consents = people.latest_consents(submission.patient)
    context = {
        **state,
        **photos_of(request, photos, verdict, is_open=is_open),
        **_opinion(submission, photos, verdict, is_open=is_open),
        "age": worklist.age_of(submission.patient),
        "flags": readings.flags_of(ai_opinion.shown_flags(submission, request.user)),
        "answers": readings.red_flag_answers(submission),
        "history": readings.history_of(submission),
        "earlier": earlier,
        "events": submission.events.select_related("actor"),
        "withdrawn": [one for one in consents if one.withdrawn_at and one.purpose != Purpose.TRAINING],
        "reviews": submission.reviews.all(),
        "may_answer": may_answer,
        "amending": amending,
        "form": (form or _new_form(request, submission)) if may_answer else None,
        "is_draft_reply": replies.is_draft(),
        "preview": preview,
        "photos_form": photos_form or PhotosWantedForm(),
        "may_ask_photos": submission.urgency < Urgency.SAME_DAY,
    }
    return render(request, "web/clinician/review.html", context, status=status)


def _new_form(request: HttpRequest, submission: Submission) -> AnswerForm:
    if submission.status in WITH_ANSWER:
        return AnswerForm(submission=submission, amending=True)
    kept = ai_opinion.impression_of(submission, request.user)
    return AnswerForm(submission=submission, amending=False, impression=kept or "")


def _opinion(
    submission: Submission, photos: list[Photo], verdict: Verdict, *, is_open: bool
) -> dict[str, Any]:
    """What the panel of the AI's opinion needs; it is covered where there is, or soon will be, something to cover."""
    seen = verdict.kind in {VerdictKind.HIDDEN, VerdictKind.WAITING} or any(
        photo.analysis for photo in photos
    )
    may_open = settings.AI_OPINION != ai_opinion.Opening.BLIND and submission.is_open
    return {"is_covered": not is_open and seen, "may_open": may_open}


def photos_of(
    request: HttpRequest, photos: list[Photo], verdict: Verdict, *, is_open: bool
) -> dict[str, Any]:
    """The chosen photo (`?photo=`, else the first), the strip, and the neighbours for the keys [ and ]."""
    wanted = request.POST.get("photo") or request.GET.get("photo")
    photos = sorted(photos, key=lambda photo: photo.state == PhotoState.UNUSABLE)
    chosen = next((photo for photo in photos if str(photo.pk) == wanted), None)
    chosen = chosen or next((photo for photo in photos if photo.was_prepared), photos[0] if photos else None)
    at = photos.index(chosen) if chosen else 0
    return {
        "photos": photos,
        "reading": readings.Reading(chosen, verdict, is_open=is_open) if chosen else None,
        "previous": photos[at - 1] if at else None,
        "next": photos[at + 1] if at + 1 < len(photos) else None,
    }


def _earlier(request: HttpRequest, submission: Submission) -> list[Submission]:
    seen = Submission.objects.visible_to(request.user).filter(case=submission.case).exclude(pk=submission.pk)
    return list(seen.order_by("-submitted_at"))
