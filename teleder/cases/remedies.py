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
    QualityFault.TOO_SMALL: _(
        "This picture is too small. Please send the photo itself, not a preview of it."
    ),
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
        "We can't make out skin in this photo. Point the camera at the place that worries you, and take it again."
    ),
    # Never that nothing was found: the patient sees it.
    PhotoAdvice.LESION_NOT_FOUND: _("Put the spot in the middle of the picture, and take it again."),
    # A dermatologist may ask for these two as well,
    PhotoAdvice.TOO_FAR: _("It was taken from too far away. Take it again from about 30 cm."),
    PhotoAdvice.TOO_NEAR: _("It was taken too close. Take it again from about an arm's length."),
    # and for this beyond a photo's faults.
    "not_in_picture": _(
        "The spot is not all in the picture. Take it again with some healthy skin around it."
    ),
}

# The same in two or three words, on the picture.
SHORT = {
    QualityFault.TOO_DARK: _("Too dark"),
    QualityFault.TOO_BRIGHT: _("Too bright"),
    QualityFault.BLURRED: _("It is blurred"),
    QualityFault.GLARE: _("Reflection"),
    QualityFault.TOO_SMALL: _("Too small"),
    Reason.IMAGE_TOO_SMALL: _("Too small"),
    PhotoAdvice.NO_SKIN: _("No skin in view"),
    PhotoAdvice.LESION_NOT_FOUND: _("Not in the middle"),
    PhotoAdvice.TOO_FAR: _("Too far away"),
    PhotoAdvice.TOO_NEAR: _("Too close"),
}


# Their icons (teleder/web/drawings/icon-NAME.svg).
ICONS = {
    QualityFault.TOO_DARK: "sun",
    QualityFault.TOO_BRIGHT: "dark",
    QualityFault.BLURRED: "still",
    QualityFault.GLARE: "spark",
    QualityFault.NOT_A_PHOTO: "image",
    QualityFault.TOO_SMALL: "camera",
    Reason.IMAGE_TOO_SMALL: "camera",
    PhotoAdvice.NO_SKIN: "eye",
    PhotoAdvice.LESION_NOT_FOUND: "area",
    PhotoAdvice.TOO_FAR: "nearer",
    PhotoAdvice.TOO_NEAR: "distance",
}


def icon_of_remedy(photo: Photo) -> str:
    """Return the icon of what to do; for what has none of its own, that of a damaged file."""
    return ICONS.get(photo.fault) or ICONS.get(photo.reason) or ICONS.get(photo.advice) or "doc"


def is_better_retaken(photo: Photo) -> bool:
    """Whether the patient should take the photo again and has not chosen to send it as it is."""
    advised = photo.state == PhotoState.POOR or (photo.state == PhotoState.READY and photo.advice)
    return photo.state == PhotoState.UNUSABLE or bool(advised and not photo.sent_anyway)


def remedy_for(photo: Photo) -> str:
    """Return what to do about a photo in the active language; empty for one that is good or being checked."""
    return str(REMEDIES.get(photo.fault) or REMEDIES.get(photo.reason) or REMEDIES.get(photo.advice) or "")


def name_of_problem(photo: Photo) -> str:
    """Return in two or three words why a photo should be taken again."""
    named = SHORT.get(photo.fault) or SHORT.get(photo.reason) or SHORT.get(photo.advice)
    unnamed = _("Cannot be used") if photo.state == PhotoState.UNUSABLE else _("Hard to read")
    return str(named or unnamed)


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
