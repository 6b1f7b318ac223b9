"""Every error of the API as a problem document (RFC 9457), expected or not.

`code` is for programs, `detail` for people, in their language. `errors` names fields. `trace_id` is in every log line of
the request (web/request_log.py). No problem quotes the URL or the text of an exception.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

from django.conf import settings
from django.core.exceptions import DisallowedHost, PermissionDenied, SuspiciousOperation
from django.core.exceptions import ValidationError as DjangoValidationError
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.template import loader
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from rest_framework import exceptions
from rest_framework.fields import get_error_detail
from rest_framework.response import Response

from contract import logs
from contract.messages import Reason
from contract.storage import StorageFullError, StorageUnavailableError
from teleder.cases.originals import RefusedError
from teleder.cases.transitions import AlreadyAmendedError, IllegalMoveError, UrgencyRoseError
from teleder.security.rate_limits import RateLimitedError

log = logging.getLogger(__name__)

DATABASE_AWAY = (OperationalError, InterfaceError)
STORAGE_AWAY = (StorageUnavailableError, StorageFullError)
MEDIA_TYPE = "application/problem+json"
AGAIN_SECONDS = 5  # a lock is held, or a part is away for a moment
# Statuses of refusals by their code; any other refusal is 422.
REFUSALS = {
    Reason.FILE_TOO_LARGE: 413,
    Reason.UNSUPPORTED_FORMAT: 415,
    "answers_missing": 409,
    "body_site_missing": 409,
    "claimed_by_another": 409,
    "consent_missing": 403,
    "daily_limit": 429,
    "photo_missing": 409,
    "photo_reason_missing": 409,
    "poor_photo": 409,
    "same_day": 409,
    "storage_full": 507,
    "storage_unavailable": 503,
    "too_long": 409,
    "too_many_links": 409,
    "too_many_photos": 409,
    "too_many_questions": 409,
}
# Replace texts of the framework that quote the request or an exception.
REPLACED_TEXTS = {
    "parse_error": gettext_lazy("This request cannot be read."),
    "method_not_allowed": gettext_lazy("This method is not allowed here."),
    "unsupported_media_type": gettext_lazy("This content type is not supported here."),
    "not_acceptable": gettext_lazy("No response of the requested type is available."),
    "permission_denied": gettext_lazy("You may not do this."),
}


def handle(error: Exception, context: dict[str, Any]) -> Response | None:
    """Return the response to a view's exception; `None` leaves it to `server_error`, which reveals nothing."""
    found = _problem_of(error)
    if found is None:
        return None
    headers = {}
    if value := getattr(error, "auth_header", None):
        headers["WWW-Authenticate"] = value
    if value := getattr(error, "wait", None):
        headers["Retry-After"] = str(int(value))
    headers |= _again(found["status"])
    return Response(found, status=found["status"], headers=headers, content_type=MEDIA_TYPE)


def _problem_of(error: Exception) -> dict[str, Any] | None:
    if isinstance(error, AlreadyAmendedError):
        return problem(409, "already_amended", str(error), review=str(error.newer.pk))
    if isinstance(error, UrgencyRoseError):
        return problem(409, "urgency_rose", str(error), urgency=error.urgency.code)
    if isinstance(error, IllegalMoveError):
        return problem(409, "illegal_move", str(error))
    if isinstance(error, RefusedError):
        return problem(REFUSALS.get(error.code, 422), error.code, str(error.message))
    if isinstance(error, DjangoValidationError):
        error = exceptions.ValidationError(get_error_detail(error))
    if isinstance(error, exceptions.ValidationError):
        errors = list(_field_errors(error.get_full_details()))
        return problem(400, "invalid", _("Something in the request is missing or wrong."), errors=errors)
    if isinstance(error, Http404 | exceptions.NotFound):
        return not_found()
    if isinstance(error, PermissionDenied):
        error = exceptions.PermissionDenied()
    if isinstance(error, SuspiciousOperation):
        return problem(400, "bad_request", _("This request cannot be read."))
    if isinstance(error, RateLimitedError):
        return problem(429, "too_many", str(error))
    if isinstance(error, (*DATABASE_AWAY, *STORAGE_AWAY)):
        what = "storage" if isinstance(error, STORAGE_AWAY) else "database"
        log.error("%s away: %s", what, type(error).__name__)
        return problem(503, "unavailable", _("Not available at the moment. Please try again shortly."))
    if isinstance(error, exceptions.APIException):
        code = error.get_codes()
        return problem(error.status_code, code, str(REPLACED_TEXTS.get(code, error.detail)))
    return None


