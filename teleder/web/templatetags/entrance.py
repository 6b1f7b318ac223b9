"""Figures that the pages and mails of log-in and sign-up name."""

from __future__ import annotations

from email.utils import parseaddr

from allauth.account import app_settings
from django import template
from django.conf import settings

from teleder.security.rate_limits import HOUR_SECONDS, MINUTE_SECONDS

register = template.Library()


@register.simple_tag
def entrance() -> dict[str, int | str]:
    """Return the domain that our mails come from, and how long a code and the link to a new password work."""
    return {
        "sender_domain": parseaddr(settings.DEFAULT_FROM_EMAIL)[1].rpartition("@")[2],
        "code_minutes": app_settings.EMAIL_VERIFICATION_BY_CODE_TIMEOUT // MINUTE_SECONDS,
        "link_hours": settings.PASSWORD_RESET_TIMEOUT // HOUR_SECONDS,
    }
