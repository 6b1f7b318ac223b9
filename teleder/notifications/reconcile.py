"""The nightly check of the record: admins get a mail when an invariant is broken."""

from __future__ import annotations

import logging

from django.core.mail import send_mail
from django.utils import translation
from django.utils.translation import gettext as _

from teleder.accounts.models import Role, User
from teleder.cases.invariants import broken

log = logging.getLogger(__name__)


def reconcile() -> list[str]:
    """Check every invariant and mail the admins the names of those that are broken, and no more; return them."""
    names = [name for name, _rows in broken()]
    admins = User.objects.filter(role=Role.ADMIN, is_active=True) if names else User.objects.none()
    for admin in admins:
        with translation.override(admin.language):
            body = _(
                "The nightly check of the record found something that does not fit together:\n\n%(names)s\n\n"
                "`manage.py check_record` names the rows. docs/reliability.md says what each line means."
            )
            subject, body = _("teleder: the record needs a look"), body % {"names": "\n".join(names)}
        try:
            send_mail(subject, body, None, [admin.email])
        except OSError as error:  # the other admins must still get it
            log.error("an admin did not get the mail that the record is broken: %s", type(error).__name__)
    return names
