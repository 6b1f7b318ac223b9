"""Why a dermatologist asks a patient for another photo."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from contract.messages import QualityFault

WORDS_LENGTH = 300


class PhotosWanted(models.TextChoices):
    """Why another photo is asked for; each has one remedy, the same as a photo's fault."""

    BLURRED = QualityFault.BLURRED.value, _("it is blurred")
    TOO_DARK = QualityFault.TOO_DARK.value, _("it is too dark")
    TOO_BRIGHT = QualityFault.TOO_BRIGHT.value, _("it is too bright")
    GLARE = QualityFault.GLARE.value, _("the skin reflects the light")
    TOO_FAR = "too_far", _("it was taken from too far away")
    TOO_NEAR = "too_near", _("it was taken from too near")
    NOT_IN_PICTURE = "not_in_picture", _("the spot is not all in the picture")
