"""Records failed log-ins for admins. It reads and writes the same for an address with an account as for one without.

Otherwise the response time could tell a caller who has an account.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

from django.db.models import F, Q
from django.http import HttpRequest
from django.utils import timezone
from django.utils.crypto import salted_hmac

from teleder.accounts.attempts import FailedLogin
from teleder.accounts.models import User
from teleder.accounts.normalisation import normalise_email
from teleder.security.rate_limits import client_address

Reason = FailedLogin.Reason


def record_failed_login(request: HttpRequest, reason: Reason, *, email: str) -> None:
    """Record a failed log-in under the typed address, whether or not it has an account."""
    same = Q(email__iexact=email) | Q(emailaddress__email__iexact=email, emailaddress__verified=True)
    person = User.objects.filter(same, emailaddress__verified=True).values_list("pk", flat=True).first()
    row = {
        "person_id": person,
        "email_hash": address_hash(email) if email else "",
        "network_address": client_address(request),
        "entrance": FailedLogin.Entrance.API
        if request.path.startswith("/api/")
        else FailedLogin.Entrance.PAGE,
        "reason": reason,
    }
    if reason == Reason.THROTTLED:  # one row an hour counts equal refusals
        last = FailedLogin.objects.filter(**row, at__gt=timezone.now() - timedelta(hours=1)).values("pk")[:1]
        if FailedLogin.objects.filter(pk__in=last).update(attempts=F("attempts") + 1):
            return
    FailedLogin.objects.create(**row)


def address_hash(email: str) -> str:
    """Return the keyed hash that stands for an address in the table."""
    return salted_hmac("teleder.failed-login", normalise_email(email), algorithm="sha256").hexdigest()


def delete_of_person(person: User, addresses: Iterable[str]) -> None:
    """Delete what names a person, including attempts from before they had an account."""
    FailedLogin.objects.filter(Q(person=person) | Q(email_hash__in=map(address_hash, addresses))).delete()
