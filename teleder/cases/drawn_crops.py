"""A dermatologist draws a crop and a lesion over the model's, and has the model read that crop too.

Both results stay side by side. What the model says of a drawn crop changes no urgency: its alarms have earned their figures on
the model's own crops.
"""

from __future__ import annotations

import logging
from enum import StrEnum

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from contract.drawn import SIDE_AT_LEAST, OptionalRuns, Rectangle
from contract.fields import InvalidMessageError, reader_of
from contract.messages import Stage
from teleder.accounts.models import User
from teleder.cases import ai_opinion, held, signatures, transitions
from teleder.cases.models import DrawnCrop, EventKind, Photo, Status, Submission
from teleder.cases.transitions import IllegalMoveError
from teleder.pipeline import queue
from teleder.pipeline.transitions import UNFINISHED

log = logging.getLogger(__name__)
DRAWN_CROPS_A_PHOTO = 20


@transaction.atomic
def draw_crop(photo: Photo, *, by: User, box: Rectangle, lesion: list[int] | None) -> DrawnCrop:
    """Keep what `by` drew on a photo of the case that they hold, and queue its analysis. The same drawn again is the same row.

    `lesion` is as in `contract.drawn`, None: as the model found it. Raises `ValidationError` for what lies outside the analysis copy,
    `IllegalMoveError` where `by` does not hold the case, and `NotOpenError` before the AI's opinion is open to them.
    """
    submission = photo.submission
    signatures.lock_and_refresh(submission)
    held.refuse_if_held(submission)
    if submission.status != Status.IN_REVIEW or submission.claimed_by_id != by.pk:
        raise IllegalMoveError(transitions.somebody_was_faster())
    ai_opinion.require_open(submission, by)
    photo = submission.photos.get(pk=photo.pk)
    if not may_be_drawn_on(photo, submission):
        raise IllegalMoveError(_("This photo cannot be analysed again now."))
    found = _checked(photo, box, lesion)
    drawn = list(photo.drawn_crops.all())
    last = drawn[-1] if drawn else None
    if last and last.author_id == by.pk and (last.box, last.lesion) == (box, found):
        return last
    if len(drawn) >= DRAWN_CROPS_A_PHOTO:
        raise IllegalMoveError(_("This photo was corrected as often as it can be."))
    queue.enqueue_drawn_crop(photo, priority=submission.urgency)
    sides = vars(box)
    row = DrawnCrop.objects.create(photo=photo, analysis=photo.analysis, author=by, lesion=found, **sides)
    submission.events.create(kind=EventKind.CROP_DRAWN, actor=by)
    log.info("drawn: a crop of photo %s", photo.pk)
    return row


def may_be_drawn_on(photo: Photo, submission: Submission) -> bool:
    """Whether the AI has read the photo and may still read it."""
    is_read = photo.analysis is not None and photo.analysis.is_classified
    return is_read and photo.removed_at is None and queue.ai_may_read(submission)


class DrawnCropState(StrEnum):
    """How the analysis of a drawn crop stands."""

    WAITING = "waiting"
    DONE = "done"
    FAILED = "failed"


def drawn_crops_of(photo: Photo) -> list[tuple[DrawnCrop, DrawnCropState]]:
    """Return what was drawn on a photo, the newest first, and how the analysis of each stands."""
    rows = list(photo.drawn_crops.select_related("author", "finding", "analysis").order_by("-at", "-id"))
    if not rows:
        return []
    is_waiting = photo.jobs.filter(stage=Stage.REANALYSE, state__in=UNFINISHED).exists()
    return [(row, _state_of(row, is_waiting=is_waiting and row == rows[0])) for row in rows]


def _state_of(row: DrawnCrop, *, is_waiting: bool) -> DrawnCropState:
    if hasattr(row, "finding"):
        return DrawnCropState.DONE
    return DrawnCropState.WAITING if is_waiting else DrawnCropState.FAILED


def _checked(photo: Photo, box: Rectangle, lesion: list[int] | None) -> list[int] | None:
    width, height = photo.analysis_width, photo.analysis_height
    least = min(SIDE_AT_LEAST, width, height)
    errors = {}
    if not box.is_inside(width, height):
        errors["box"] = _("The crop must lie inside the photo.")
    elif min(box.width, box.height) < least:
        errors["box"] = _("The crop is too small: each side needs %(n)d pixels.") % {"n": least}
    try:
        runs = _runs(lesion)
    except InvalidMessageError:
        runs = ()
    if runs is not None and sum(runs) != width * height:
        errors["lesion"] = _("The lesion does not fit the photo.")
    if errors:
        raise ValidationError(errors)
    return None if runs is None else list(runs)


def _runs(lesion: list[int] | None) -> tuple[int, ...] | None:
    return reader_of(OptionalRuns)(lesion)
