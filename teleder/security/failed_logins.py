"""Writing down log-ins that failed, for the admins. Nothing of this may tell the caller who has an account.

So the same is read and written for an address with an account as for one without.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

from django.db.models import F, Q
from django.http import HttpRequest
from django.utils import timezone
from django.utils.crypto import salted_hmac

from teleder.accounts.attempts import FAILED_LOGINS_KEPT_DAYS, FailedLogin
from teleder.accounts.models import User
from teleder.accounts.normalisation import normalise_email
from teleder.security.rate_limits import address_of

Reason = FailedLogin.Reason


def record(request: HttpRequest, reason: Reason, *, email: str) -> None:
    """Write down a failed log-in under the address that was typed, whether it has an account or not."""
    same = Q(email__iexact=email) | Q(emailaddress__email__iexact=email, emailaddress__verified=True)
    person = User.objects.filter(same, emailaddress__verified=True).values_list("pk", flat=True).first()
    row = {
        "person_id": person,
        "email_hash": hash_of(email) if email else "",
        "network_address": address_of(request),
        "entrance": _entrance_of(request),
        "reason": reason,
    }
    if reason != Reason.THROTTLED or not _add_to_last_hour(row):
        FailedLogin.objects.create(**row)


def _add_to_last_hour(row: dict) -> bool:
    """Count one more refusal in the row of the last hour that says the same; false where there is none."""
    hour = timezone.now() - timedelta(hours=1)
    last = FailedLogin.objects.filter(**row, at__gt=hour).values("pk")[:1]
    return bool(FailedLogin.objects.filter(pk__in=last).update(attempts=F("attempts") + 1))


def _entrance_of(request: HttpRequest) -> FailedLogin.Entrance:
    return FailedLogin.Entrance.API if request.path.startswith("/api/") else FailedLogin.Entrance.PAGE


def hash_of(email: str) -> str:
    """Return what stands for an address in the table: the address cannot be read from it without the secret key."""
    return salted_hmac("teleder.failed-login", normalise_email(email), algorithm="sha256").hexdigest()


def forget(person: User, addresses: Iterable[str]) -> None:
    """Delete what names a person, also of the time before they had their account."""
    FailedLogin.objects.filter(Q(person=person) | Q(email_hash__in=map(hash_of, addresses))).delete()


def forget_expired() -> None:
    end = timezone.now() - timedelta(days=FAILED_LOGINS_KEPT_DAYS)
    FailedLogin.objects.filter(at__lt=end).delete()
