"""What patients see. AI output never comes here: pages read the signed review and nothing of the analysis."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from contract.photos import ACCEPT
from teleder.accounts.models import PatientProfile, Purpose, Role
from teleder.accounts.people import consent_text, give_consent
from teleder.cases import intake, questionnaire, triage
from teleder.cases.models import (
    PHOTOS_PER_SUBMISSION,
    AIStatus,
    Case,
    Photo,
    PhotoState,
    PhotoView,
    Status,
    Submission,
)
from teleder.cases.originals import Refused
from teleder.cases.remedies import remedy_for, remedy_for_wish
from teleder.cases.transitions import IllegalMoveError
from teleder.cases.triage import Urgency
from teleder.notifications.models import Message, Preference
from teleder.security import rate_limits
from teleder.security.rate_limits import TooMany
from teleder.web.conditional import unless_same
from teleder.web.patient.forms import ConsentForm, NoticeForm, PersonForm, ProfileForm
from teleder.web.roles import patient_required

UNPROCESSABLE = 422  # the form comes back with what is wrong
PLAIN = "text/plain; charset=utf-8"


# --- Coming in --------------------------------------------------------------------------------------------
@require_safe
def landing(request: HttpRequest) -> HttpResponse:
    """Everybody's first page."""
    if not request.user.is_authenticated:
        return render(request, "web/patient/landing.html", {"receipt": triage.policy().advice("receipt")})
    if request.user.role == Role.DERMATOLOGIST:
        return redirect("web:worklist")
    if request.user.role == Role.ADMIN:
        return redirect("web:operations")
    return home(request)


def home(request: HttpRequest) -> HttpResponse:
    if not _is_welcome(request.user):
        return redirect("web:welcome")
    mine = Submission.objects.visible_to(request.user).select_related("case")
    going_on = [Status.DRAFT, Status.SUBMITTED, Status.IN_REVIEW, Status.NEEDS_PHOTOS]
    context = {
        "going_on": [
            {"submission": each, "steps": steps_of(each)} for each in mine.filter(status__in=going_on)
        ],
        "earlier": mine.filter(status__in=[Status.ANSWERED, Status.CLOSED])[:20],
    }
    return render(request, "web/patient/home.html", context)


def _is_welcome(user: Any) -> bool:
    return hasattr(user, "patient") and user.consents.given().filter(purpose=Purpose.CARE).exists()


@patient_required
@require_http_methods(["GET", "HEAD", "POST"])
def welcome(request: HttpRequest) -> HttpResponse:
    """After signing up: year of birth, language, and the consents."""
    profile = getattr(request.user, "patient", None) or PatientProfile(user=request.user)
    data = request.POST or None
    form, consents = ProfileForm(data, instance=profile), ConsentForm(data)
    if request.method == "POST" and form.is_valid() and consents.is_valid():
        with transaction.atomic():
            form.save()
            for purpose in consents.purposes():
                give_consent(request.user, purpose)
        return redirect("web:home")
    texts = {purpose.value: consent_text(purpose) for purpose in Purpose}
    context = {"form": form, "consents": consents, "texts": texts}
    return render(request, "web/patient/welcome.html", context, status=UNPROCESSABLE if data else 200)


# --- A new submission -------------------------------------------------------------------------------------
@patient_required
@require_http_methods(["GET", "HEAD", "POST"])
def new(request: HttpRequest, pk: UUID | None = None) -> HttpResponse:
    """Step 1: the red-flag questions. What they mean is in the answer to this very request."""
    if not _is_welcome(request.user):
        return redirect("web:welcome")
    case = get_object_or_404(Case.objects.visible_to(request.user), pk=pk) if pk else None
    if request.method != "POST":
        return _ask(request, case)
    ids = {question.id for question in questionnaire.red_flag_questions(triage.policy())}
    answers = {key: value for key, value in request.POST.items() if key in ids}
    rate_limits.spend(rate_limits.SUBMISSIONS, request.user)
    try:
        started = intake.start(
            patient=request.user, answers=answers, case=case, key=request.POST.get("key", "")[:100]
        )
    except ValidationError as error:
        return _ask(request, case, answers, error.message_dict)
    except Refused as refusal:
        messages.error(request, refusal.message)
        return redirect("web:new")
    if started.level < Urgency.SAME_DAY:
        return redirect("web:about", pk=started.pk)
    return _advise(request, started)


