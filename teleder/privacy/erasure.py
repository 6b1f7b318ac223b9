"""Erasing a person: requested, delayed for a cooling-off period, and carried out by the sweeper.

One transaction deletes every row (belongings.py), leaves a tombstone and an audit entry, and notes the places outside of
the database (remnants.py). After a crash at any step it is repeated or was complete; the clock is the database's.
"""

from __future__ import annotations

import logging
from datetime import timedelta
from uuid import UUID

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.mail import send_mail
from django.db import OperationalError, connection, transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.db.models.functions import Now
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import override

from teleder.accounts.guardians import Guardianship, children_of, only_children_of
from teleder.accounts.models import Role, User
from teleder.accounts.time_zones import zone_of
from teleder.audit import entries
from teleder.audit.models import Verb
from teleder.cases.models import (
    Case,
    Photo,
    Review,
    Status,
    Submission,
)
from teleder.cases.transitions import AWAITING_DERMATOLOGIST
from teleder.privacy import belongings, holds, remnants
from teleder.privacy.models import Erasure, Tombstone, Why, trace_of
from teleder.privacy.policy import retention_policy

log = logging.getLogger(__name__)

AT_ONCE = 20
# Shorter than PostgreSQL's deadlock_timeout: in a deadlock the sweeper gives way, not a user.
LOCK_TIMEOUT = "SET LOCAL lock_timeout = '500ms'"


# --- Asking -----------------------------------------------------------------------------------------------
@transaction.atomic
def ask(person: User, *, why: Why, by: User | None = None) -> Erasure:
    """Record the request and the day from which it is carried out; a second request keeps the first day.

    A request by the person replaces one by the clinic: then only the person can withdraw it.
    With a guardian go the children for whom nobody else answers. Raises `ValidationError`.
    """
    if not person.is_patient:
        raise ValidationError(_("Only patients' data is exported, erased or held."))
    due = Now() + timedelta(days=retention_policy().cooling_off_days)
    by_admin = by if by and by.is_admin else None
    Erasure.objects.get_or_create(person=person, defaults={"why": why, "by_admin": by_admin, "due_at": due})
    if why == Why.REQUEST:
        Erasure.objects.filter(person=person).update(why=why, by_admin=None)
    for child in only_children_of(person):
        ask(child, why=why, by=by)
    return Erasure.objects.get(person=person)


@transaction.atomic
def take_back(person: User) -> bool:
    """Withdraw the person's request; false if there was none. The children that were to go with them stay too.

    What was asked for a child before stays asked for.
    """
    mine = Erasure.objects.filter(person=person)
    since = mine.values("asked_at")[:1]
    Erasure.objects.filter(person__in=children_of(person).values("pk"), asked_at__gte=since).delete()
    return bool(mine.delete()[0])


def cancel_erasure(person: User) -> None:
    """Withdraw, for the clinic, a request that the person did not make themselves; mail the person if they were notified of it.

    Raises `ValidationError` if they made it themselves.
    """
    erasure = Erasure.objects.filter(person=person).first()
    if erasure and erasure.why == Why.REQUEST:
        raise ValidationError(_("The person asked for it themselves: only they can call it off."))
    if not (take_back(person) and erasure and erasure.told_at and person.is_active):
        return
    try:
        with override(person.language):
            text = _(
                "Your teleder account was to be deleted. The clinic has called that off: it stays as it is."
            )
            send_mail(
                _("Your teleder account stays"), text, None, [reader.email for reader in person.readers]
            )
    except Exception as error:  # noqa: BLE001  (it is withdrawn in any case, and the page says so)
        log.warning("the mail about a withdrawn erasure was not sent (%s)", type(error).__name__)


def notify_people() -> int:
    """Mail people that they will be erased and how to stop it; return how many were mailed."""
    told = 0
    untold = Erasure.objects.filter(told_at=None, person__is_active=True).select_related("person")
    for erasure in untold[:AT_ONCE]:
        if not Erasure.objects.filter(pk=erasure.pk, told_at=None).update(told_at=Now()):
            continue
        try:
            with override(erasure.person.language):
                title = _("Your teleder account will be deleted")
                if erasure.person.email is None:
                    title = _("Your child's record at teleder will be deleted")
                for reader in erasure.person.readers:
                    send_mail(title, _mail(erasure), None, [reader.email])
        except Exception as error:  # noqa: BLE001  (the next round tries again; no other duty waits for a mail server)
            log.warning("the mail about an erasure was not sent (%s)", type(error).__name__)
            Erasure.objects.filter(pk=erasure.pk).update(told_at=None)
        else:
            told += 1
    return told


def _mail(erasure: Erasure) -> str:
    words = {
        "why": erasure.get_why_display(),
        "day": f"{timezone.localtime(erasure.due_at, zone_of(erasure.person)):%Y-%m-%d}",
        "link": settings.PUBLIC_URL + reverse("web:data"),
    }
    if erasure.person.email is None:
        words["link"] = settings.PUBLIC_URL + reverse("web:child_data", args=[erasure.pk])
        return (
            _(
                "The record of your child at teleder will be deleted, not before %(day)s (reason: %(why)s). "
                "If you do not want that, log in before and choose to keep it: %(link)s"
            )
            % words
        )
    return (
        _(
            "Your teleder account and all that belongs to it will be deleted, not before %(day)s (reason: %(why)s). "
            "If you do not want that, log in before and choose to keep it: %(link)s"
        )
        % words
    )


