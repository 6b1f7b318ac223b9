"""Further guardians of a child: one invites, the other agrees for the child and joins; they leave, but for the last one."""

from __future__ import annotations

from allauth.account.models import EmailAddress
from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.mail import send_mail
from django.db import transaction
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import override

from teleder.accounts.children import CHILDREN_LIMIT
from teleder.accounts.guardians import ChildInvitation, Guardianship, Relation
from teleder.accounts.models import INVITATION_DAYS, Language, Purpose, User
from teleder.accounts.normalisation import normalise_email
from teleder.accounts.people import give_consent
from teleder.cases import consents
from teleder.notifications.models import Message
from teleder.privacy.hand_over import is_due, mail_guardian

GUARDIANS_LIMIT = 4
GUARDIAN = ChildInvitation.Kind.GUARDIAN


@transaction.atomic
def invite_guardian(child: User, *, email: str) -> ChildInvitation:
    """Mail the link by which another guardian joins; one sent before stops working. Where the mail fails, nothing changed.

    Raises `ValidationError` for a grown-up child, too many guardians, and an address of a guardian.
    """
    if is_due(child):
        raise ValidationError(_("This record is to be handed over now: no guardian is added."))
    guardians, email = child.guardians, normalise_email(email)
    if len(guardians) >= GUARDIANS_LIMIT:
        raise ValidationError(_("A child has at most %(n)d guardians here.") % {"n": GUARDIANS_LIMIT})
    if any(_has_address(row.guardian, email) for row in guardians):
        raise ValidationError(_("This person is a guardian already."))
    row, token = ChildInvitation.issue(child, GUARDIAN, email=email, days=INVITATION_DAYS)
    words = {
        "link": settings.PUBLIC_URL + reverse("web:join", args=[token]),
        "until": f"{timezone.localtime(row.expires_at):%Y-%m-%d}",
    }
    texts = []
    for language in Language.values:  # which one the receiver reads is not known yet
        with override(language):
            texts.append(
                _(
                    "A guardian invites you to look after a child's record at teleder together. "
                    "Log in with this address, or create an account: %(link)s\n"
                    "The link works once, until %(until)s. If you do not know what this is, do nothing."
                )
                % words
            )
    send_mail("teleder", "\n\n".join(texts), None, [row.email])
    return row


def cancel_invitation(child: User) -> None:
    """Make an open link useless; a second call changes nothing."""
    ChildInvitation.objects.filter(child=child, kind=GUARDIAN).delete()


def is_for(invitation: ChildInvitation, person: User) -> bool:
    """Whether a person may use an invitation: it was sent to an address of theirs, at the child's clinic."""
    return _has_address(person, invitation.email) and person.clinic_id == invitation.child.clinic_id


def _has_address(person: User, email: str) -> bool:
    return EmailAddress.objects.filter(user=person, verified=True, email__iexact=email).exists()


@transaction.atomic
def join(token: str, *, by: User, relation: Relation, purposes: list[Purpose]) -> User | None:
    """Make a person a guardian, with their consents for the child; `None` for a link that no longer works.

    What they do not agree to ends for the child: a consent counts where each guardian agrees. Raises `ValidationError`.
    """
    by = User.objects.select_for_update().get(pk=by.pk)
    if hasattr(by, "erasure"):
        raise ValidationError(_("Your account is to be erased. Keep it first, then add the child."))
    if by.children.count() >= CHILDREN_LIMIT:
        raise ValidationError(_("Please ask the clinic to add more children."))
    found = ChildInvitation.objects.by_token(token, GUARDIAN)
    child = found and User.objects.select_for_update().get(pk=found.child_id)
    # Two requests at once: the second finds no row.
    if not (child and is_for(found, by) and ChildInvitation.objects.filter(pk=found.pk).delete()[0]):
        return None
    Guardianship.objects.get_or_create(child=child, guardian=by, defaults={"relation": relation})
    for purpose in purposes:
        give_consent(child, purpose, by=by)
    if Purpose.AI not in purposes:
        consents.stop_reading(child)
    return child


def may_remove(child: User, guardian: User, *, by: User) -> bool:
    """Whether `by` may end the guardianship: everybody their own, and that of who joined after them. One always stays."""
    order = [row.guardian_id for row in child.guardians]
    if by.pk not in order or guardian.pk not in order:
        return False
    staying = [row.guardian for row in child.guardians if row.guardian_id != guardian.pk]
    is_allowed = guardian == by or order.index(by.pk) < order.index(guardian.pk)
    return is_allowed and any(not hasattr(each, "erasure") for each in staying)


@transaction.atomic
def remove(child: User, guardian: User, *, by: User) -> bool:
    """End a guardianship: with its consents and messages, which the other guardians have, too. False where `by` may not.

    Who was removed by another guardian gets a mail.
    """
    child = User.objects.select_for_update().get(pk=child.pk)  # of two who leave at once, one stays
    if not may_remove(child, guardian, by=by):
        return False
    Guardianship.objects.filter(child=child, guardian=guardian).delete()
    mine = child.consents.not_withdrawn().filter(given_by=guardian)
    mine.update(withdrawn_at=timezone.now())
    Message.objects.filter(person=guardian, event__submission__case__patient=child).delete()
    if guardian != by:
        transaction.on_commit(lambda: mail_guardian(guardian))
    return True
