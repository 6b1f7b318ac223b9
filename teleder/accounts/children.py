"""Adds a child to a guardian's account."""

from __future__ import annotations

from datetime import date

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from teleder.accounts.guardians import Guardianship, Relation
from teleder.accounts.models import PatientProfile, Purpose, User
from teleder.accounts.people import give_consent

CHILDREN_LIMIT = 20
OLDEST_YEARS = 120


def past_date(born: date) -> date:
    """Return a date of birth as it is. Raises `ValidationError` for one that nobody living has."""
    today = timezone.localdate()
    if not (today.year - OLDEST_YEARS <= born.year and born <= today):
        raise ValidationError(_("Please check the date of birth."), code="invalid")
    return born


def childs_birth_date(born: date) -> date:
    """Return the same of a child. Raises `ValidationError` also for a grown-up."""
    if not PatientProfile(birth_year=past_date(born).year, birth_date=born).may_be_under(
        settings.AGE_OF_CONSENT_YEARS
    ):
        text = _("From %(years)d on people have their own account.")
        raise ValidationError(text % {"years": settings.AGE_OF_CONSENT_YEARS}, code="grown_up")
    return born


def refuse_growing_up(known: PatientProfile, claimed: PatientProfile) -> None:
    """Raise `ValidationError` where an account whose owner may be a child is said to be a grown-up's: the clinic corrects that.

    Who adds the date to a year that was given without one corrects nothing.
    """
    years = settings.AGE_OF_CONSENT_YEARS
    is_added = known.birth_date is None and claimed.birth_year == known.birth_year
    if known.may_be_under(years) and not claimed.may_be_under(years) and not is_added:
        text = _(
            "You gave a year of birth under %(years)d before. If it was a mistake, ask the clinic to correct it."
        )
        raise ValidationError(text % {"years": years}, code="guardian_needed")


@transaction.atomic
def add_child(
    *,
    guardian: User,
    name: str,
    reading: str,
    birth_date: date,
    relation: Relation,
    purposes: list[Purpose],
    skin_type: int | None = None,
) -> User:
    """Open a record for a child, with the guardian's consents. Raises `ValidationError`.

    A guardian is grown up; who asked for erasure adds nobody, since a guardian is erased after their children.
    """
    guardian = User.objects.select_for_update().get(pk=guardian.pk)
    if hasattr(guardian, "erasure"):
        raise ValidationError(_("Your account is to be erased. Keep it first, then add the child."))
    if guardian.children.count() >= CHILDREN_LIMIT:
        raise ValidationError(_("Please ask the clinic to add more children."))
    child = User(name=name, reading=reading, language=guardian.language, clinic=guardian.clinic)
    child.set_unusable_password()
    child.save()
    profile = {"birth_date": birth_date, "birth_year": birth_date.year, "skin_type": skin_type}
    child.patient = PatientProfile.objects.create(user=child, **profile)
    Guardianship.objects.create(child=child, guardian=guardian, relation=relation)
    child.relation = relation
    for purpose in purposes:
        give_consent(child, purpose, by=guardian)
    return child
