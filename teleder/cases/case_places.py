"""The places of a case: chosen in its first draft, and each photo belongs to one."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import Q
from django.utils.translation import gettext as _

from teleder.cases.body_places import BodyPlace
from teleder.cases.models import Case, Photo, Submission


def choose_places(submission: Submission, places: list[BodyPlace]) -> None:
    """Set the places of a draft's case. Raises `ValidationError`."""
    case = submission.case
    settled = submission.settled_places()
    # An app that gives only the site means the place that was settled, whatever its side.
    if settled and set(places) != set(settled) and places != [BodyPlace(settled[0].site)]:
        refusal = _("A follow-up is about the same place. For another one start a new consultation.")
        raise ValidationError({"places": refusal})
    if settled:
        return
    _keep_photos(case, places)
    case.places, case.body_site = [place.as_json() for place in places], places[0].site
    case.save(update_fields=["places", "body_site"])


def _keep_photos(case: Case, places: list[BodyPlace]) -> None:
    """Move photos to the place that corrects theirs; refuse to take away any other place that has photos."""
    before = case.body_places
    if not before:
        return
    gone = [place for place in before if place not in places]
    new = [place for place in places if place not in before]
    photos = Photo.objects.filter(submission__case=case, removed_at=None)
    photos.filter(place="").update(place=str(before[0]))
    for place in gone:
        theirs = photos.filter(place=str(place))
        same_site = [each for each in new if each.site == place.site]
        corrected = same_site if same_site else new if len(gone) == 1 else []
        if len(corrected) == 1:
            theirs.update(place=str(corrected[0]))
        elif theirs.exists():
            refusal = _("There are photos of this place: %(place)s. Please remove them first.")
            raise ValidationError({"places": refusal % {"place": place.label}})


def of_photo(case: Case, place: Any) -> str:
    """Return the place to store with a photo. Raises `ValidationError`."""
    places = [str(each) for each in case.body_places]
    if place in places:
        return place
    if place or len(places) > 1:
        raise ValidationError({"place": _("Please say which place this photo shows.")})
    return places[0] if places else ""


def earlier_photos(submission: Submission) -> dict[tuple[str, str], Photo]:
    """Return, by place and view, the patient's newest photo that was sent before: of this case, or of the same place."""
    case = submission.case
    places = [str(place) for place in case.body_places]
    if not places:
        return {}
    sent = Photo.objects.current().filter(submission__case__patient=case.patient_id)
    sent = sent.exclude(submission=submission).exclude(submission__submitted_at=None)
    sent = sent.filter(Q(submission__case=case) | Q(place__in=places)).exclude(thumbnail_key="")
    newest = sent.order_by("place", "view", "-created_at").distinct("place", "view")
    found = sorted(newest, key=lambda photo: photo.created_at)
    return {(photo.place or places[0], photo.view): photo for photo in found}
