"""Answers where an address is named leave at even times: how long the work took does not tell who has an account.

The same work is done for everybody already (`tests/accounts/test_no_enumeration.py`); a few milliseconds of difference
between a row that is there and one that is not remain, and hundreds of asks would find them.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse

DOORS = {"account_login", "account_signup", "account_reset_password", "api:tokens"}


def even_times(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    def answer(request: HttpRequest) -> HttpResponse:
        began = time.perf_counter()
        response = get_response(request)
        door = request.resolver_match.view_name if request.resolver_match else None
        if request.method == "POST" and door in DOORS:
            time.sleep(seconds_until_even(time.perf_counter() - began))
        return response

    return answer


def seconds_until_even(elapsed: float) -> float:
    """Return the seconds to the next multiple of the step."""
    return -elapsed % settings.ANSWER_STEP_SECONDS
