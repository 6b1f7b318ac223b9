"""What a patient can do about a photo: for each reason one remedy, in plain language."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from contract.photos import PhotoAdvice, QualityFault, Reason
from teleder.cases.models import Photo, PhotoState

REMEDIES = {
    QualityFault.TOO_DARK: _("The photo is too dark. Take it again near a window or under a bright lamp."),
    QualityFault.TOO_BRIGHT: _("The photo is too bright. Take it again away from direct sun, without flash."),
    QualityFault.BLURRED: _(
        "The photo is blurred. Hold the phone still, tap on the spot, and take it again."
    ),
    QualityFault.GLARE: _("The skin reflects the light. Turn a little from the light, and take it again."),
    QualityFault.NOT_A_PHOTO: _("This does not look like a photo of skin. Please choose another picture."),
    Reason.EMPTY_FILE: _("This file is empty. Please choose the photo again."),
    Reason.UNSUPPORTED_FORMAT: _("This is not a photo we can read. Please send JPEG, PNG, WebP or HEIC."),
    Reason.CORRUPT_IMAGE: _("This file is damaged. Please take the photo again."),
    Reason.TRUNCATED_IMAGE: _("Part of this file is missing. Please send the photo once more."),
    Reason.TOO_MANY_PIXELS: _("This picture is too large. Please take it with the phone's usual camera."),
    Reason.FILE_TOO_LARGE: _("This file is larger than 25 MB. Please send a smaller photo."),
    Reason.IMAGE_TOO_SMALL: _(
        "This picture is too small. Please send the photo itself, not a preview of it."
    ),
    Reason.POOR_QUALITY: _(
        "The photo is hard to read. Take it again in good light, holding the phone still."
    ),
    PhotoAdvice.NO_SKIN: _(
        "Skin cannot be made out in this photo. Hold the phone about 30 cm straight above the skin, and take it again."
    ),
    # Never that nothing was found: the patient sees it.
    PhotoAdvice.LESION_NOT_FOUND: _("Put the spot in the middle of the picture, and take it again."),
    # A dermatologist may ask for these two as well,
    PhotoAdvice.TOO_FAR: _("It was taken from too far away. Take it again from about 30 cm."),
    PhotoAdvice.TOO_NEAR: _("It was taken from too near. Take it again from about an arm's length."),
    # and for this beyond a photo's faults.
    "not_in_picture": _(
        "The spot is not all in the picture. Take it again with some healthy skin around it."
    ),
}


def remedy_for(photo: Photo) -> str:
    """Return what to do about a photo in the active language; empty for one that is good or being checked."""
    return str(REMEDIES.get(photo.fault) or REMEDIES.get(photo.reason) or REMEDIES.get(photo.advice) or "")


def state_for_patient(photo: Photo) -> str:
    """Return how a photo stands, in the active language: "good" only of one that was checked, else that it arrived."""
    if photo.state != PhotoState.READY:
        return str(photo.get_state_display())
    if photo.advice:
        return str(_("better taken again"))
    return str(_("arrived") if photo.check_result is None else _("good"))


def remedy_for_wish(wanted: str) -> str:
    """Return what to do when a dermatologist asks for another photo; `wanted` is one of `PhotosWanted`."""
    return str(REMEDIES.get(wanted, ""))