@patient_required
@require_safe
def advice(request: HttpRequest, pk: UUID) -> HttpResponse:
    """The advice once more: after a change of language, or by the link that stays above the next steps."""
    found = _mine(request, pk)
    return _advise(request, found) if _urgent_advice(found) else redirect(found)


def _advise(request: HttpRequest, found: Submission) -> HttpResponse:
    context = {
        "submission": found,
        "advice": _urgent_advice(found),
        "here": reverse("web:advice", args=[found.pk]),
    }
    return render(request, "web/patient/advice.html", context)


def _urgent_advice(found: Submission) -> dict[str, str] | None:
    """Return the approved text for answers that mean "today"; by the rules alone, never by the AI."""
    level = Urgency(found.rule_urgency)
    return triage.policy(found.policy).advice_for(level) if level >= Urgency.SAME_DAY else None


def _ask(
    request: HttpRequest, case: Case | None, answers: dict | None = None, errors: dict | None = None
) -> HttpResponse:
    answers, errors = answers or {}, errors or {}
    rows = [
        {"question": question, "answer": answers.get(question.id), "errors": errors.get(question.id, [])}
        for question in questionnaire.red_flag_questions(triage.policy())
    ]
    context = {"rows": rows, "case": case, "errors": errors, "key": request.POST.get("key") or uuid4()}
    return render(request, "web/patient/questions.html", context, status=UNPROCESSABLE if errors else 200)


