"""Decorators for access to pages. Visitors are sent to log in; users of another role are refused (403)."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from allauth.account.decorators import reauthentication_required
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse

from teleder.accounts.models import Role

View = Callable[..., HttpResponse]


def _only_for(role: Role) -> Callable[[View], View]:
    def decorate(view: View) -> View:
        @wraps(view)
        @login_required
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            if request.user.role != role:
                raise PermissionDenied
            return view(request, *args, **kwargs)

        return guarded

    return decorate


dermatologist_required = _only_for(Role.DERMATOLOGIST)
admin_required = _only_for(Role.ADMIN)
patient_required = _only_for(Role.PATIENT)
# For irreversible actions and granting of rights: password or second factor must have been entered again in the last
# five minutes; a log-in does not count.
recent_login_required = reauthentication_required
