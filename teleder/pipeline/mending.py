"""Lets damaged copies be made again from their original, and closes a damage once the file is whole."""

from __future__ import annotations

import logging
from datetime import timedelta
from functools import partial

from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now

from contract import messages
from contract.messages import Stage
from contract.storage import StorageUnavailableError
from teleder.cases import storage_mark
from teleder.cases.file_checks import PICTURES, file_of, is_whole
from teleder.cases.models import Analysis, DamagedFile, Job, JobState, Photo, StoredFile
from teleder.cases.stored_files import MADE_BY, note_damage
from teleder.pipeline import dispatch, queue
from teleder.pipeline.transitions import JobStep, move_jobs

log = logging.getLogger(__name__)
AT_ONCE = 20
OF_FILES = (
    messages.FILE_MISSING,
    messages.ORIGINAL_LOCKED,
)  # why a job failed although its photo may be good
LOOK_SECONDS = (2, 3, 5, 10, 30, 60, 300, 1800)  # until the next look, each time longer


def mend() -> int:
    """Look at the damaged files whose time has come; return how many are whole again."""
    due = DamagedFile.objects.filter(mended_at=None, due_at__lte=Now()).select_related("photo")
    due = list(due.order_by("due_at")[:AT_ONCE])
    if not due or not storage_mark.is_ours():  # nothing can be told of a disk that is not there
        return 0
    return sum(map(mend_file, due))


def mend_file(damage: DamagedFile) -> bool:
    """Let a damaged file be made again; return whether it is whole."""
    wait = timedelta(seconds=LOOK_SECONDS[min(damage.tries, len(LOOK_SECONDS) - 1)])
    mine = DamagedFile.objects.filter(pk=damage.pk, tries=damage.tries, mended_at=None)
    if not mine.update(tries=F("tries") + 1, due_at=Now() + wait):  # another sweeper has it
        return False
    photo, name = damage.photo, StoredFile(damage.name)
    original = file_of(photo, StoredFile.ORIGINAL)
    try:
        file = file_of(photo, name)
        if file is None or is_whole(file):
            _close(damage)
            return True
        if name == StoredFile.ORIGINAL:
            return False
        if not is_whole(original):
            note_damage(photo.pk, StoredFile.ORIGINAL)
            return False
    except StorageUnavailableError as error:
        log.warning("a damaged file cannot be looked at (%s)", error)
        return False
    _make_again(photo, MADE_BY[name])
    return False


@transaction.atomic
def _close(damage: DamagedFile) -> None:
    """A file is whole again: what could not be made of it is tried again."""
    submission = queue.lock_photo(damage.photo)
    DamagedFile.objects.filter(pk=damage.pk).update(mended_at=Now())
    log.info("photo %s: %s is whole", damage.photo_id, damage.name)
    if damage.name == StoredFile.ORIGINAL:
        DamagedFile.objects.filter(photo=damage.photo, mended_at=None).update(tries=0, due_at=Now())
    failed = Job.objects.filter(photo=damage.photo, state=JobState.FAILED, error__in=OF_FILES)
    if damage.name == StoredFile.ORIGINAL:
        _queue_again(failed.filter(stage__in=messages.FROM_ORIGINAL), JobStep.REQUEUE)
    elif damage.name == StoredFile.ANALYSIS and queue.ai_may_read(submission):
        _queue_again(failed.exclude(stage__in=messages.FROM_ORIGINAL), JobStep.REQUEUE)


@transaction.atomic
def _make_again(photo: Photo, stage: Stage) -> None:
    """Queue the stage that makes the file. The findings of an analysis stay as they are: only its pictures are new."""
    submission = queue.lock_photo(photo)
    if stage == Stage.ANALYSE and not queue.ai_may_read(submission):
        drop_pictures(photo.analysis)
        return
    _queue_again(Job.objects.filter(photo=photo, stage=stage), JobStep.MAKE_AGAIN)


def _queue_again(jobs, step: JobStep) -> None:
    stages = tuple(map(Stage, jobs.values_list("stage", flat=True)))
    if move_jobs(jobs, step, deaths=0, error="", finished_at=None, created_at=Now()):
        transaction.on_commit(partial(dispatch.dispatch_all, stages))


def waits_for_pictures(photo: Photo) -> bool:
    """Whether an analysis that comes now was asked for because of a damaged picture."""
    return DamagedFile.objects.filter(photo=photo, name__in=PICTURES, mended_at=None).exists()


def drop_pictures(analysis: Analysis) -> None:
    """Show no picture of this analysis any more: it cannot be made again as it was."""
    pictures = {f"{name}_{part}": "" for name in PICTURES for part in ("key", "sha256")}
    Analysis.objects.filter(pk=analysis.pk).update(**pictures)
