"""Limits of the API, told as the IETF draft has it (RateLimit, RateLimit-Policy) and by Retry-After.

They share their counters with the pages (`accounts.limits`): who uploads by both is counted once.
"""

from __future__ import annotations

from typing import Any

from django.http import HttpResponseBase
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from teleder.security import rate_limits
from teleder.security.rate_limits import Limit, Usage


class Counted(BaseThrottle):
    """One limit. Valkey gone: nothing is counted, everything passes."""

    limit: Limit

    def allow_request(self, request: Request, view: Any) -> bool:
        told, self.usage = _told(request), None
        if self.counts(request) and None not in told:  # a Valkey that hangs is waited for once in a request
            self.usage = rate_limits.count(self.limit, self.who(request))
            told.append(self.usage)
        return self.usage is None or not self.usage.is_over

    def counts(self, request: Request) -> bool:
        return True

    def who(self, request: Request) -> str:
        return rate_limits.address_of(request)

    def wait(self) -> int:
        return self.usage.wait


class ByAddress(Counted):
    limit = rate_limits.ADDRESS


class ByPerson(Counted):
    limit = rate_limits.PERSON

    def counts(self, request: Request) -> bool:
        return request.user.is_authenticated

    def who(self, request: Request) -> str:
        return str(request.user.pk)


class Tokens(Counted):
    limit = rate_limits.TOKENS


class Uploads(ByPerson):
    limit = rate_limits.UPLOADS

    def counts(self, request: Request) -> bool:
        return request.method == "POST"


class Submissions(Uploads):
    limit = rate_limits.SUBMISSIONS


class Exports(Uploads):
    limit = rate_limits.EXPORTS


def _told(request: Request) -> list[Usage | None]:
    """Return what was counted for this request so far; `None` where Valkey did not answer."""
    return request._request.__dict__.setdefault("usages", [])


def tell(request: Request, response: HttpResponseBase) -> None:
    """Write what was counted for this request into its answer."""
    if usages := [each for each in _told(request) if each]:
        policy = [f'"{each.limit.name}";q={each.limit.amount};w={each.limit.seconds}' for each in usages]
        response["RateLimit-Policy"] = ", ".join(policy)
        response["RateLimit"] = ", ".join(
            f'"{each.limit.name}";r={each.left};t={each.wait}' for each in usages
        )
