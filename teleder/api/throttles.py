"""Rate limits of the API, reported in the headers of the IETF draft (RateLimit, RateLimit-Policy) and Retry-After.

They share their counters with the pages (`security/rate_limits.py`): uploads by both count together.
"""

from __future__ import annotations

from collections.abc import Iterable

from django.http import HttpResponseBase
from rest_framework.request import Request

from teleder.security import rate_limits
from teleder.security.rate_limits import Limit, Usage


class CountedThrottle:
    """One limit. Without Valkey nothing is counted and every request passes."""

    limit: Limit

    def counts(self, request: Request) -> bool:
        return True

    def who(self, request: Request) -> str:
        return rate_limits.client_address(request)


def longest_wait(throttles: Iterable[CountedThrottle], request: Request) -> int:
    """Count the request against all these limits at once; return in how many seconds none is full, 0 for now."""
    usages = _usages(request)
    counted = [(each.limit, each.who(request)) for each in throttles if each.counts(request)]
    if not counted or None in usages:  # wait for a hanging Valkey only once in a request
        return 0
    found = rate_limits.count_request(*counted)
    usages.extend([None] if found is None else found)
    return max((usage.wait for usage in found or () if usage.is_over), default=0)


class AddressThrottle(CountedThrottle):
    limit = rate_limits.ADDRESS


class PersonThrottle(CountedThrottle):
    limit = rate_limits.PERSON

    def counts(self, request: Request) -> bool:
        return request.user.is_authenticated

    def who(self, request: Request) -> str:
        return str(request.user.pk)


class TokenThrottle(CountedThrottle):
    limit = rate_limits.TOKENS


class UploadThrottle(PersonThrottle):
    limit = rate_limits.UPLOADS

    def counts(self, request: Request) -> bool:
        return request.method == "POST"


class SubmissionThrottle(UploadThrottle):
    limit = rate_limits.SUBMISSIONS


class ExportThrottle(UploadThrottle):
    limit = rate_limits.EXPORTS


def _usages(request: Request) -> list[Usage | None]:
    """Return the usages counted for this request so far; `None` where Valkey did not answer."""
    return request._request.__dict__.setdefault("usages", [])


def write_headers(request: Request, response: HttpResponseBase) -> None:
    """Report the usages counted for this request in the headers of its response."""
    if usages := [each for each in _usages(request) if each]:
        policy = [f'"{each.limit.name}";q={each.limit.amount};w={each.limit.seconds}' for each in usages]
        response["RateLimit-Policy"] = ", ".join(policy)
        response["RateLimit"] = ", ".join(
            f'"{each.limit.name}";r={each.left};t={each.wait}' for each in usages
        )
