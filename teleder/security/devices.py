"""Keeps `Device` beside Django's sessions: written at log-in, refreshed now and then, gone with the session."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.contrib.auth import update_session_auth_hash
from django.contrib.auth.signals import user_logged_in
from django.contrib.sessions.models import Session
from django.db import transaction
from django.db.models import Exists, F, OuterRef
from django.dispatch import receiver
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from knox.models import AuthToken

from teleder.accounts.devices import AGENT_CHARACTERS, Device
from teleder.accounts.models import User

SEEN_EACH = timedelta(minutes=5)  # a row is written no more often than this
KEY, SEEN = "device_key", "device_seen_at"


@receiver(user_logged_in)
def _remember_device(request: HttpRequest, user: User, **_rest: Any) -> None:
    if not request.session.session_key:
        request.session.save()
    _note(request, user)


class DeviceMiddleware:
    """Notes that a session is in use. A new session key, which a second factor brings, keeps its row."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        session = request.session
        if request.user.is_authenticated and session.session_key and KEY in session:
            age = timezone.now().timestamp() - session[SEEN]
            if session[KEY] != session.session_key or age > SEEN_EACH.total_seconds():
                _note(request, request.user)
        return self.get_response(request)


def _note(request: HttpRequest, user: User) -> None:
    session, now = request.session, timezone.now()
    agent = request.META.get("HTTP_USER_AGENT", "")[:AGENT_CHARACTERS]
    values = {"person": user, "session_key": session.session_key, "user_agent": agent, "seen_at": now}
    Device.objects.update_or_create(session_key=session.get(KEY, session.session_key), defaults=values)
    session[KEY], session[SEEN] = session.session_key, now.timestamp()


def devices_of(person: User) -> list[Device]:
    """Return those whose session has not ended, the last used first."""
    keys = [row.session_key for row in person.devices.all()]
    alive = Session.objects.filter(session_key__in=keys, expire_date__gt=timezone.now())
    return list(person.devices.filter(session_key__in=alive.values("session_key")))


@transaction.atomic
def end_device(device: Device) -> None:
    Session.objects.filter(session_key=device.session_key).delete()
    device.delete()


@transaction.atomic
def end_other_devices(request: HttpRequest) -> None:
    """End every session and every token of this person but this session."""
    person = request.user
    User.objects.filter(pk=person.pk).update(sessions_ended=F("sessions_ended") + 1)
    person.refresh_from_db()
    keys = list(
        person.devices.exclude(session_key=request.session.session_key).values_list("session_key", flat=True)
    )
    Session.objects.filter(session_key__in=keys).delete()
    Device.objects.filter(session_key__in=keys).delete()
    AuthToken.objects.filter(user=person).delete()
    update_session_auth_hash(request, person)


def delete_ended() -> None:
    """Delete rows whose session is gone."""
    Device.objects.exclude(Exists(Session.objects.filter(pk=OuterRef("session_key")))).delete()