@patient_required
@require_http_methods(["GET", "HEAD", "POST"])
def about(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Step 2: where it is, and its history."""
    draft = _mine(request, pk)
    errors: dict[str, Any] = {}
    history = draft.history
    if request.method == "POST":
        history = _history_from(request)
        try:
            intake.describe(draft, body_site=request.POST.get("body_site", ""), history=history)
            return redirect("web:photos", pk=pk)
        except ValidationError as error:
            errors = error.message_dict
        except Refused as refusal:
            errors = {"body_site": [refusal.message]}
        except IllegalMoveError:
            return redirect(draft)
    settled = intake.settled_body_site(draft)
    context = {
        "submission": draft,
        "urgent": _urgent_advice(draft),
        "site": request.POST.get("body_site", draft.case.body_site),
        "sites": [choice for choice in questionnaire.BodySite.choices if choice[0] == (settled or choice[0])],
        "durations": questionnaire.Duration.choices,
        "symptoms": questionnaire.Symptom.choices,
        "scales": [(key, text, history.get(key, "")) for key, text in questionnaire.HISTORY_SCALES.items()],
        "texts": [(key, text, history.get(key, "")) for key, text in questionnaire.HISTORY_TEXTS.items()],
        "history": history,
        "errors": errors,
    }
    return render(request, "web/patient/about.html", context, status=UNPROCESSABLE if errors else 200)


def _history_from(request: HttpRequest) -> dict[str, Any]:
    single = ["duration", *questionnaire.HISTORY_SCALES, *questionnaire.HISTORY_TEXTS]
    history: dict[str, Any] = {key: request.POST.get(key, "") for key in single}
    return history | {"symptoms": request.POST.getlist("symptoms")}


@patient_required
@require_safe
def photos(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Step 3: the photos, one request each."""
    submission = _mine(request, pk)
    if submission.status not in {Status.DRAFT, Status.NEEDS_PHOTOS}:
        return redirect(submission)
    context = _tiles_of(submission) | {"slots": _slots(), "accepted_formats": ACCEPT}
    return render(request, "web/patient/photos.html", context)


def _slots() -> list[tuple[str, str, str]]:
    advice = {
        PhotoView.OVERVIEW: _("From about an arm's length: the whole area and some healthy skin around it."),
        PhotoView.CLOSE_UP: _("From about 30 cm: the worst spot, sharp, filling the picture."),
        PhotoView.OTHER: _("Another spot, or the same from the side."),
    }
    return [(view.value, view.label, advice[view]) for view in PhotoView]


def _tiles_of(submission: Submission) -> dict[str, Any]:
    found = list(submission.current_photos())
    return {
        "submission": submission,
        "urgent": _urgent_advice(submission),
        "wish": remedy_for_wish(submission.photos_wanted),
        "tiles": [{"photo": photo, "remedy": remedy_for(photo)} for photo in found],
        "checking": any(photo.state == PhotoState.STORED for photo in found),
        "full": sum(photo.state != PhotoState.UNUSABLE for photo in found) >= PHOTOS_PER_SUBMISSION,
        "can_go_on": any(photo.state != PhotoState.UNUSABLE for photo in found),
    }


@patient_required
@require_safe
def tiles(request: HttpRequest, pk: UUID) -> HttpResponse:
    """The photos alone, for polling."""
    return unless_same(request, render(request, "web/patient/_tiles.html", _tiles_of(_mine(request, pk))))


@patient_required
@require_POST
def add_photo(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Take one photo. A script gets the new tiles or a sentence; a plain form is led back to the page."""
    submission = _mine(request, pk)
    by_script = "X-Photo-Script" in request.headers
    try:
        rate_limits.spend(rate_limits.UPLOADS, request.user)
        problem = _add_photo(request, submission)
    except TooMany as refusal:
        if not by_script:
            raise
        return HttpResponse(
            refusal.message, status=429, content_type=PLAIN, headers={"Retry-After": refusal.wait}
        )
    if not by_script:
        if problem:
            messages.error(request, problem)
        return redirect("web:photos", pk=pk)
    if problem:
        return HttpResponse(problem, status=UNPROCESSABLE, content_type=PLAIN)
    return render(request, "web/patient/_tiles.html", _tiles_of(submission), status=201)


def _add_photo(request: HttpRequest, submission: Submission) -> str:
    """Return what was wrong, in words for the patient; empty when all went well. Raises `TooMany`."""
    upload = request.FILES.get("photo")
    if upload is None:
        return _("Please choose a photo first.")
    try:
        intake.add_photo(submission, view=request.POST.get("view"), upload=upload, by=request.user)
    except Refused as refusal:
        if refusal.wait:
            raise TooMany(refusal.wait, refusal.message) from refusal
        return str(refusal.message)
    except ValidationError as error:
        return " ".join(error.messages)
    except IllegalMoveError as refusal:
        return str(refusal)
    return ""


@patient_required
@require_POST
def remove_photo(request: HttpRequest, pk: UUID) -> HttpResponse:
    photo = get_object_or_404(Photo.objects.visible_to(request.user), pk=pk)
    _try(request, lambda: intake.remove_photo(photo))
    return redirect("web:photos", pk=photo.submission_id)


@patient_required
@require_POST
def send_photo_anyway(request: HttpRequest, pk: UUID) -> HttpResponse:
    photo = get_object_or_404(Photo.objects.visible_to(request.user), pk=pk)
    intake.send_anyway(photo)
    return redirect("web:photos", pk=photo.submission_id)


@patient_required
@require_http_methods(["GET", "HEAD", "POST"])
def send(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Step 4: look it over, then send."""
    submission = _mine(request, pk)
    if submission.status not in {Status.DRAFT, Status.NEEDS_PHOTOS}:
        return redirect(submission)
    if request.method == "POST":
        anyway = "anyway" in request.POST
        if _try(request, lambda: intake.submit(submission, by=request.user, send_anyway=anyway)):
            return redirect(submission)
        return redirect("web:photos", pk=pk)
    return render(
        request, "web/patient/send.html", _tiles_of(submission) | {"answers": answers_of(submission)}
    )


def answers_of(submission: Submission) -> list[tuple[str, str]]:
    """Return what was asked and what was answered other than "no", in the active language."""
    questions = questionnaire.red_flag_questions(triage.policy(submission.policy), get_language())
    return [
        (question.text, dict(question.choices)[submission.answers[question.id]])
        for question in questions
        if submission.answers.get(question.id, "no") != "no"
    ]


# --- After sending ----------------------------------------------------------------------------------------
@patient_required
@require_safe
def submission(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Status, answer and what can be done next."""
    found = _mine(request, pk)
    if found.status == Status.DRAFT:
        return redirect("web:photos" if found.case.body_site else "web:about", pk=pk)
    others = found.case.submissions.exclude(pk=pk).exclude(status=Status.DRAFT)
    context = _state_of(found) | {"others": others, "answers": answers_of(found), **_tiles_of(found)}
    return render(request, "web/patient/submission.html", context)


@patient_required
@require_safe
def status(request: HttpRequest, pk: UUID) -> HttpResponse:
    """The part of the page that changes, for polling."""
    return unless_same(request, render(request, "web/patient/_status.html", _state_of(_mine(request, pk))))


def _state_of(found: Submission) -> dict[str, Any]:
    policy = triage.policy(found.policy)
    return {
        "submission": found,
        "steps": steps_of(found),
        "review": found.answer() if found.status in {Status.ANSWERED, Status.CLOSED} else None,
        "receipt": policy.advice("receipt"),
        "advice": policy.advice_for(Urgency(found.rule_urgency)),
        "wish": remedy_for_wish(found.photos_wanted),
    }


def steps_of(found: Submission) -> list[tuple[str, str]]:
    """Return the named steps, each with "done", "now" or "" (to come)."""
    checked = not found.current_photos().filter(state=PhotoState.STORED).exists()
    steps = [(_("Received"), found.status != Status.DRAFT), (_("Photos checked"), checked)]
    if found.ai_status not in {AIStatus.NOT_USED, AIStatus.UNAVAILABLE}:  # what did not happen is no step
        steps.append((_("AI draft"), found.ai_status != AIStatus.WAITING))
    steps.append((_("Dermatologist"), found.status in {Status.ANSWERED, Status.CLOSED}))
    now = next((number for number, (_title, is_done) in enumerate(steps) if not is_done), None)
    return [
        (title, "done" if is_done else "now" if n == now else "") for n, (title, is_done) in enumerate(steps)
    ]


@patient_required
@require_POST
def withdraw(request: HttpRequest, pk: UUID) -> HttpResponse:
    found = _mine(request, pk)
    _try(request, lambda: intake.withdraw(found, by=request.user))
    return redirect(found)


@patient_required
@require_POST
def restore(request: HttpRequest, pk: UUID) -> HttpResponse:
    found = _mine(request, pk)
    _try(request, lambda: intake.restore(found, by=request.user))
    return redirect(found)


# --- Messages and settings --------------------------------------------------------------------------------
@patient_required
@require_safe
def inbox(request: HttpRequest) -> HttpResponse:
    """All messages; looking at them is reading them."""
    mine = Message.objects.inbox_of(request.user).select_related("event__submission__case")
    response = render(request, "web/patient/inbox.html", {"rows": list(mine[:100])})
    mine.mark_read()
    return response


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def settings_page(request: HttpRequest) -> HttpResponse:
    """Name and language; for patients also the profile, notices and consents."""
    data = request.POST or None
    person = PersonForm(data, instance=request.user)
    forms: list[Any] = [person]
    context: dict[str, Any] = {"person": person}
    if request.user.is_patient:
        context |= _patients_settings(request, data)
        forms += [context["profile"], context["notices"]]
    if data and all(form.is_valid() for form in forms):
        _save_settings(request, forms)
        messages.success(request, _("Saved."))
        return redirect("web:settings")
    return render(request, "web/patient/settings.html", context, status=UNPROCESSABLE if data else 200)


def _patients_settings(request: HttpRequest, data: Any) -> dict[str, Any]:
    profile = getattr(request.user, "patient", None) or PatientProfile(user=request.user)
    wants_mail = not Preference.objects.filter(person=request.user, email=False).exists()
    given = {row.purpose: row for row in request.user.consents.given()}
    return {
        "profile": ProfileForm(data, instance=profile),
        "notices": NoticeForm(data, initial={"email": wants_mail}),
        "consents": [(p.value, p.label, given.get(p.value), consent_text(p)) for p in Purpose],
        "withdrawn": request.user.consents.exclude(withdrawn_at=None).order_by("-withdrawn_at"),
    }


@transaction.atomic
def _save_settings(request: HttpRequest, forms: list[Any]) -> None:
    for form in forms:
        if hasattr(form, "save"):
            form.save()
    if request.user.is_patient:
        wanted = forms[-1].cleaned_data["email"]
        Preference.objects.update_or_create(person=request.user, defaults={"email": wanted})


@patient_required
@require_POST
def consent(request: HttpRequest) -> HttpResponse:
    """Give or withdraw one consent."""
    if request.POST.get("purpose") in Purpose.values:
        purpose = Purpose(request.POST["purpose"])
        if request.POST.get("verb") == "give":
            give_consent(request.user, purpose)
        else:
            intake.withdraw_consent(request.user, purpose)
        messages.success(request, _("Saved."))
    return redirect("web:settings")


# --- Both -------------------------------------------------------------------------------------------------
def _mine(request: HttpRequest, pk: UUID) -> Submission:
    mine = Submission.objects.visible_to(request.user).select_related("case__patient")
    return get_object_or_404(mine, pk=pk)


def _try(request: HttpRequest, act: Any) -> bool:
    """Do it, or say on the next page why it was not done."""
    try:
        act()
    except (IllegalMoveError, Refused) as refusal:
        messages.error(request, getattr(refusal, "message", None) or str(refusal))
        return False
    return True
