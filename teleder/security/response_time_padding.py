"""Pads the response time of views that take an e-mail address, so that it does not tell who has an account.

Every account costs the same work already (`tests/accounts/test_no_enumeration.py`); a few milliseconds of difference
between an existing row and a missing one remain, and hundreds of requests would find them.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse

PADDED_VIEWS = {"account_login", "account_signup", "account_reset_password", "api:tokens"}


def pad_response_time(
    get_response: Callable[[HttpRequest], HttpResponse],
) -> Callable[[HttpRequest], HttpResponse]:
    def answer(request: HttpRequest) -> HttpResponse:
        began = time.perf_counter()
        response = get_response(request)
        view = request.resolver_match.view_name if request.resolver_match else None
        if request.method == "POST" and view in PADDED_VIEWS:
            time.sleep(padding_seconds(time.perf_counter() - began))
        return response

    return answer


def padding_seconds(elapsed: float) -> float:
    """Return the seconds to the next multiple of the step."""
    return -elapsed % settings.ANSWER_STEP_SECONDS
