"""Who takes part in the drills: patients and dermatologists with a token each, made once per run."""

from __future__ import annotations

from dataclasses import dataclass

NAME = "Somebody called"


@dataclass(frozen=True)
class Person:
    """One who speaks to the API."""

    email: str
    token: str


def patients(count: int) -> list[Person]:
    return [patient(f"patient{number}@example.com") for number in range(count)]


def patient(email: str) -> Person:
    from teleder.accounts.models import PatientProfile, Purpose, Role
    from teleder.accounts.people import give_consent

    user, person = _person(email, Role.PATIENT)
    PatientProfile.objects.get_or_create(user=user, defaults={"birth_year": 1990})
    for purpose in (Purpose.CARE, Purpose.AI):
        give_consent(user, purpose)
    return person


def dermatologists(count: int) -> list[Person]:
    from teleder.accounts.models import DermatologistProfile, Role

    made = []
    for number in range(count):
        user, person = _person(f"dermatologist{number}@example.com", Role.DERMATOLOGIST)
        DermatologistProfile.objects.get_or_create(user=user, defaults={"licence_number": str(number)})
        made.append(person)
    return made


def _person(email: str, role: str):
    from knox.models import AuthToken

    from teleder.accounts.models import User

    defaults = {"role": role, "language": "en", "name": f"{NAME} {email}"}
    user, _made = User.objects.get_or_create(email=email, defaults=defaults)
    _row, token = AuthToken.objects.create(user)
    return user, Person(email, token)