def problem(status: int, code: str, detail: str, **more: Any) -> dict[str, Any]:
    """Return a problem document and log its code."""
    log.info("problem: %s %s", status, code)
    title = HTTPStatus(status).phrase
    kind = f"urn:teleder:problem:{code}"
    return {"type": kind, "title": title, "status": status, "detail": detail, "code": code, **more} | {
        "trace_id": logs.current("trace")
    }


def not_found() -> dict[str, Any]:
    # The same for a missing object and another person's.
    return problem(404, "not_found", _("Nothing was found here, or you may not see it."))


def _field_errors(details: Any, field: str = "") -> Iterator[dict[str, str]]:
    """Yield field, code and message of each error in the nested details of a validation."""
    if isinstance(details, dict) and {"message", "code"} == details.keys():
        yield {"field": field, "code": details["code"], "message": details["message"]}
    elif isinstance(details, dict):
        for name, inner in details.items():
            inner_field = field if name == "non_field_errors" else f"{field}.{name}".lstrip(".")
            yield from _field_errors(inner, inner_field)
    else:
        for inner in details:
            yield from _field_errors(inner, field)


# --- Handlers of Django: no view was reached, or a view failed --------------------------------------------
def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    if isinstance(exception, DisallowedHost):
        return wrong_address(request)
    return _respond(request, 400, "bad_request", _("This request cannot be read."))


def wrong_address(request: HttpRequest) -> HttpResponse:
    """Answer a request for a host name that is not ours, or for a path below which a proxy has put us."""
    detail = _(
        "This site does not answer under this name or path. Please use the address that you were given."
    )
    if _is_api(request):
        return _problem_response(problem(400, "bad_request", detail))
    return error_page("400_address", 400)


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    return _respond(request, 403, "permission_denied", _("You may not do this."))


def too_large(request: HttpRequest) -> HttpResponse:
    return _respond(request, 413, "body_too_large", _("This request is too large."))


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    if _is_api(request):
        return permission_denied(request, PermissionDenied(reason))
    return error_page("403_csrf", 403)


def page_not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    return _problem_response(not_found()) if _is_api(request) else error_page(404)


def server_error(request: HttpRequest) -> HttpResponse:
    """Answer an unexpected exception, or a database or storage that became unavailable after the view."""
    is_away = isinstance(sys.exception(), (*DATABASE_AWAY, *STORAGE_AWAY))
    away = _problem_of(sys.exception()) if is_away else None
    if away:
        return _problem_response(away) if _is_api(request) else error_page(500, away["status"])
    return _respond(
        request, 500, "server_error", _("Something went wrong on our side. Nothing you sent is lost.")
    )


def _respond(request: HttpRequest, status: int, code: str, detail: str) -> HttpResponse:
    return _problem_response(problem(status, code, detail)) if _is_api(request) else error_page(status)


def error_page(name: int | str, status: int | None = None) -> HttpResponse:
    """Render the error page without any query, because the database may be what is broken."""
    text = loader.get_template(f"{name}.html").render({"trace_id": logs.current("trace")})
    status = int(status or name)
    return HttpResponse(text, status=status, headers=_again(status))


def _is_api(request: HttpRequest) -> bool:
    return request.path.startswith(settings.API_PATHS)


def _problem_response(found: dict[str, Any]) -> JsonResponse:
    status = found["status"]
    return JsonResponse(found, status=status, content_type=MEDIA_TYPE, headers=_again(status))


def _again(status: int) -> dict[str, str]:
    return {"Retry-After": str(AGAIN_SECONDS)} if status == HTTPStatus.SERVICE_UNAVAILABLE else {}
