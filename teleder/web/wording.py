"""Texts of codes for dermatologists: conditions, flags, faults, reasons why there is no crop."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext_lazy as _

from contract.messages import NoCropReason, QualityFault, Reason
from teleder.cases.ai_opinion import SOONER
from teleder.cases.held import Stop
from teleder.cases.triage import Origin
from teleder.cases.verdict import CONDITIONS

NO_CROP_REASONS = {
    NoCropReason.NO_SKIN: _("No area was cropped: no skin was found."),
    NoCropReason.NO_LESION: _("No area was cropped: the AI marked no lesion."),
    NoCropReason.TOO_LITTLE_SKIN: _("No area was cropped: no area has enough skin."),
    NoCropReason.TOO_LITTLE_LESION: _("No area was cropped: no area has enough lesion."),
}
FAULTS = {
    QualityFault.TOO_DARK: _("too dark"),
    QualityFault.TOO_BRIGHT: _("too bright"),
    QualityFault.BLURRED: _("blurred"),
    QualityFault.GLARE: _("glare"),
    QualityFault.NOT_A_PHOTO: _("may not be a photo"),
    QualityFault.TOO_SMALL: _("too small"),
}
REASONS = {
    Reason.EMPTY_FILE: _("empty file"),
    Reason.UNSUPPORTED_FORMAT: _("unsupported file format"),
    Reason.CORRUPT_IMAGE: _("damaged file"),
    Reason.TRUNCATED_IMAGE: _("incomplete file"),
    Reason.TOO_MANY_PIXELS: _("too many pixels"),
    Reason.FILE_TOO_LARGE: _("file too large"),
    Reason.IMAGE_TOO_SMALL: _("too small"),
    Reason.POOR_QUALITY: _("poor quality"),
}
ANSWER_FLAGS = {
    "very_ill": _("very unwell"),
    "eye_symptoms": _("rash near an eye with eye symptoms"),
    "skin_dying": _("very painful, dusky or peeling skin"),
    "newborn_with_blisters": _("newborn with blisters"),
    "near_eye": _("rash near an eye"),
    "grouped_blisters": _("grouped blisters"),
    "painful_or_sudden": _("painful or suddenly worse"),
    "fever": _("fever"),
    "cold_sore": _("cold sore or contact"),
    "spreading": _("spreading fast"),
    "crusts": _("crusts or weeping"),
    "crusts_many": _("large blisters or many areas"),
    "lasting_patch": _("same patch for over six months"),
    "not_sure": _("unsure about a same-day warning sign"),
    "weak_immunity": _("weak immune system"),
    "baby_or_pregnant": _("baby or pregnant"),
    "corrected": _("answers corrected from the same day"),
    "eye_region": _("around the eyes"),
    "face": _("face"),
    "genital": _("groin or genitals"),
}
STOPS = {  # why a signed answer was not sent
    Stop.QUESTION: _("the patient asked a question"),
    Stop.PHOTO: _("the patient sent a photo"),
    Stop.ANSWERS: _("the patient answered a question about warning signs"),
    Stop.SENT_MORE: _("the patient sent something new"),
    Stop.URGENCY: _("the urgency rose"),
    Stop.SIGNER: _("who signed may no longer log in"),
    Stop.REOPENED: _("the answer is no longer in force"),
}
PHOTO_FLAGS = {
    "unreadable": _("no readable photo"),
    "no_box": _("no area suitable for close analysis"),
}


def condition(code: str) -> str:
    """Return the name of a condition; an unknown code as it is."""
    return str(CONDITIONS.get(code, code))


def flag_text(flag: Mapping[str, Any]) -> str:
    """Return the text of a stored flag; a code of another policy version as it is."""
    origin, code = flag["origin"], flag["code"]
    if origin == Origin.MODEL:
        if code == SOONER:
            return _("AI: look sooner (why: later)")
        if code == "abstained":
            return _("AI: names no condition")
        return _("AI: %(condition)s cannot be ruled out") % {"condition": condition(code)}
    if origin == Origin.HUMAN:
        return _("set by a dermatologist")
    return (ANSWER_FLAGS if origin == Origin.ANSWERS else PHOTO_FLAGS).get(code, code)
