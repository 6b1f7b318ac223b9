"""Who may open a page. A stranger is sent to log in; a person of another role is refused (403)."""

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
# For what cannot be undone or gives rights: password or second factor were shown again in the last five minutes; a
# log-in does not count.
recent_login_required = reauthentication_required
