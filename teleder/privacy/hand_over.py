"""A child who has grown up takes over their record: by a link that the guardian has sent to the child's own address."""

from __future__ import annotations

import logging

from allauth.account.models import EmailAddress
from django.conf import settings
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.mail import send_mail
from django.db import transaction
from django.db.models import Exists, OuterRef
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import get_language, override
from django.utils.translation import gettext as _

from teleder.accounts.guardians import ChildInvitation
from teleder.accounts.models import INVITATION_DAYS, Language, Purpose, User
from teleder.accounts.normalisation import normalise_email
from teleder.accounts.people import has_account
from teleder.audit import entries
from teleder.audit.models import Verb
from teleder.cases import consents
from teleder.cases.models import Case
from teleder.notifications.models import Message
from teleder.privacy.models import Erasure

log = logging.getLogger(__name__)

TAKE_OVER = ChildInvitation.Kind.TAKE_OVER


def is_due(child: User) -> bool:
    """Whether the child is old enough to decide alone."""
    return not child.patient.may_be_under(settings.AGE_OF_CONSENT_YEARS)


@transaction.atomic
def send_link(child: User, *, email: str) -> ChildInvitation:
    """Mail the link by which the child takes over; a link sent before stops working. Where the mail fails, nothing changed.

    Raises `ValidationError` for a child that is too young.
    """
    if not is_due(child):
        text = _("A record is handed over from the age of %(years)d.")
        raise ValidationError(text % {"years": settings.AGE_OF_CONSENT_YEARS})
    row, token = ChildInvitation.issue(child, TAKE_OVER, email=normalise_email(email), days=INVITATION_DAYS)
    words = {
        "link": settings.PUBLIC_URL + reverse("web:take_over", args=[token]),
        "until": f"{timezone.localtime(row.expires_at):%Y-%m-%d}",
    }
    texts = []
    for language in Language.values:  # which one the receiver reads is not known yet
        with override(language):
            texts.append(
                _(
                    "Your guardian hands your record at teleder over to you. Choose your own password here: %(link)s\n"
                    "The link works once, until %(until)s. If you do not know what this is, do nothing."
                )
                % words
            )
    send_mail("teleder", "\n\n".join(texts), None, [row.email])
    return row


def stop(child: User) -> None:
    """Make an open link useless; a second call changes nothing."""
    ChildInvitation.objects.filter(child=child, kind=TAKE_OVER).delete()


def take_over(token: str, *, password: str) -> User | None:
    """Give the child their own account; from now on the guardians see nothing of it, and a mail tells them. `None` for a link that
    no longer works.

    The guardians' consents end: the grown-up is asked for their own. Raises `ValidationError` for a password that is refused
    and for an address that has an account.
    """
    with transaction.atomic():
        invitation = ChildInvitation.objects.by_token(token, TAKE_OVER)
        if invitation is None:
            return None
        child = User.objects.select_for_update().get(pk=invitation.child_id)
        email, guardians = invitation.email, [row.guardian for row in child.guardians]
        validate_password(password, User(email=email, name=child.name))
        # Two requests at once: the second finds no row.
        if not ChildInvitation.objects.filter(
            pk=invitation.pk, token_sha256=invitation.token_sha256
        ).delete()[0]:
            return None
        User.objects.never_confirmed().filter(email__iexact=email).delete()
        if has_account(email):
            raise ValidationError(
                _("This address has an account already. Please ask your guardian to use another one.")
            )
        child.email, child.language = email, (get_language() or Language.JA)[:2]
        child.set_password(password)
        child.save()
        EmailAddress.objects.create(user=child, email=child.email, verified=True, primary=True)
        for purpose in Purpose:
            consents.withdraw_consent(child, purpose)
        child.child_invitations.all().delete()
        child.guardianships.all().delete()
        for guardian in guardians:
            _move_messages(guardian, child)
        # What the guardians asked for, is for the grown-up to ask.
        Erasure.objects.filter(person=child).delete()
        cases = list(Case.objects.filter(patient=child).values_list("pk", flat=True))
    child = User.objects.get(pk=child.pk)
    entries.write_entry(
        Verb.HAND_OVER, "web:take_over", by=child, kind="user", pk=child.pk, cases=sorted(cases)
    )
    for guardian in guardians:
        mail_guardian(guardian)
    return child


def _move_messages(guardian: User, child: User) -> None:
    """Give the child what the guardian was told; of several guardians' messages about the same one copy."""
    mine = Message.objects.filter(person=guardian, event__submission__case__patient=child)
    same = Message.objects.filter(person=child, event=OuterRef("event"), channel=OuterRef("channel"))
    mine.filter(~Exists(same)).update(person=child)
    mine.delete()


def mail_guardian(guardian: User) -> None:
    """Mail somebody that they no longer see a child's record: without a name, and nothing about health."""
    try:
        with override(guardian.language):
            text = _(
                "You no longer see the record of a child at teleder: it was handed over to the child, or another guardian looks "
                "after it now. Nothing of it was deleted. Other children in your account stay as they are."
            )
            send_mail(_("A child's record at teleder"), text, None, [guardian.email])
    except Exception as error:  # noqa: BLE001  (it is done in any case)
        log.warning("the mail about the end of a guardianship was not sent (%s)", type(error).__name__)
