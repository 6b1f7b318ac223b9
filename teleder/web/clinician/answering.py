"""The answer form: preview, draft texts, signing, and the unsigned text that is kept on the server."""

from __future__ import annotations

from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django_htmx.http import HttpResponseClientRedirect, reselect, reswap, retarget

from teleder.cases import ai_opinion, answer_drafts, reviews, transitions
from teleder.cases.models import AnswerDraft, HeldAnswer, Impression, Submission
from teleder.cases.originals import RefusedError
from teleder.cases.transitions import WITH_ANSWER
from teleder.web.clinician.as_patient import as_patient
from teleder.web.clinician.forms import AnswerForm
from teleder.web.clinician.views import (
    claim_lost,
    is_mine,
    refusal,
    show_review,
    submission_action,
    to_next,
    visible,
)


@submission_action
def answer(request: HttpRequest, submission: Submission) -> HttpResponse:
    """Insert a text, show a preview, or sign: one form. What cannot be signed is kept as a draft."""
    try:
        return _answer(request, submission)
    except (transitions.IllegalMoveError, RefusedError) as error:
        _keep(request, submission)
        return _not_possible(request, submission, error)


def _answer(request: HttpRequest, submission: Submission) -> HttpResponse:
    amending = submission.status in WITH_ANSWER
    if not amending and not is_mine(request, submission):
        raise transitions.IllegalMoveError(_("Only the dermatologist who claimed it can answer."))
    form = AnswerForm(request.POST, submission=submission, amending=amending)
    if not amending and request.POST.get("impression") in Impression.values:
        ai_opinion.choose(submission, by=request.user, impression=request.POST["impression"])
    if "insert" in request.POST:
        return show_review(request, submission, form=form.with_reply(request.POST["insert"]))
    if "insert_over" in request.POST:
        return show_review(request, submission, form=form.with_reply(request.POST["insert_over"], over=True))
    if "own_texts" in request.POST:
        texts = list(request.user.snippets.all())
        return show_review(request, submission, form=form.with_choice_of(texts))
    if "own_text" in request.POST:
        found = get_object_or_404(request.user.snippets, pk=_id(request.POST["own_text"]))
        return show_review(request, submission, form=form.with_own_text(found.text))
    if "use_draft" in request.POST:
        return show_review(request, submission, form=form.with_draft(_draft_named(request, submission)))
    if "start_again" in request.POST and amending:
        return show_review(request, submission, form=form.from_answer_in_force())
    if not form.is_valid():
        return show_review(request, submission, form=form, status=422)
    if "preview" in request.POST:
        return show_review(request, submission, form=form, preview=as_patient(form.as_review(request.user)))
    try:
        if amending:
            signed = reviews.amend(submission, by=request.user, **form.answer())
        else:
            signed = reviews.sign(submission, by=request.user, **form.answer(), photos=_photos_seen(request))
    except ValidationError as error:
        form.add_error(None, error)
        return show_review(request, submission, form=form, status=422)
    except transitions.UrgencyRoseError as error:
        form.add_error("reason", str(error))
        return show_review(request, submission, form=form, status=409)
    except transitions.NewPhotosError as error:
        form.add_error(None, str(error))
        return show_review(request, visible(request, submission.pk), form=form, status=409)
    except transitions.AlreadyAmendedError as error:
        return show_review(request, submission, form=form.on_top_of(error), status=409)
    words = _("The answer to %(case)s was signed.")
    if isinstance(signed, HeldAnswer):
        words = _(
            "The answer to %(case)s was signed. It is sent in %(n)d seconds; until then you can undo it."
        )
    messages.success(request, words % {"case": submission.case, "n": settings.HOLD_SECONDS})
    if amending:  # a correction is made beside the work: it claims nothing
        following = redirect(f"{reverse('web:review', args=[submission.pk])}?done={submission.pk}")
    else:
        following = to_next(request, submission)
    return HttpResponseClientRedirect(following.url) if request.htmx else following


def _photos_seen(request: HttpRequest) -> int | None:
    """Return how many photos the page showed; a page of the version before does not say."""
    given = request.POST.get("photos", "")
    return int(given) if given.isdecimal() else None


def _draft_named(request: HttpRequest, submission: Submission) -> AnswerDraft:
    return get_object_or_404(submission.answer_drafts, pk=_id(request.POST["use_draft"]))


def _id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        return UUID(int=0)


def _not_possible(request: HttpRequest, submission: Submission, error: Exception) -> HttpResponse:
    """Say so in the open page, whose form stays as it is; without htmx on a page of its own, with the typed text."""
    if not request.htmx:
        status = 422 if isinstance(error, RefusedError) else 409
        return refusal(request, submission, getattr(error, "message", str(error)), status=status)
    submission = get_object_or_404(Submission.objects.select_related("claimed_by"), pk=submission.pk)
    context = {"submission": submission, "message": getattr(error, "message", str(error))}
    response = render(request, "web/clinician/_claim_lost.html", context, status=409)
    return reswap(retarget(reselect(response, "#lost"), "#claim-lost"), "innerHTML")


@submission_action
def keep_draft(request: HttpRequest, submission: Submission) -> HttpResponse:
    """Keep what is typed, and say when; 409 with the reason where the case is no longer held by its author."""
    draft = _keep(request, submission)
    if submission.is_open and not is_mine(request, submission):
        return claim_lost(request, submission, status=409)
    return render(request, "web/clinician/_draft_saved.html", {"draft": draft})


def _keep(request: HttpRequest, submission: Submission) -> AnswerDraft | None:
    try:
        return answer_drafts.keep(submission, by=request.user, typed=request.POST.dict())
    except ValidationError as error:
        raise RefusedError("too_long", error.message_dict["text"][0]) from error
