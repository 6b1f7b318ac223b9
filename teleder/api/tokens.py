"""Log-in by token (knox). A module of its own: the settings name it before DRF's views can be imported."""

from __future__ import annotations

from typing import Any

from django.utils import translation
from django.utils.translation import gettext as _
from knox.auth import TokenAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request


class Tokens(TokenAuthentication):
    """Knox, which itself would fail on a token that is no UTF-8; in the person's language if none is asked for."""

    def authenticate(self, request: Request) -> Any:
        found = super().authenticate(request)
        if found and "HTTP_ACCEPT_LANGUAGE" not in request.META:
            translation.activate(found[0].language)  # the locale middleware ends it with the request
        return found

    def authenticate_credentials(self, token: bytes) -> Any:
        refused = AuthenticationFailed(_("This token is not valid or has run out. Log in for a new one."))
        if not token.isascii():
            raise refused
        try:
            return super().authenticate_credentials(token)
        except AuthenticationFailed:
            raise refused from None
