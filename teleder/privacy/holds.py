"""Legal holds: an admin forbids, with a reason, to delete any data of a person."""

from __future__ import annotations

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import QuerySet
from django.db.models.functions import Now
from django.utils.translation import gettext as _

from teleder.accounts.models import User
from teleder.accounts.text import clean_line
from teleder.privacy.models import Hold


def held() -> QuerySet:
    """Return the ids of the people under legal hold."""
    return Hold.objects.in_force().values("person")


@transaction.atomic
def set_hold(person: User, *, reason: str, by: User) -> Hold:
    """Put a patient under legal hold; a second call keeps the first hold. Raises `ValidationError`, `User.DoesNotExist`."""
    reason = clean_line(reason).strip()
    if not reason:
        raise ValidationError({"reason": _("Please give the reason of the hold.")})
    if not person.is_patient:
        raise ValidationError(_("Only patients' data is exported, erased or held."))
    # This waits for an erasure that is being carried out; the person then no longer exists.
    person = User.objects.select_for_update(no_key=True).get(pk=person.pk)
    held = Hold.objects.in_force().filter(person=person).first()
    return held or Hold.objects.create(person=person, reason=reason[:300], set_by=by)


def lift_hold(person: User, *, by: User) -> bool:
    """End the hold; false if there is none. A request to be erased that waited for it can then be carried out."""
    return bool(Hold.objects.in_force().filter(person=person).update(lifted_at=Now(), lifted_by=by))
