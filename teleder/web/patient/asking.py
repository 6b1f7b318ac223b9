"""The thread below an answer: the patient's questions and the replies to them."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from teleder.cases import asking_back, triage
from teleder.cases.models import EventKind, PatientQuestion
from teleder.cases.originals import RefusedError
from teleder.cases.transitions import WITH_ANSWER, IllegalMoveError
from teleder.notifications.models import Message
from teleder.web.patient.common import UNPROCESSABLE, SeeOther, own_submission
from teleder.web.roles import patient_required


@patient_required
@require_http_methods(["GET", "HEAD", "POST"])
def ask_back(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Read the thread, and ask. A script stores what is being typed, so that nothing is lost."""
    found = own_submission(request, pk)
    if found.status not in WITH_ANSWER:
        return redirect(found)
    errors: list[str] = []
    if request.method == "POST":
        text = request.POST.get("text", "")
        try:
            if request.htmx:
                asking_back.keep_draft(found, text=text)
                return HttpResponse(status=204)
            asking_back.ask_back(found, by=request.user, text=text)
        except ValidationError as error:
            errors = error.message_dict["text"]
        except (RefusedError, IllegalMoveError) as error:
            errors = [getattr(error, "message", None) or str(error)]
        else:
            messages.success(request, _("Your question was sent."))
            return SeeOther(request.path)
    replies = Message.objects.inbox_of(request.user).filter(event__kind=EventKind.REPLIED)
    replies.filter(event__submission=found).mark_read()
    draft = PatientQuestion.objects.filter(submission=found, asked_at=None).first()
    left = asking_back.OPEN_AT_ONCE - found.questions.open().count()
    context = {
        "submission": found,
        "review": found.answer(),
        "questions": found.questions.asked().select_related("replied_by__dermatologist"),
        "typed": request.POST.get("text") if errors else draft.text if draft else "",
        "is_stored": bool(draft and draft.text) and not errors,
        "errors": errors,
        "due": asking_back.due_after(timezone.now()),
        "questions_left": max(left, 0),
        "at_once": asking_back.OPEN_AT_ONCE,
        "warning": triage.warning_signs(answered=False),
    }
    return render(request, "web/patient/ask_back.html", context, status=UNPROCESSABLE if errors else 200)
