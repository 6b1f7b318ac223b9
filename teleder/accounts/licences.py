"""Whether a dermatologist's licence was checked and is in force: who checked it, until when, and who is told."""

from __future__ import annotations

import logging
from datetime import date, timedelta

from django.contrib.admin.models import CHANGE
from django.core.exceptions import ValidationError
from django.core.mail import send_mail
from django.db import models, transaction
from django.db.models import F, Q
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, override

from teleder.accounts.models import DermatologistProfile, Role, User
from teleder.accounts.normalisation import normalise_number
from teleder.accounts.people import log_action, require_rights_over
from teleder.accounts.text import clean_line

log = logging.getLogger(__name__)

# People are told when so many days are left; the first also makes pages say it.
TOLD_AT_DAYS = (60, 30, 7, 1, 0)
AFTER = -1  # it has expired


class LicenceState(models.TextChoices):
    UNCHECKED = "unchecked", gettext_lazy("not checked")
    IN_FORCE = "in_force", gettext_lazy("valid")
    EXPIRING = "expiring", gettext_lazy("expires soon")
    EXPIRED = "expired", gettext_lazy("expired")


def today() -> date:
    """The day at the clinic. A licence is in force on its last day."""
    return timezone.localdate(timezone=timezone.get_default_timezone())


def state_of(profile: DermatologistProfile) -> LicenceState:
    expires = profile.licence_expires_on
    if expires and expires < today():
        return LicenceState.EXPIRED
    if not profile.licence_is_checked:
        return LicenceState.UNCHECKED
    return LicenceState.EXPIRING if expires and expires <= _soon() else LicenceState.IN_FORCE


def _soon() -> date:
    return today() + timedelta(days=TOLD_AT_DAYS[0])


def in_state(state: str) -> Q:
    """The same as `state_of`, as a condition on users."""
    checked = Q(
        dermatologist__licence_checked_at__isnull=False,
        dermatologist__licence_number=F("dermatologist__licence_checked_number"),
    )
    expired, soon = (
        Q(dermatologist__licence_expires_on__lt=day) for day in (today(), _soon() + timedelta(days=1))
    )
    open_end = Q(dermatologist__licence_expires_on=None)
    conditions = {
        LicenceState.EXPIRED: expired,
        LicenceState.UNCHECKED: ~checked & (open_end | ~expired),
        LicenceState.EXPIRING: checked & soon & ~expired,
        LicenceState.IN_FORCE: checked & (open_end | ~soon),
    }
    return Q(role=Role.DERMATOLOGIST, is_active=True) & conditions[LicenceState(state)]


def may_sign() -> Q:
    """Whose licence an admin has checked, and is in force: a condition on users."""
    return in_state(LicenceState.IN_FORCE) | in_state(LicenceState.EXPIRING)


def require_in_force(person: User, *, field: str | None = None) -> None:
    """Raise `ValidationError` where the licence was not checked or has expired: its holder may not sign. What they
    wrote stays."""
    profile = _profile_of(person)
    state = state_of(profile)
    if state == LicenceState.EXPIRED:
        text = _(
            "Your licence expired on %(day)s in our record, so you cannot sign. Nothing you wrote is lost. Please show an admin the new licence."
        ) % {"day": date_format(profile.licence_expires_on)}
    elif state == LicenceState.UNCHECKED:
        text = _(
            "No admin has checked your licence yet, so you cannot sign. Nothing you wrote is lost. Please show an admin your licence."
        )
    else:
        return
    error = ValidationError(text, code=f"licence_{state}")
    raise ValidationError({field: error}) if field else error


def _profile_of(person: User) -> DermatologistProfile:
    return DermatologistProfile.objects.filter(user=person).first() or DermatologistProfile(user=person)


def concern_of(person: User) -> DermatologistProfile | None:
    """Return the profile of whose licence was not checked, expires soon, or has expired, to tell its holder so."""
    profile = _profile_of(person)
    return None if state_of(profile) == LicenceState.IN_FORCE else profile


@transaction.atomic
def check(person: User, *, number: str, expires_on: date | None, by: User) -> None:
    """Record that `by` has seen the licence: its number, and its last day if it has one. Raises `ValidationError`."""
    require_rights_over(person, by, _("You cannot check your own licence. Please ask another admin."))
    number = normalise_number(clean_line(number))
    if not number:
        raise ValidationError({"number": _("Please give the number of the licence.")})
    if expires_on and expires_on < today():
        raise ValidationError({"expires_on": _("This licence has expired already.")})
    DermatologistProfile.objects.update_or_create(
        user=person,
        defaults={
            "licence_number": number,
            "licence_checked_number": number,
            "licence_expires_on": expires_on,
            "licence_checked_at": timezone.now(),
            "licence_checked_by": by,
            "licence_told_at_days": None,
        },
    )
    log_action(person, CHANGE, f"licence checked: {number}, until {expires_on or 'no date'}", by=by)


# --- Telling ----------------------------------------------------------------------------------------------
def tell() -> int:
    """Mail each dermatologist, and the admins of the clinic, before a licence expires; return how many were due."""
    ending = DermatologistProfile.objects.filter(
        user__role=Role.DERMATOLOGIST, user__is_active=True, licence_expires_on__lte=_soon()
    )
    return sum(map(_tell, ending.select_related("user")))


def _tell(profile: DermatologistProfile) -> bool:
    left = (profile.licence_expires_on - today()).days
    step = min((days for days in TOLD_AT_DAYS if days >= left), default=AFTER) if left >= 0 else AFTER
    before = profile.licence_told_at_days
    if before is not None and before <= step:
        return False
    mine = DermatologistProfile.objects.filter(pk=profile.pk)
    # Of two sweepers one gets it.
    if not mine.filter(licence_told_at_days=before).update(licence_told_at_days=step):
        return False
    try:
        admins = User.objects.filter(role=Role.ADMIN, clinic=profile.user.clinic_id, is_active=True)
        for reader in (profile.user, *admins):
            _mail(reader, profile)
    except Exception as error:  # noqa: BLE001  (the others are told all the same, and this one in the next round)
        log.warning("a reminder of a licence was not sent (%s)", type(error).__name__)
        mine.filter(licence_told_at_days=step).update(licence_told_at_days=before)
        return False
    return True


def _mail(reader: User, profile: DermatologistProfile) -> None:
    with override(reader.language):
        names = {"name": profile.user, "day": date_format(profile.licence_expires_on)}
        if profile.licence_expires_on < today():
            text = _(
                "The licence of %(name)s expired on %(day)s. %(name)s can read cases but cannot sign answers."
            )
        else:
            text = _(
                "The licence of %(name)s expires on %(day)s. After that day %(name)s can read cases but cannot sign answers."
            )
        what = _("An admin records the new licence under People.")
        send_mail("teleder", f"{text % names}\n\n{what}", None, [reader.email])
