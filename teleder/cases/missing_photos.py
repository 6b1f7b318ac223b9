"""Which photos a submission should have and lacks, and why its patient sends none of them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from teleder.cases.models import Kind, MissingPhoto, Photo, PhotoState, PhotoView, Status, Submission
from teleder.cases.transitions import EDITABLE, IllegalMoveError
from teleder.cases.triage import Urgency

ASKED = (PhotoView.OVERVIEW, PhotoView.CLOSE_UP)


def missing_photos(
    submission: Submission, photos: Iterable[Photo] | None = None
) -> list[tuple[str, PhotoView]]:
    """Return place and view of each photo to ask for: an overview and a close-up of any place, and of a first submission
    one photo of each place. The place is empty while none is chosen. `photos` are the current ones, where they were read."""
    found = _usable(submission, photos)
    places = [str(place) for place in submission.case.body_places] or [""]
    have = {view for _place, view in found}
    shown = {place or places[0] for place, _view in found}
    wanted = [
        (place, PhotoView.OVERVIEW)
        for place in places
        if place not in shown and (submission.kind == Kind.FIRST or not shown)
    ]
    asked = have | {view for _place, view in wanted}
    wanted += [(places[0], view) for view in ASKED if view not in asked]
    return sorted(wanted, key=lambda photo: (places.index(photo[0]), ASKED.index(photo[1])))


def _usable(submission: Submission, photos: Iterable[Photo] | None) -> list[tuple[str, str]]:
    if photos is None:
        usable = submission.current_photos().exclude(state=PhotoState.UNUSABLE)
        return list(usable.values_list("place", "view"))
    return [(photo.place, photo.view) for photo in photos if photo.state != PhotoState.UNUSABLE]


def said_of_missing(submission: Submission, photos: Iterable[Photo]) -> tuple[str, str] | None:
    """Return what is missing, and why in the patient's words; `None` where nothing is missing or nobody said why."""
    missing = missing_photos(submission, photos)
    if not (missing and submission.missing_photo):
        return None
    places = {str(place): place.label for place in submission.case.body_places}
    shown = {place or next(iter(places), "") for place, _view in _usable(submission, photos)}
    names = []
    for place, view in missing:
        if len(places) < 2:
            names.append(str(view.label))
        elif place in shown:
            names.append(_("%(place)s: %(view)s") % {"place": places[place], "view": view.label})
        else:
            names.append(_("%(place)s: no photo") % {"place": places[place]})
    is_whole_place = len(places) > 1 and any(place not in shown for place, _view in missing)
    # Translators: between the places of a list
    return str(_(", ")).join(dict.fromkeys(names)), reasons(is_whole_place=is_whole_place)[
        submission.missing_photo
    ]


def reasons(*, is_whole_place: bool) -> dict[str, str]:
    """Return why a photo may be missing, in words; `is_whole_place`: one of several places has none at all."""
    words = {str(value): str(label) for value, label in MissingPhoto.choices}
    return words | {MissingPhoto.OTHER.value: _("Another reason")} if is_whole_place else words


def is_reason_wanted(submission: Submission) -> bool:
    """Whether the patient must say why a photo is missing: never of answers that mean "today", nor after the first sending."""
    is_calm = submission.rule_urgency < Urgency.SAME_DAY and submission.status == Status.DRAFT
    return is_calm and not submission.missing_photo and bool(missing_photos(submission))


def explain_missing_photo(submission: Submission, because: Any) -> None:
    """Keep why the patient does not send a photo that is asked for. Raises `ValidationError`, `IllegalMoveError`."""
    if because not in MissingPhoto.values:
        raise ValidationError({"because": _("Please choose a reason.")})
    mine = Submission.objects.filter(pk=submission.pk, status__in=EDITABLE)
    if not mine.update(missing_photo=because):
        raise IllegalMoveError(_("This was already sent."))
    submission.missing_photo = because
