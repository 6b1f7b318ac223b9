"""Template context of every page: its frame and the menu."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from teleder.accounts.models import Role
from teleder.notifications.models import Message
from teleder.security import mfa
from teleder.web.display import display_of

MENUS = {
    Role.PATIENT: [
        (_("Home"), "web:home"),
        (_("Ask"), "web:new"),
        (_("Messages"), "web:inbox"),
        (_("Settings"), "web:settings"),
    ],
    Role.DERMATOLOGIST: [
        (_("Worklist"), "web:worklist"),
        (_("Recent answers"), "web:recent_answers"),
        (_("Settings"), "web:settings"),
    ],
    Role.ADMIN: [
        (_("Operations"), "web:operations"),
        (_("Cases"), "web:cases_admin"),
        (_("People"), "web:people"),
        (_("Texts"), "web:clinic_texts"),
        (_("Models"), "web:models"),
        (_("Settings"), "web:settings"),
    ],
}
FOR_PATIENTS, FOR_STAFF = "web/patient/base.html", "web/base.html"
ICONS = {
    "web:home": "home",
    "web:new": "camera",
    "web:inbox": "message",
    "web:settings": "settings",
}  # of patients
KEYS = {("web:worklist", ""): "g w", ("web:recent_answers", ""): "g d"}  # shortcuts of dermatologists


def menu(request: HttpRequest) -> dict[str, Any]:
    """Return the user's menu as {"nav": [{title, url, icon, is_current, count}]}; `count` is of unread messages.

    `frame` is the template that pages of all roles extend, `display` how a patient has the texts shown. `has_strip`: staff see
    urgent cases and held answers, unless a second factor has to be shown first.
    """
    user = getattr(request, "user", None)
    if not (user and user.is_authenticated):
        return {"nav": [], "frame": FOR_PATIENTS, "display": display_of(request)}
    items = [_item(request, *entry) for entry in MENUS[user.role]]
    for item in items:
        if item["url"] == reverse("web:inbox"):
            item["count"] = Message.objects.inbox_of(user).unread().count()
    frame = FOR_PATIENTS if user.is_patient else FOR_STAFF
    has_strip = not user.is_patient and not mfa.is_missing(request)
    return {"nav": items, "frame": frame, "display": display_of(request), "has_strip": has_strip}


def _item(request: HttpRequest, title: str, name: str, view: str = "") -> dict[str, Any]:
    """Return an entry of the menu; one with a `view` leads to that view of the page."""
    address = reverse(name)
    is_current = request.path == address and (request.GET.get("show") == "done") == bool(view)
    return {
        "title": title,
        "url": f"{address}?show={view}" if view else address,
        "icon": ICONS.get(name),
        "count": 0,
        "is_current": is_current,
        "key": KEYS.get((name, view), ""),
    }
