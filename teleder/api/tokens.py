"""Log-in by token (knox). A module of its own, because the settings load it before DRF's views can be imported."""

from __future__ import annotations

from typing import Any

from django.utils import timezone, translation
from django.utils.translation import gettext as _
from knox.auth import TokenAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request


class ApiTokenAuthentication(TokenAuthentication):
    """Refuses tokens that are not ASCII, on which knox fails; uses the person's language where none is requested."""

    def authenticate(self, request: Request) -> Any:
        found = super().authenticate(request)
        if found and "HTTP_ACCEPT_LANGUAGE" not in request.META:
            translation.activate(found[0].language)  # the locale middleware ends it with the request
        return found

    def authenticate_credentials(self, token: bytes) -> Any:
        refused = AuthenticationFailed(_("This token is invalid or has expired. Please log in again."))
        if not token.isascii():
            raise refused
        try:
            return super().authenticate_credentials(token)
        except AuthenticationFailed:
            raise refused from None

    def _cleanup_token(self, auth_token: Any) -> bool:
        """Whether the token has expired. knox would read all tokens of the person, to delete those that have: each night
        `security/tasks.py` does."""
        return auth_token.expiry is not None and auth_token.expiry < timezone.now()
