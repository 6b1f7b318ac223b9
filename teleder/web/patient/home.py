"""The first page, and the one after signing up."""

from __future__ import annotations

from datetime import timedelta
from math import ceil
from typing import Any

from django.conf import settings
from django.core.cache import caches
from django.db import transaction
from django.db.models import Prefetch, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_safe

from teleder.accounts.clinic_texts import TextKind
from teleder.accounts.consent_texts import consent_text
from teleder.accounts.dates import zone_name
from teleder.accounts.models import Clinic, PatientProfile, Purpose, Role, User
from teleder.accounts.people import give_consent
from teleder.cases import triage
from teleder.cases.models import EventKind, Photo, Status, Submission
from teleder.cases.plan import waiting_for_photos
from teleder.cases.reply_times import ReplyTime, usual_reply_time
from teleder.cases.transitions import AWAITING_DERMATOLOGIST, IN_PROGRESS, WITH_ANSWER
from teleder.cases.triage import Urgency
from teleder.notifications.models import Message
from teleder.web.clinic_texts import in_force
from teleder.web.conditional import unless_same
from teleder.web.patient.common import NAME_ASKED, UNPROCESSABLE, choices_of_consent, is_child
from teleder.web.patient.forms import ConsentForm, ProfileForm
from teleder.web.patient.submission import progress
from teleder.web.roles import patient_required

EARLIER_SHOWN = 20
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
EMERGENCY_SHOWN = timedelta(days=7)
ANSWERED = (EventKind.SIGNED, EventKind.AMENDED)


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """Show a visitor what this is, a patient their submissions; lead staff to their own first page."""
    if not request.user.is_authenticated:
        return render(request, "web/patient/landing.html", _for_visitors())
    if request.user.role == Role.DERMATOLOGIST:
        return redirect("web:worklist")
    if request.user.role == Role.ADMIN:
        return redirect("web:operations")
    consents = choices_of_consent(request.user, by=request.user)
    has_agreed = any(one["purpose"] == Purpose.CARE and (one["given"] or one["earlier"]) for one in consents)
    if not (hasattr(request.user, "patient") and has_agreed):
        return redirect("web:guardian_needed" if is_child(request.user) else "web:welcome")
    if not request.user.name and NAME_ASKED not in request.session:
        return redirect("web:name")
    more = {"today": timezone.localtime(), "asks_again": any(one["earlier"] for one in consents)}
    return render(request, "web/patient/home.html", _state_of(request) | more)


@patient_required
@require_safe
def in_progress(request: HttpRequest) -> HttpResponse:
    """The part of home that changes, for polling: what is in progress, and what was answered."""
    return unless_same(request, render(request, "web/patient/_home.html", _state_of(request)))


def _mine(request: HttpRequest) -> QuerySet[Submission]:
    shown = Photo.objects.current()
    mine = Submission.objects.visible_to(request.user).select_related("case__patient")
    return mine.prefetch_related(Prefetch("photos", shown, "shown_photos"))


def _state_of(request: HttpRequest) -> dict[str, Any]:
    found = list(_mine(request).filter(status__in=IN_PROGRESS))
    answered = list(_mine(request).filter(status__in=WITH_ANSWER)[:EARLIER_SHOWN])
    messages = Message.objects.inbox_of(request.user).unread().filter(event__kind__in=ANSWERED)
    unread = {
        each.event.submission_id: each for each in messages.select_related("event__actor__dermatologist")
    }
    photo_days = dict(
        waiting_for_photos()
        .filter(submission__in=[each.pk for each in answered])
        .values_list("submission_id", "next_photo_on")
    )
    rows = [
        _row(
            each,
            steps=progress(each),
            moved_up=each.moved_up_at() is not None,
            advice=_advice_of_sent(each),
        )
        for each in found
    ]
    return {
        "emergencies": [each for each in found if is_emergency(each)],
        "unread": [_row(each, doctor=unread[each.pk].event.actor) for each in answered if each.pk in unread],
        "open": rows,
        "earlier": [
            _row(each, next_photo_on=photo_days.get(each.pk)) for each in answered if each.pk not in unread
        ],
        "warning": triage.warning_signs(answered=False),
        "any_moved_up": any(row["moved_up"] for row in rows),
        "polling": any(each.status in AWAITING_DERMATOLOGIST for each in found),
    }


