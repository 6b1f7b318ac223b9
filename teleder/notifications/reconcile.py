"""The nightly look at the record: whoever runs the place is told when something does not fit together."""

from __future__ import annotations

from django.core.mail import send_mail
from django.utils import translation
from django.utils.translation import gettext as _

from teleder.accounts.models import Role, User
from teleder.cases.invariants import broken


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
            send_mail(
                _("teleder: the record needs a look"), body % {"names": "\n".join(names)}, None, [admin.email]
            )
    return names
