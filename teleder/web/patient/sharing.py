"""Share links: the patient makes, lists and ends them; whoever has one reads the answer without an account."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.conf import settings
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from contract import logs
from teleder.accounts.time_zones import zone_of
from teleder.audit import entries
from teleder.audit.models import Verb
from teleder.cases import files, sharing, triage
from teleder.cases.models import Photo, ShareLink
from teleder.cases.originals import RefusedError
from teleder.cases.transitions import WITH_ANSWER, IllegalMoveError
from teleder.security import rate_limits
from teleder.web.patient.common import UNPROCESSABLE, own_submission
from teleder.web.roles import patient_required

# The address is the key: no search engine may list it, and no other site may learn it.
HEADERS = {"Referrer-Policy": "no-referrer", "X-Robots-Tag": "noindex, nofollow, noarchive"}


@patient_required
@require_http_methods(["GET", "HEAD", "POST"])
def share(request: HttpRequest, pk: UUID) -> HttpResponse:
    """The links to an answer, and a form for a new one. Its address is shown once: only its hash is kept."""
    found = own_submission(request, pk)
    if found.status not in WITH_ANSWER:
        return redirect(found)
    errors, address = [], ""
    if request.method == "POST":
        days = request.POST.get("days", "")
        wish = {"days": int(days) if days.isdecimal() else 0, "with_photos": "photos" in request.POST}
        try:
            _link, token = sharing.share(found, **wish)
        except ValidationError as error:
            errors = error.message_dict["days"]
        except (RefusedError, IllegalMoveError) as error:
            errors = [getattr(error, "message", None) or str(error)]
        else:
            address = settings.PUBLIC_URL + reverse("web:shared", args=[token])
    context = {
        "submission": found,
        "links": found.share_links.all(),
        "days": sharing.DAYS,
        "errors": errors,
        "address": address,
    }
    return render(request, "web/patient/share.html", context, status=UNPROCESSABLE if errors else 200)


@patient_required
@require_POST
def unshare(request: HttpRequest, pk: UUID) -> HttpResponse:
    """End one link."""
    found = own_submission(request, pk)
    try:
        link = get_object_or_404(found.share_links, pk=UUID(request.POST.get("link", "")))
    except ValueError as error:
        raise Http404 from error
    sharing.revoke(link)
    return redirect("web:share", pk)


# --- For whoever has the link -----------------------------------------------------------------------------
def _opened(request: HttpRequest, token: str) -> ShareLink | None:
    """Return the link, `None` where it has ended; raises `Http404` for one that never was, and `RateLimitedError`."""
    rate_limits.spend_of_address(rate_limits.SHARED, request)
    link = sharing.by_token(token)
    if link is None:
        raise Http404
    works = link.works and link.submission.status in WITH_ANSWER and link.submission.patient.is_active
    return link if works else None


@require_safe
@never_cache
def shared(request: HttpRequest, token: str) -> HttpResponse:
    """The answer, and the photos if their patient wanted that. 410 after its end."""
    link = _opened(request, token)
    if link is None:
        return _page(request, "web/patient/shared_ended.html", {}, status=410)
    submission = link.submission
    sharing.note_opened(link)
    entries.write_entry(
        Verb.READ,
        "web:shared",
        kind="sharelink",
        pk=link.pk,
        cases=[submission.case_id],
        trace=logs.current("trace"),
        status=200,
        role=entries.LINK,
    )
    context = {
        "s": submission,
        "link": link,
        "token": token,
        "review": submission.answer(),
        "warning": triage.warning_signs(answered=True),
        "photos": _photos(link).exclude(display_key=""),
    }
    with timezone.override(zone_of(submission.patient.reader)):
        return _page(request, "web/patient/shared.html", context)


@require_safe
def shared_photo(request: HttpRequest, token: str, photo: UUID) -> HttpResponseBase:
    link = _opened(request, token)
    if link is None or not link.with_photos:
        raise Http404
    response = files.serve(request, photo, files.FileKind.DISPLAY, shared=_photos(link))
    entries.write_entry(
        Verb.READ,
        "web:shared_photo",
        kind="photo",
        pk=photo,
        cases=[link.submission.case_id],
        trace=logs.current("trace"),
        status=response.status_code,
        role=entries.LINK,
    )
    return _hidden(response)


def _hidden(response: HttpResponseBase) -> HttpResponseBase:
    for name, value in HEADERS.items():
        response[name] = value
    return response


def _photos(link: ShareLink) -> Any:
    return link.submission.current_photos() if link.with_photos else Photo.objects.none()


def _page(request: HttpRequest, template: str, context: dict[str, Any], status: int = 200) -> HttpResponse:
    """The page looks the same to everybody: the menu of a reader who is logged in here does not belong to it."""
    response = render(request, template, context | {"nav": []}, status=status)
    return _hidden(response)
