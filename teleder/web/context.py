"""What every page shows around its content."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _

from teleder.accounts.models import Role, User
from teleder.notifications.models import Message


def chrome(request: HttpRequest) -> dict[str, Any]:
    """Return the menu of who is logged in: [{title, url, is_current, count}]."""
    user = getattr(request, "user", None)
    return {"nav": list(_items(request, user)) if user and user.is_authenticated else []}


def _items(request: HttpRequest, user: User) -> Any:
    for title, name in _menu(user.role):
        url = reverse(name)
        count = Message.objects.inbox_of(user).unread().count() if name == "web:inbox" else 0
        yield {"title": title, "url": url, "is_current": request.path == url, "count": count}


def _menu(role: str) -> list[tuple[str, str]]:
    if role == Role.DERMATOLOGIST:
        return [(_("Worklist"), "web:worklist"), (_("Settings"), "web:settings")]
    if role == Role.ADMIN:
        return [
            (_("Operations"), "web:operations"),
            (_("Cases"), "web:cases_admin"),
            (_("People"), "web:people"),
            (_("Models"), "web:models"),
            (_("Settings"), "web:settings"),
        ]
    return [
        (_("Home"), "web:home"),
        (_("New"), "web:new"),
        (_("Messages"), "web:inbox"),
        (_("Settings"), "web:settings"),
    ]
