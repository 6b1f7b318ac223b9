"""What a dermatologist does with a case beside answering it: withdraw a request for photos, hand over, ask a colleague."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods

from teleder.accounts import licences
from teleder.accounts.models import User
from teleder.accounts.text import TextFormField
from teleder.cases import colleagues, pausing
from teleder.cases.models import Submission
from teleder.cases.models.colleague import COLLEAGUE_NOTE_LENGTH
from teleder.cases.originals import RefusedError
from teleder.cases.transitions import IllegalMoveError
from teleder.web.clinician.due_times import time_left
from teleder.web.clinician.views import is_mine, refusal, submission_action, to_next, visible
from teleder.web.roles import dermatologist_required


@submission_action
def withdraw_photo_request(request: HttpRequest, submission: Submission) -> HttpResponse:
    pausing.withdraw_request(submission, by=request.user)
    messages.success(
        request,
        _("The patient is no longer asked for a photo. You have claimed the case; its clock goes on."),
    )
    return redirect("web:review", submission.pk)


class ColleagueForm(forms.Form):
    """A colleague of the case's clinic, and a note to them."""

    to = forms.ModelChoiceField(User.objects.none(), widget=forms.RadioSelect)
    text = TextFormField(max_length=COLLEAGUE_NOTE_LENGTH, required=False)

    def __init__(self, *args: Any, people: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.fields["to"].queryset = people


class OpinionForm(ColleagueForm):
    text = TextFormField(label=gettext_lazy("What you would like to know"), max_length=COLLEAGUE_NOTE_LENGTH)


@require_http_methods(["GET", "HEAD", "POST"])
@dermatologist_required
def hand_case_over(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Choose a colleague and write a note, on a page of its own that the case shows as a dialog."""
    return _to_colleague(request, pk, ColleagueForm, "hand_over")


@require_http_methods(["GET", "HEAD", "POST"])
@dermatologist_required
def ask_opinion(request: HttpRequest, pk: UUID) -> HttpResponse:
    return _to_colleague(request, pk, OpinionForm, "ask_opinion")


def _to_colleague(request: HttpRequest, pk: UUID, kind: type[ColleagueForm], verb: str) -> HttpResponse:
    submission = visible(request, pk)
    people = colleagues.whom_to_ask(submission, request.user)
    if verb == "hand_over":  # who takes the case is to sign it
        people = people.filter(licences.may_sign())
    form = kind(request.POST if request.method == "POST" else None, people=people)
    try:
        if not is_mine(request, submission):
            raise IllegalMoveError(_("Only the dermatologist who claimed it can do this."))
        if form.is_valid():
            return _done(request, submission, form, verb)
    except ValidationError as error:
        form.add_error("text", [text for found in error.message_dict.values() for text in found])
    except IllegalMoveError as error:
        return refusal(request, submission, str(error), status=409)
    except RefusedError as error:
        form.add_error("to", error.message)
    context = {
        "submission": submission,
        "form": form,
        "people": list(people),
        "chosen": str(form["to"].value() or ""),
        "time": time_left(submission),
        "verb": verb,
        "draft": submission.answer_drafts.filter(author=request.user).first(),
    }
    status = 422 if form.is_bound else 200
    return render(request, "web/clinician/colleague.html", context, status=status)


def _done(request: HttpRequest, submission: Submission, form: ColleagueForm, verb: str) -> HttpResponse:
    to, text = form.cleaned_data["to"], form.cleaned_data["text"]
    names = {"case": submission.case, "name": to}
    if verb == "hand_over":
        colleagues.hand_case_over(submission, to=to, by=request.user, text=text)
        messages.success(request, _("%(case)s was handed over to %(name)s.") % names)
        return to_next(request, submission)
    colleagues.ask_opinion(submission, to=to, by=request.user, question=text)
    messages.success(request, _("%(name)s was asked for an opinion. You go on holding %(case)s.") % names)
    return redirect("web:review", submission.pk)


@submission_action
def give_opinion(request: HttpRequest, submission: Submission) -> HttpResponse:
    """Answer a colleague's question about a case that they hold."""
    rows = submission.second_opinions.filter(colleague=request.user)
    asked = get_object_or_404(rows, pk=_id(request.POST.get("opinion", "")))
    text, impression = request.POST.get("text", ""), request.POST.get("impression", "")
    try:
        colleagues.give_opinion(asked, by=request.user, opinion=text, impression=impression)
    except ValidationError as error:
        context = {"submission": submission, "asked": asked, "text": text, "impression": impression}
        context["errors"] = [words for found in error.message_dict.values() for words in found]
        return render(request, "web/clinician/opinion.html", context, status=422)
    messages.success(request, _("%(name)s has your opinion.") % {"name": asked.asked_by})
    return redirect("web:review", submission.pk)


def _id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        return UUID(int=0)
