"""Response headers that neither Django nor django-csp sets, and request headers that say we cannot be where we are."""

from __future__ import annotations

from collections.abc import Callable

from django.core.exceptions import DisallowedHost
from django.http import HttpRequest, HttpResponse

HEADERS = {
    # No other site may embed our photos or scripts.
    "Cross-Origin-Resource-Policy": "same-origin",
    # Photos arrive through a file field, which needs none of these.
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}
# How proxies say below which path of another site they have put us: our links would lead out of it.
PREFIXES = ("HTTP_X_FORWARDED_PREFIX", "HTTP_X_FORWARDED_CONTEXT", "HTTP_X_SCRIPT_NAME")


def refuse_paths(
    get_response: Callable[[HttpRequest], HttpResponse],
) -> Callable[[HttpRequest], HttpResponse]:
    """Answer 400 with a page that says what to do, as for a host name that is not ours."""

    def answer(request: HttpRequest) -> HttpResponse:
        if any(request.META.get(name, "").strip("/") for name in PREFIXES):
            raise DisallowedHost
        return get_response(request)

    return answer


def headers(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    def answer(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        if hasattr(request, "clear_site_data"):  # security/sessions.py
            response.headers["Clear-Site-Data"] = request.clear_site_data
        if hasattr(request, "user") and request.user.is_authenticated:
            response.headers.setdefault("Cache-Control", "private, no-store")
        return response

    return answer
