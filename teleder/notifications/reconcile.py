"""What admins are mailed about the record: what the nightly check found, and originals that are damaged."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from django.core.mail import send_mail
from django.db.models.functions import Now
from django.utils import translation
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from teleder.accounts.models import Role, User
from teleder.cases.invariants import broken
from teleder.cases.models import DamagedFile, StoredFile

log = logging.getLogger(__name__)


def reconcile() -> list[str]:
    """Check every invariant that reads no file and mail the admins the names of those that are broken, and no more;
    return them."""
    names = [name for name, _rows in broken(reads_files=False)]
    if names:
        body = _(
            "The nightly check of the record found something that does not fit together:\n\n%(names)s\n\n"
            "`manage.py check_record` names the rows. docs/running.md says what each line means."
        )
        everybody = User.objects.filter(role=Role.ADMIN, is_active=True)
        _mail(everybody, _("teleder: the record needs a look"), body, names="\n".join(names))
    return names


def tell_of_damaged_originals() -> int:
    """Mail the admins of each clinic that has one, once for each file; return how many files."""
    found = DamagedFile.objects.filter(name=StoredFile.ORIGINAL, mended_at=None, told_at=None, tries__gt=0)
    told = 0
    for damage in found.select_related("photo__submission")[:20]:
        mine = DamagedFile.objects.filter(pk=damage.pk, told_at=None)
        if not mine.update(told_at=Now()):  # of two sweepers one tells
            continue
        clinic = damage.photo.submission.clinic_id
        admins = User.objects.filter(role=Role.ADMIN, is_active=True, clinic=clinic)
        body = _(
            "A stored photo is no longer as the patient sent it (photo %(photo)s). Nobody is shown the damaged file. The copy "
            "that pages show is another file, which is checked each time before it is shown.\n\nPut the file back from the "
            "backup. The alarm on the operations page then ends by itself."
        )
        if _mail(admins, _("teleder: a stored photo is damaged"), body, photo=damage.photo_id):
            told += 1
        else:
            DamagedFile.objects.filter(pk=damage.pk).update(told_at=None)
    return told


def _mail(admins: Iterable[User], subject: str | Promise, body: str | Promise, **values: object) -> bool:
    """Send each admin a mail in their language; return whether none failed."""
    failed = False
    for admin in admins:
        with translation.override(admin.language):
            words = str(subject), str(body) % values
        try:
            send_mail(*words, None, [admin.email])
        except OSError as error:  # the other admins must still get it
            log.error("an admin did not get a mail about the record: %s", type(error).__name__)
            failed = True
    return not failed
