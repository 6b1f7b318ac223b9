"""Sends the whole page to the log-in when a script's request is no longer allowed, and back to the page after it.

Browsers follow redirects of scripts by themselves: htmx would insert the log-in page into a worklist.
"""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from django.contrib.auth import REDIRECT_FIELD_NAME, get_user
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils.http import url_has_allowed_host_and_scheme
from django_htmx.middleware import HtmxDetails

REDIRECTS = {301, 302, 303, 307, 308}


def script_requests(
    get_response: Callable[[HttpRequest], HttpResponse],
) -> Callable[[HttpRequest], HttpResponse]:
    """Runs outside of every middleware that may end a session or refuse a request."""

    def answer(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        is_redirect, is_refused = response.status_code in REDIRECTS, response.status_code == 403
        if HtmxDetails(request):
            if is_redirect:  # htmx then loads the whole page from there
                response["HX-Redirect"] = _back_to_page(request, response["Location"])
                response["Cache-Control"] = "no-store"
                del response["Location"]
                response.status_code, response.content = 204, b""
            if is_refused:
                response["HX-Refresh"] = "true"
        elif (
            "X-Photo-Script" in request.headers
        ):  # photos.js then reloads its page, which leads to the log-in
            # A whole photo from somebody who is not logged in is too large (api/request_bodies.py).
            too_large = response.status_code == 413 and not get_user(request).is_authenticated
            if is_redirect or too_large:
                return JsonResponse({"code": "not_authenticated"}, status=401)
            if is_refused:
                return JsonResponse({"code": "permission_denied"}, status=403)
        return response

    return answer


def _back_to_page(request: HttpRequest, location: str) -> str:
    """Return the location with the open page in place of the requested fragment."""
    parts = urlsplit(location)
    query = dict(parse_qsl(parts.query))
    if query.pop(REDIRECT_FIELD_NAME, None) is None:
        return location
    page = urlsplit(HtmxDetails(request).current_url_abs_path or "")._replace(fragment="").geturl()
    if url_has_allowed_host_and_scheme(page, allowed_hosts=None):
        query[REDIRECT_FIELD_NAME] = page
    return urlunsplit(parts._replace(query=urlencode(query, safe="/")))