# --- What it waits for ------------------------------------------------------------------------------------
def waits_for(person: User) -> list[str]:
    """Return the reasons, as texts for the person, for which the erasure waits in addition to its day."""
    reasons = []
    if person.pk in {row["person"] for row in holds.held().filter(person=person)}:
        reasons.append(
            _(
                "For now, the law requires the clinic to keep your data. It will be deleted when that time is over."
            )
        )
    if _unanswered(person.pk).exists():
        days = retention_policy().open_case_days
        reasons.append(
            _(
                "A consultation of yours is not answered yet. The dermatologist answers it first, within %(days)s more days at most. You can withdraw it if you don't want an answer."
            )
            % {"days": days}
        )
    if _answered_within(person.pk, timedelta(days=retention_policy().answer_days)).exists():
        reasons.append(
            _("An answer arrived recently. You can read it for %(days)s days first.")
            % {"days": retention_policy().answer_days}
        )
    if retention_policy().record_duty_first and _answered_within(person.pk, record_age()).exists():
        reasons.append(_("The clinic has to keep medical records for some years. Then your data is deleted."))
    if only_children_of(person).exists():
        reasons.append(
            _("The records of your children are deleted first, each when nothing stands against it.")
        )
    return reasons


def _unanswered(person: UUID | OuterRef) -> QuerySet[Submission]:
    return Submission.objects.filter(case__patient=person, status__in=AWAITING_DERMATOLOGIST)


def _answered_within(person: UUID | OuterRef, age: timedelta) -> QuerySet[Review]:
    return Review.objects.filter(submission__case__patient=person, signed_at__gt=Now() - age)


def record_age() -> timedelta:
    return retention_policy().purposes["medical_record"].age


def ready() -> QuerySet[Erasure]:
    """Return the erasures that can be carried out: their day has come, no hold, no dermatologist at work."""
    person, patience = OuterRef("person"), Now() - timedelta(days=retention_policy().open_case_days)
    due = Erasure.objects.filter(due_at__lte=Now()).exclude(person__in=holds.held())
    # First the children for whom nobody else answers, each with what it waits for itself.
    others = Guardianship.objects.filter(child=OuterRef("child")).exclude(guardian=OuterRef("guardian"))
    due = due.exclude(Exists(Guardianship.objects.filter(~Exists(others), guardian=person)))
    # A claimed case is never erased while a dermatologist works on it: idle claims end by themselves.
    due = due.exclude(Exists(_unanswered(person).filter(status=Status.IN_REVIEW)))
    due = due.filter(~Exists(_unanswered(person)) | Q(due_at__lte=patience))
    # The person must be able to read an answer that came after the day: it may say "today".
    answered = _answered_within(person, timedelta(days=retention_policy().answer_days))
    if retention_policy().record_duty_first:
        answered = _answered_within(person, record_age())
    return due.exclude(Exists(answered))


# --- Carrying out -----------------------------------------------------------------------------------------
def carry_out() -> int:
    """Erase everybody whose day has come; return how many people."""
    done = 0
    for person in list(ready().values_list("pk", flat=True)[:AT_ONCE]):
        try:
            with transaction.atomic():
                erased = lock(person) and bool(ready().filter(pk=person)) and bool(_erase(person))
        except OperationalError as error:  # another transaction holds one of their rows: next round
            log.info("an erasure gave way (%s)", type(error).__name__)
        else:
            done += erased
    if done:
        remnants.clear()
    return done


def lock(person: UUID, *, wait: bool = False) -> bool:
    """Lock the person's rows until the transaction ends; false if there is no such patient.

    Raises `OperationalError` if another transaction holds them, unless it shall `wait`.
    """
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL lock_timeout = 0" if wait else LOCK_TIMEOUT)
    found = User.objects.select_for_update(no_key=True).filter(pk=person, role=Role.PATIENT).exists()
    list(Submission.objects.select_for_update(of=("self",)).filter(case__patient=person).values_list("pk"))
    return found


def _erase(person: UUID) -> Tombstone:
    erasure = Erasure.objects.get(pk=person)
    return erase_person(person, why=Why(erasure.why))


def erase_person(person: UUID, **tombstone: object) -> Tombstone:
    """Delete a person with all that belongs to them; in a transaction that has locked their rows (`lock`).

    Raises `IntegrityError` for a person under legal hold.
    """
    usual = {"person_sha256": trace_of(person), "policy": retention_policy().version}
    stone = Tombstone.objects.create(**usual | tombstone)
    erase_submissions(Submission.objects.filter(case__patient=person))
    remnants.leave([f"person/{person}"])
    belongings.forget_mentions(User.objects.get(pk=person))
    belongings.delete(belongings.OF_PERSON, [person])
    write_last_entry(Verb.ERASE, "privacy:erase", kind="tombstone", pk=stone.pk)
    return stone


def erase_submissions(rows: QuerySet[Submission]) -> int:
    """Delete submissions with their photos, answers and all other rows that belong to them; return how many."""
    pks = list(rows.select_for_update(of=("self",)).values_list("pk", flat=True))
    erase_files(Photo.objects.filter(submission__in=pks))
    belongings.delete_submissions(pks)
    return len(pks)


def erase_files(photos: QuerySet[Photo]) -> None:
    """Note the folders of photos, whose rows this transaction deletes, for removal after the commit."""
    remnants.leave(f"photos/{pk}" for pk in photos.values_list("pk", flat=True))


def erase_empty(cases: QuerySet[Case]) -> None:
    """Delete the cases without submissions, and with each those that were merged into it."""
    rows = Case.objects.filter(pk__in=list(cases.values_list("pk", flat=True)), submissions=None)
    empty = list(rows.values_list("pk", flat=True))
    merged = Case.objects.filter(merged_into__in=empty).values_list("pk", flat=True)
    belongings.delete(((Case, "pk"),), [*empty, *merged])


def write_last_entry(verb: Verb, door: str, **of: object) -> None:
    """Write the audit entry as the last step: every other lock of this transaction is taken by then."""
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
    entries.write_entry(verb, door, **of)
