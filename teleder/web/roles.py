"""Decorators for access to pages. Visitors are sent to log in; users of another role are refused (403)."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from allauth.account.decorators import reauthentication_required
from django.conf import settings
from django.contrib.auth import REDIRECT_FIELD_NAME
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.urls import reverse

from teleder.accounts.models import Role

UNSAVED = "unsaved"  # in the address of a page whose form came when nobody was logged in any more
View = Callable[..., HttpResponse]


def _only_for(*roles: Role) -> Callable[[View], View]:
    def decorate(view: View) -> View:
        @wraps(view)
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            if not request.user.is_authenticated:
                return _to_log_in(request, is_patient=Role.PATIENT in roles)
            if request.user.role not in roles:
                raise PermissionDenied
            return view(request, *args, **kwargs)

        return guarded

    return decorate


def _to_log_in(request: HttpRequest, *, is_patient: bool) -> HttpResponse:
    """Lead to the log-in and back. Of a patient it says that the session ended, where it did, and the page then says that a form
    was not stored."""
    page, query = request.get_full_path(), QueryDict(mutable=True)
    is_post = is_patient and request.method == "POST"
    if is_post:
        page += ("&" if "?" in page else "?") + f"{UNSAVED}=1"
    query[REDIRECT_FIELD_NAME] = page
    if is_post or (is_patient and settings.SESSION_COOKIE_NAME in request.COOKIES):
        query["ended"] = "1"
    return HttpResponseRedirect(f"{reverse(settings.LOGIN_URL)}?{query.urlencode(safe='/')}")


dermatologist_required = _only_for(Role.DERMATOLOGIST)
admin_required = _only_for(Role.ADMIN)
patient_required = _only_for(Role.PATIENT)
staff_required = _only_for(Role.DERMATOLOGIST, Role.ADMIN)
# For irreversible actions and granting of rights: password or second factor must have been entered again in the last
# five minutes; a log-in does not count.
recent_login_required = reauthentication_required
