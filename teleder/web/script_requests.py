"""A script's request that its person may no longer make sends the whole page to the log-in, and back to the page after it.

A browser's script follows a redirect by itself: htmx would put the log-in page into the middle of a worklist.
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
    """Stand outside of all that may end a session or refuse a request."""

    def answer(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        if HtmxDetails(request):
            return _for_htmx(request, response)
        if "X-Photo-Script" in request.headers:
            return _for_an_upload(request, response)
        return response

    return answer


def _for_htmx(request: HttpRequest, response: HttpResponse) -> HttpResponse:
    """Let htmx lead the whole page where a redirect leads, and load it again where a fragment is refused."""
    if response.status_code in REDIRECTS:
        response["HX-Redirect"] = _back_to_the_page(request, response["Location"])
        response["Cache-Control"] = "no-store"
        del response["Location"]
        response.status_code, response.content = 204, b""
    if response.status_code == 403:
        response["HX-Refresh"] = "true"
    return response


def _back_to_the_page(request: HttpRequest, location: str) -> str:
    """Return the location with the page that is open in place of the fragment that was asked for."""
    parts = urlsplit(location)
    query = dict(parse_qsl(parts.query))
    if query.pop(REDIRECT_FIELD_NAME, None) is None:
        return location
    page = urlsplit(HtmxDetails(request).current_url_abs_path or "")._replace(fragment="").geturl()
    if url_has_allowed_host_and_scheme(page, allowed_hosts=None):
        query[REDIRECT_FIELD_NAME] = page
    return urlunsplit(parts._replace(query=urlencode(query, safe="/")))


def _for_an_upload(request: HttpRequest, response: HttpResponse) -> HttpResponse:
    """Tell the page that sends photos (photos.js) to load itself again: it leads to the log-in and back."""
    is_redirect = response.status_code in REDIRECTS
    # Of somebody who is not logged in, a whole photo is too large (bodies.py).
    if is_redirect or (response.status_code == 413 and not get_user(request).is_authenticated):
        return JsonResponse({"code": "not_authenticated"}, status=401)
    return (
        JsonResponse({"code": "permission_denied"}, status=403) if response.status_code == 403 else response
    )
