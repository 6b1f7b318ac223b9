"""What is wrong with the storage of photos, for an admin."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from django.conf import settings
from django.utils import timezone
from django.utils.timesince import timesince
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from teleder.backups.models import is_overdue
from teleder.notifications.runbook import AlertKind
from teleder.web.operations.problem import Problem
from teleder.web.operations.storage import StorageState


def storage_is_away(storage: StorageState) -> Problem | None:
    if storage.is_ours:
        return None
    return Problem(
        AlertKind.STORAGE,
        _("The storage of photos is not there: %(place)s") % {"place": settings.PHOTO_STORAGE},
        _("They can send no photo, and see none. Nothing that was sent is lost."),
        _("Mount the disk. After an installation or a restore, run `manage.py init_storage`."),
        meaning=_("It does not answer, or lacks the mark of this database."),
        doctors=_("They see no photo."),
    )


def storage_full(storage: StorageState) -> Problem | None:
    if not storage.is_full:
        return None
    return Problem(
        AlertKind.STORAGE_FULL,
        _("The storage of photos is full."),
        _("They cannot send a photo now; the app tries again by itself. No photo is lost."),
        _("Make the disk larger. What waits for room then goes on by itself."),
        meaning=_("There is no room for another photo or copy. Jobs wait, and none is given up for it."),
        doctors=_("Cases with their answers, and photos that were prepared before."),
    )


def storage_short(storage: StorageState) -> Problem | None:
    if not storage.is_short:
        return None
    return Problem(
        AlertKind.STORAGE_SHORT,
        _("The storage of photos is %(percent)d%% full.") % {"percent": storage.percent},
        _("Nothing yet. Once it is full, no photo can be sent."),
        _("Make the disk larger, or move the photos to a larger storage (`manage.py move_storage`)."),
        meaning=_("Photos of the next days may not fit.")
        if storage.days_left is None
        else _("At the growth of the last week it is full in %(days)d days.") % {"days": storage.days_left},
        doctors=_("Nothing yet."),
    )


def files_damaged(originals: int, copies: int) -> Iterator[Problem]:
    if originals:
        text = ngettext(
            "%(n)d photo is damaged in the storage.", "%(n)d photos are damaged in the storage.", originals
        )
        yield Problem(
            AlertKind.ORIGINAL_DAMAGED,
            text % {"n": originals},
            _("They see the photo as before, if its copy is whole. Nobody is shown a damaged photo."),
            _(
                "Put the files back from the backup: `manage.py check_files` names them. Have the disk checked."
            ),
            meaning=_("The file that the patient sent was changed, exchanged or removed."),
            doctors=_("The copy as before, if it is whole. If it is not, ask the patient for a new photo."),
        )
    if copies:
        text = ngettext(
            "%(n)d copy of a photo was damaged since yesterday.",
            "%(n)d copies of photos were damaged since yesterday.",
            copies,
        )
        yield Problem(
            AlertKind.COPY_DAMAGED,
            text % {"n": copies},
            _(
                "For some seconds they do not see the photo. Nobody is shown a damaged photo, or another person's."
            ),
            _("Copies are made again from the original by themselves. Have the disk checked."),
            meaning=_("Copies in the storage were changed, exchanged or removed."),
            doctors=_("For some seconds they do not see the photo."),
        )


def backup_overdue(newest: datetime | None) -> Problem | None:
    if not is_overdue(newest, timezone.now()):
        return None
    return Problem(
        AlertKind.BACKUP_OVERDUE,
        _("The last verified backup is %(time)s old.") % {"time": timesince(newest)}
        if newest
        else _("There is no verified backup."),
        _("Nothing now. If the disk were lost today, what they sent since would be gone."),
        _("See why in the log of the backup service, or run `manage.py backup create`."),
        meaning=_("No backup was made, or the last ones could not be read again."),
        doctors=_("Nothing now. Answers of that time would be gone, too."),
    )
