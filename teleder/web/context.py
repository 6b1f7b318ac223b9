"""Template context of every page: the menu."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from teleder.accounts.models import Role
from teleder.notifications.models import Message

MENUS = {
    Role.PATIENT: [
        (_("Home"), "web:home"),
        (_("New"), "web:new"),
        (_("Messages"), "web:inbox"),
        (_("Settings"), "web:settings"),
    ],
    Role.DERMATOLOGIST: [(_("Worklist"), "web:worklist"), (_("Settings"), "web:settings")],
    Role.ADMIN: [
        (_("Operations"), "web:operations"),
        (_("Cases"), "web:cases_admin"),
        (_("People"), "web:people"),
        (_("Models"), "web:models"),
        (_("Settings"), "web:settings"),
    ],
}


def menu(request: HttpRequest) -> dict[str, Any]:
    """Return the user's menu as {"nav": [{title, url, is_current, count}]}; `count` is of unread messages."""
    user = getattr(request, "user", None)
    if not (user and user.is_authenticated):
        return {"nav": []}
    items = [{"title": title, "url": reverse(name), "count": 0} for title, name in MENUS[user.role]]
    for item in items:
        item["is_current"] = request.path == item["url"]
        if item["url"] == reverse("web:inbox"):
            item["count"] = Message.objects.inbox_of(user).unread().count()
    return {"nav": items}
