"""Readable names of the figures in a model card; the card itself keeps the codes of `training`."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

# Whole codes, and the first part of codes such as `recall.AD`.
NAMES = {
    "balanced_accuracy": gettext_lazy("Balanced accuracy"),
    "balanced_accuracy_answered_share": gettext_lazy("Balanced accuracy: share of photos answered"),
    "balanced_accuracy_forced": gettext_lazy("Balanced accuracy, the likeliest class taken as the answer"),
    "sensitivity": gettext_lazy("Sensitivity for a disease other than AD"),
    "sensitivity_answered": gettext_lazy("Sensitivity for a disease other than AD, of answered photos"),
    "sensitivity_answered_share": gettext_lazy("Photos of these diseases that were answered"),
    "sensitivity_forced": gettext_lazy(
        "Sensitivity for a disease other than AD, the likeliest class taken as the answer"
    ),
    "specificity": gettext_lazy("Specificity for AD"),
    "specificity_answered": gettext_lazy("Specificity for AD, of answered photos"),
    "specificity_answered_share": gettext_lazy("Photos of AD that were answered"),
    "specificity_forced": gettext_lazy("Specificity for AD, the likeliest class taken as the answer"),
    "auc_not_ad": gettext_lazy("AUC, the other three diseases from AD"),
    "auc_hi_of_ad": gettext_lazy("AUC, HI from AD"),
    "auc_hi_of_other_diseases": gettext_lazy("AUC, HI from the other three diseases"),
    "auc_im_of_the_four": gettext_lazy("AUC, IM from the other three diseases"),
    "auc_mf_of_the_four": gettext_lazy("AUC, MF from the other three diseases"),
    "auc_four_of_other": gettext_lazy("AUC, the four diseases from OTHER"),
    "auc_out_of_scope": gettext_lazy("AUC, out of scope"),
    "auc_hi_joint": gettext_lazy("AUC of the herpes score over all views together"),
    "auc_hi_highest_view": gettext_lazy("AUC of the herpes score of the highest view"),
    "gain_of_highest_view": gettext_lazy("Gain of the highest view over all views together"),
    "lesion_iou": gettext_lazy("Overlap of the lesion (IoU)"),
    "skin_or_lesion_iou": gettext_lazy("Overlap of skin with lesion (IoU)"),
    "skin_or_lesion_below_80": gettext_lazy("Photos whose skin overlap is below 80%"),
    "patch_precision": gettext_lazy("Separate lesions found that are true"),
    "patch_recall": gettext_lazy("True separate lesions that are found"),
    "recall": gettext_lazy("Named correctly"),
    "recall_forced": gettext_lazy("Likeliest class is correct"),
    "abstain_rate": gettext_lazy("No condition named"),
    "wrong_and_confident": gettext_lazy("Another condition named"),
    "any_alarm.AD_or_OTHER": gettext_lazy("Any alarm rings on AD or OTHER"),
}
ALARM_PARTS = {
    "sensitivity": gettext_lazy("sensitivity"),
    "likelihood_ratio": gettext_lazy("likelihood ratio against AD and OTHER"),
    "likelihood_ratio_ad": gettext_lazy("likelihood ratio against AD alone"),
}


def figure_name(code: str) -> str:
    """Return a figure's name in the page's language; an unknown code stays as it is."""
    if code in NAMES:
        return str(NAMES[code])
    name, _dot, part = code.partition(".")
    kind, _line, rest = name.partition("_")
    if kind in ("alarm", "candidate") and rest:
        condition, _line, figure = rest.partition("_")
        return _alarm_name(kind, condition, figure or part) or code
    if name not in NAMES:
        return code
    return f"{NAMES[name]}: {part}" if part else str(NAMES[name])


def _alarm_name(kind: str, condition: str, figure: str) -> str:
    words: dict[str, Any] = {"condition": condition, "class": figure.removeprefix("false_")}
    if figure in ALARM_PARTS:
        what = str(ALARM_PARTS[figure])
    elif figure.startswith("false_"):
        what = _("false alarms on %(class)s") % words
    elif figure:
        what = _("rings on %(class)s") % words
    else:
        return ""
    title = _("%(condition)s alarm") if kind == "alarm" else _("%(condition)s alarm, only tried")
    return f"{title % words}: {what}"
