"""A patient shares an answer by a link that ends: with the own doctor, a school, a relative."""

from __future__ import annotations

import hashlib
import secrets
from datetime import timedelta

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext as _

from teleder.cases.models import ShareLink, Submission
from teleder.cases.originals import RefusedError
from teleder.cases.transitions import WITH_ANSWER, IllegalMoveError

DAYS = (1, 7, 30)
AT_ONCE = 5


@transaction.atomic
def share(submission: Submission, *, days: int, with_photos: bool) -> tuple[ShareLink, str]:
    """Return a new link and its token, which is shown once.

    Raises `ValidationError`, `RefusedError`, and `IllegalMoveError` without an answer.
    """
    if days not in DAYS:
        raise ValidationError({"days": _("Please choose for how long the link works.")})
    rows = Submission.objects.select_for_update(of=("self",)).filter(status__in=WITH_ANSWER)
    if not rows.filter(pk=submission.pk):
        raise IllegalMoveError(_("There is no answer to share."))
    if submission.share_links.working().count() >= AT_ONCE:
        raise RefusedError("too_many_links", _("Please end one of your links first."))
    token = secrets.token_urlsafe(32)
    until = timezone.now() + timedelta(days=days)
    link = submission.share_links.create(
        token_sha256=_digest(token), with_photos=with_photos, expires_at=until
    )
    return link, token


def revoke(link: ShareLink) -> bool:
    """End a link; false if it had ended."""
    return bool(ShareLink.objects.working().filter(pk=link.pk).update(revoked_at=timezone.now()))


def by_token(token: str) -> ShareLink | None:
    """Return the link of a token, whether it still works or not."""
    rows = ShareLink.objects.select_related("submission__case__patient", "submission__case__clinic")
    return rows.filter(token_sha256=_digest(token)).first()


def note_opened(link: ShareLink) -> None:
    now = timezone.now()
    ShareLink.objects.filter(pk=link.pk).update(times_opened=F("times_opened") + 1, last_opened_at=now)


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