def _for_visitors() -> dict[str, Any]:
    """Who answers and when. Several clinics on one server name neither themselves nor their doctors here."""
    levels, clinics = triage.policy().data["levels"], list(Clinic.objects.all()[:2])
    doctors = User.objects.filter(role=Role.DERMATOLOGIST, is_active=True, clinic__in=clinics)
    signing = doctors.exclude(dermatologist__licence_number="").filter(dermatologist__isnull=False)
    one = len(clinics) == 1
    usual = _usual_reply_time(clinics[0]) if one else None
    return {
        "cost": in_force(clinics[0], TextKind.COST),
        "usual": usual,
        "usual_hours": ceil(usual.time / HOUR) if usual and usual.time <= DAY else None,
        "usual_days": ceil(usual.time / DAY) if usual else None,
        "clinic": clinics[0] if one else None,
        "dermatologists": list(signing.select_related("dermatologist").order_by("name")) if one else [],
        "days": levels[Urgency.ROUTINE.code]["answer_working_days"],
        "hours": levels[Urgency.SAME_DAY.code]["answer_minutes"] // 60,
        "staffed": settings.STAFFED_HOURS,
        "zone": zone_name(timezone.localtime(timezone=timezone.get_default_timezone())),
        "receipt": triage.policy().advice("receipt"),
    }


def _usual_reply_time(clinic: Clinic) -> ReplyTime | None:
    """Count at most every ten minutes: this page is open to everybody."""
    return caches["process"].get_or_set(f"usual-reply-{clinic.pk}", lambda: usual_reply_time(clinic), 600)


def is_emergency(submission: Submission) -> bool:
    """Whether home still says "call 119": until the answer or the withdrawal, for a week at most."""
    is_recent = submission.created_at > timezone.now() - EMERGENCY_SHOWN
    return submission.rule_urgency == Urgency.EMERGENCY and is_recent


def _advice_of_sent(submission: Submission) -> dict[str, str] | None:
    """Return what the card of a sent case says to do until the answer. An emergency has its alarm, a draft its own line."""
    is_sent = submission.status != Status.DRAFT
    says = submission.rule_urgency in (Urgency.SAME_DAY, Urgency.DAYS_2)
    return triage.advice_for(submission) if is_sent and says else None


def _row(submission: Submission, **more: Any) -> dict[str, Any]:
    photos = submission.shown_photos
    thumbnail = next((photo for photo in photos if photo.thumbnail_key), None)
    return {"submission": submission, "thumbnail": thumbnail, "photos": len(photos)} | more


@require_safe
def emergency(request: HttpRequest) -> HttpResponse:
    """When not to wait, and whom to call: for everybody, on every page one tap away."""
    return render(request, "web/patient/emergency.html", {"receipt": triage.policy().advice("receipt")})


@patient_required
@require_http_methods(["GET", "HEAD", "POST"])
def welcome(request: HttpRequest) -> HttpResponse:
    """After signing up: year of birth, skin type and the consents. A child who goes back gives no other year here."""
    if is_child(request.user):
        return redirect("web:guardian_needed")
    profile = getattr(request.user, "patient", None) or PatientProfile(user=request.user)
    data = request.POST or None
    form, consents = ProfileForm(data, instance=profile), ConsentForm(data)
    if request.method == "POST" and form.is_valid() and is_child(form.instance.user):
        form.save()
        return redirect("web:guardian_needed")
    if request.method == "POST" and form.is_valid() and consents.is_valid():
        with transaction.atomic():
            form.save()
            for purpose in consents.purposes():
                give_consent(request.user, purpose)
        return redirect("web:home")
    texts = {purpose.value: consent_text(purpose) for purpose in Purpose}
    context = {"form": form, "consents": consents, "texts": texts}
    return render(request, "web/patient/welcome.html", context, status=UNPROCESSABLE if data else 200)
