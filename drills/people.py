"""Users for drills, tests and benchmarks: patients and dermatologists with the profile of their role."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from teleder.accounts.models import User

NAME = "Somebody called"


@dataclass(frozen=True)
class Person:
    """A user of the API."""

    email: str
    token: str


def create(email: str, role: str, password: str | None = None, **fields: object) -> User:
    """Create a user with the profile of the role; a patient consents to care and to AI (the Japanese text)."""
    from django.utils import timezone
    from django.utils.translation import override

    from teleder.accounts.models import DermatologistProfile, PatientProfile, Purpose, User
    from teleder.accounts.people import give_consent

    user = User.objects.create_user(email, password, role=role, **{"language": "en", **fields})
    if user.is_patient:
        PatientProfile.objects.create(user=user, birth_year=1990)
        with override("ja"):
            give_consent(user, Purpose.CARE)
            give_consent(user, Purpose.AI)
    if user.is_dermatologist:
        # As if an admin had checked it: without that nobody signs.
        checked = {"licence_checked_at": timezone.now(), "licence_checked_by": user}
        numbers = dict.fromkeys(("licence_number", "licence_checked_number"), "123456")
        DermatologistProfile.objects.create(user=user, title="MD", **numbers, **checked)
    return user


def patients(count: int) -> list[Person]:
    return [with_token(f"patient{number}@example.com", "patient") for number in range(count)]


def dermatologists(count: int) -> list[Person]:
    return [with_token(f"dermatologist{number}@example.com", "dermatologist") for number in range(count)]


def with_token(email: str, role: str) -> Person:
    """Return the person with this address and a new token; create them if they do not exist."""
    from knox.models import AuthToken

    from teleder.accounts.models import User

    user = User.objects.filter(email=email).first() or create(email, role, name=f"{NAME} {email}")
    return Person(email, AuthToken.objects.create(user)[1])
