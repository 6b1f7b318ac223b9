"""What the AI says of one photo, as one sentence: first that fits, so that no two of them contradict.

The order is that of a submission's verdict on the web: an alarm is judged before the quality of the photo and before
what the model knows, so that a poor or odd photo never silences it.
"""

from __future__ import annotations

from dataclasses import dataclass

from contract.alarms import Condition
from contract.messages import Abstention, Classified, NoCropReason, Prepared, Segmented

NAMES = {
    Condition.AD: "atopic dermatitis",
    Condition.HI: "herpesvirus infection",
    Condition.IM: "impetigo",
    Condition.MF: "mycosis fungoides",
    Condition.OTHER: "another condition",
}
NO_CROP = {
    NoCropReason.NO_LESION: "the model marked no lesion, which does not mean that there is none",
    NoCropReason.TOO_LITTLE_LESION: "too little lesion for a crop",
    NoCropReason.TOO_LITTLE_SKIN: "too little skin around the lesion for a crop",
}
ABSTAINS = {
    Abstention.OUT_OF_SCOPE: "unlike the photos that the model learned from",
    Abstention.UNCERTAIN: "no condition stands out",
    Abstention.NO_SKIN: "no skin was found",
}


@dataclass(frozen=True, kw_only=True)
class PhotoVerdict:
    """`reason` is a short code to sort by: alarm, named, or why there is neither."""

    reason: str
    sentence: str


def ringing(found: Classified) -> tuple[Condition, ...]:
    """Return the conditions whose alarm rings; an alarm counts also where nothing is named."""
    return tuple(Condition(alarm.condition) for alarm in found.alarms if alarm.rings)


def verdict(
    prepared: Prepared, segmented: Segmented | None = None, classified: Classified | None = None
) -> PhotoVerdict:
    """Return the verdict on a photo; without the last two it was rejected."""
    if segmented is None or classified is None:
        code = str(prepared.reason)
        return PhotoVerdict(reason=code, sentence=f"Photo not usable: {code.replace('_', ' ')}.")
    if alarms := ringing(classified):
        names = " and ".join(NAMES[condition] for condition in alarms)
        return PhotoVerdict(reason="alarm", sentence=f"Cannot rule out {names}.")
    if prepared.fault:
        code = str(prepared.fault)
        return PhotoVerdict(reason=code, sentence=f"Photo not usable: {code.replace('_', ' ')}.")
    if segmented.no_box == NoCropReason.NO_SKIN:
        return PhotoVerdict(reason="no_skin", sentence="Photo not usable: no skin was found.")
    if classified.top:
        return PhotoVerdict(reason="named", sentence=f"Fits {NAMES[Condition(classified.top)]}.")
    if segmented.no_box:
        return PhotoVerdict(
            reason=str(segmented.no_box), sentence=f"Inconclusive: {NO_CROP[segmented.no_box]}."
        )
    abstention = classified.abstention or Abstention.UNCERTAIN
    return PhotoVerdict(reason=str(abstention), sentence=f"Inconclusive: {ABSTAINS[abstention]}.")
