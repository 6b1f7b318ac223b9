"""Where it is and how it is, one page each. Every choice and text is stored as it is given; all but the place may be left out."""

from __future__ import annotations

from typing import Any, NamedTuple
from uuid import UUID

from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from teleder.cases import intake, questionnaire
from teleder.cases.body_places import PAIRED_SITES, Side, names_of
from teleder.cases.models import Status, Submission
from teleder.cases.originals import RefusedError
from teleder.cases.questionnaire import (
    HISTORY_CHOICES,
    HISTORY_LISTS,
    HISTORY_TEXTS,
    BodySite,
    Duration,
    Symptom,
)
from teleder.cases.transitions import IllegalMoveError
from teleder.web.patient.common import (
    HISTORY_PARTS,
    UNPROCESSABLE,
    SeeOther,
    contact_for_minor,
    own_submission,
    urgent_advice,
)
from teleder.web.roles import patient_required

FREE_ROWS = 2  # empty fields below the entries of a list
LIST_ICONS = {"treatment": "tube", "medicines": "drop", "allergies": "alert"}
LIST_HINTS = {"allergies": _("One in each field, for example a food, a medicine or a metal.")}
SITE_GROUPS = [
    (_("Where eczema is common"), ["elbow_crease", "knee_crease", "neck", "face", "around_eyes", "hand"]),
    (_("Head and face"), ["scalp", "around_mouth", "ears"]),
    (_("Body"), ["chest", "abdomen", "back", "shoulder", "buttocks", "groin"]),
    (
        _("Arms and legs"),
        ["upper_arm", "elbow", "forearm", "thigh", "knee", "lower_leg", "foot"],
    ),
    (_("More than one"), ["widespread"]),
]
SYMPTOM_ICONS = {
    "itch": "itch",
    "pain": "spark",
    "burning": "thermo",
    "bleeding": "drop",
    "weeping": "weep",
    "spreading": "spread",
    "darkening": "dark",
    "none": "close",
}


class Scale(NamedTuple):
    """A scale from 0 to 10; `words` say what 0, 1-3, 4-6, 7-9 and 10 mean."""

    heading: Any
    nothing: Any
    words: tuple[Any, Any, Any, Any, Any]


SCALES = {
    "itch": Scale(
        _("How strong was the itch in the last 24 hours?"),
        _("No itch"),
        (
            _("No itch at all"),
            _("A little. You can forget it"),
            _("You notice it and scratch now and then"),
            _("Strong. You can't help scratching"),
            _("The worst you can imagine"),
        ),
    ),
    "sleep": Scale(
        _("How much did it disturb your sleep?"),
        _("Not at all"),
        (
            _("You slept well"),
            _("You woke up a little"),
            _("It was hard to fall asleep, or you woke up several times"),
            _("You slept badly"),
            _("You could not sleep at all"),
        ),
    ),
}
# A follow-up shows what was given last time, to be confirmed or changed; how it was then says nothing of now in these.
ONLY_NOW = {"itch", "sleep", "different"}
TITLES = {
    "duration": _("Since when?"),
    "symptoms": _("What do you feel or see?"),
    **{key: scale.heading for key, scale in SCALES.items()},
    **HISTORY_TEXTS,
}
# The same in a word or two, for a list of what was given.
LABELS = {
    "duration": pgettext_lazy("line of a list", "How long"),
    "symptoms": pgettext_lazy("line of a list", "Symptoms"),
    "itch": pgettext_lazy("line of a list", "Itch"),
    "sleep": pgettext_lazy("line of a list", "Trouble sleeping"),
    "different": pgettext_lazy("line of a list", "What is different"),
    "contacts": pgettext_lazy("line of a list", "Others with something similar"),
    "treatment": pgettext_lazy("line of a list", "Treatment so far"),
    "medicines": pgettext_lazy("line of a list", "Other medicines"),
    "allergies": pgettext_lazy("line of a list", "Allergies"),
}


@patient_required
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def about(request: HttpRequest, pk: UUID) -> HttpResponse:
    """The place."""
    draft = own_submission(request, pk)
    if draft.status != Status.DRAFT:
        return redirect(draft)
    errors: dict[str, Any] = {}
    if request.method == "POST":
        errors = _store(draft, places=request.POST.getlist("places"))
        if not errors:
            return _stored(request, draft, "about")
    settled = draft.settled_places()
    labels = dict(BodySite.choices)
    groups = [
        (title, [(site, labels[site], _sides_of(site)) for site in sites]) for title, sites in SITE_GROUPS
    ]
    chosen = draft.case.body_places
    context = {
        **_frame(request, draft, "about"),
        "chosen": request.POST.getlist("places") or [str(place) for place in chosen],
        "chosen_names": names_of(chosen),
        "groups": [] if settled else groups,
        "settled": settled,
        "errors": [error for found in errors.values() for error in found],
        "contact": contact_for_minor(draft),
    }
    return render(request, "web/patient/about.html", context, status=UNPROCESSABLE if errors else 200)


def _sides_of(site: str) -> list[tuple[str, Any]]:
    """Return value and label of each side of a paired site, as a patient sees their own body; none of any other."""
    return [(f"{site}.{side}", label) for side, label in Side.choices] if site in PAIRED_SITES else []


@patient_required
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def history(request: HttpRequest, pk: UUID, part: str) -> HttpResponse:
    """One page of the history."""
    draft = own_submission(request, pk)
    if part not in HISTORY_PARTS:
        raise Http404
    if draft.status != Status.DRAFT:
        return redirect(draft)
    previous = draft.previous()
    keys = HISTORY_PARTS[part]
    is_stored = bool(draft.history.keys() & keys)
    before = {key: previous.history[key] for key in keys if previous and key in previous.history}
    shown_again = {} if is_stored else {key: value for key, value in before.items() if key not in ONLY_NOW}
    is_list = not keys.isdisjoint(HISTORY_LISTS)
    values, errors = shown_again | draft.history, {}
    if request.method == "POST":
        given = _given(request, keys)
        if "same" in request.POST:
            given = shown_again
        errors = {} if "skip" in request.POST else _store(draft, history=given, in_part=True)
        if not errors:
            return _stored(request, draft, part)
        values = draft.history | given
    context = {
        **_frame(request, draft, part),
        "name": part,
        "title": TITLES[part],
        "is_stored": is_stored,
        "value": values.get(part, ""),
        "scale": SCALES.get(part),
        "durations": Duration.choices,
        "symptoms": [(value, label, SYMPTOM_ICONS[value]) for value, label in Symptom.choices],
        "numbers": [(n, f"l{1 + (n > 2) + (n > 5) + (n > 8)}", _word_of(part, n)) for n in range(1, 11)],
        "texts": [
            (key, text, values.get(key, ""), errors.get(key, []))
            for key, text in HISTORY_TEXTS.items()
            if key in keys
        ],
        "lists": [
            {
                "key": key,
                "text": HISTORY_TEXTS[key],
                "hint": LIST_HINTS.get(key, ""),
                "none": questionnaire.NONE if key in questionnaire.MAY_BE_NONE else "",
                "is_none": questionnaire.is_none(values.get(key, "")),
                "rows": [
                    *(
                        row
                        for row in values.get(key, "").splitlines()
                        if key not in questionnaire.MAY_BE_NONE or not questionnaire.is_none(row)
                    ),
                    *[""] * FREE_ROWS,
                ],
                "suggestions": questionnaire.suggestions_for(key),
                "errors": errors.get(key, []),
            }
            for key in HISTORY_LISTS
            if key in keys
        ],
        "errors": [error for found in errors.values() for error in found],
        "before": before.get(part),
        "before_at": previous.submitted_at if before else None,
        "is_prefilled": bool(shown_again) and request.method != "POST",
        # Of lists: first whether anything has changed. Each under its question: "none" of one says nothing of another.
        "same": [
            (LABELS[key], questionnaire.in_words(key, shown_again[key]).splitlines(), LIST_ICONS[key])
            for key in HISTORY_LISTS
            if shown_again.get(key)
        ]
        if is_list and "edit" not in request.GET and request.method != "POST"
        else [],
    }
    return render(request, "web/patient/history.html", context, status=UNPROCESSABLE if errors else 200)


def _given(request: HttpRequest, keys: set[str]) -> dict[str, Any]:
    """Return what a page of the history was sent, by question: a list has one field an entry."""
    given: dict[str, Any] = {key: request.POST.get(key, "") for key in keys}
    for key in keys.intersection(HISTORY_LISTS):
        entries = [entry for entry in request.POST.getlist(key) if entry.strip()]
        typed = [entry for entry in entries if not questionnaire.is_none(entry.strip())]
        given[key] = "\n".join(typed or entries[:1])  # "none" says nothing beside an entry
    if "symptoms" in keys:
        given["symptoms"] = request.POST.getlist("symptoms")
    return given


def _word_of(part: str, number: int) -> Any:
    """Return what a number of a scale means."""
    return SCALES[part].words[(number + 2) // 3 if number < 10 else 4] if part in SCALES else ""


def _store(draft: Submission, **given: Any) -> dict[str, Any]:
    """Store a part; return what is wrong with it, by field."""
    try:
        intake.describe(draft, **given)
    except ValidationError as error:
        return error.message_dict
    except RefusedError as refusal:
        return {"places": [refusal.message]}
    except IllegalMoveError:
        pass  # sent meanwhile: the next page says so
    return {}


def _stored(request: HttpRequest, draft: Submission, page: str) -> HttpResponse:
    """Answer a script that stored something; lead a form to the next page, or back to the review that it came from."""
    if request.htmx:
        return HttpResponse(status=204)
    if request.GET.get("then") == "send":
        return SeeOther(reverse("web:send", args=[draft.pk]))
    pages = ["about", *HISTORY_PARTS, ""]
    following = pages[pages.index(page) + 1]
    name, more = ("web:history", [following]) if following else ("web:photos", [])
    return SeeOther(reverse(name, args=[draft.pk, *more]))


def _frame(request: HttpRequest, draft: Submission, page: str) -> dict[str, Any]:
    """Return what the frame of a page shows: where it is in the flow, and the way back."""
    pages = ["about", *HISTORY_PARTS]
    number = pages.index(page) + 1
    back = reverse("web:answers", args=[draft.pk])
    if request.GET.get("then") == "send":
        back = reverse("web:send", args=[draft.pk])
    elif number == 2:
        back = reverse("web:about", args=[draft.pk])
    elif number > 2:
        back = reverse("web:history", args=[draft.pk, pages[number - 2]])
    total = len(pages)
    return {
        "submission": draft,
        "urgent": urgent_advice(draft),
        "back": back,
        "stage": 2,
        "number": number,
        "total": total,
        "part": 100 * number // total,
    }


def given_lines(draft: Submission) -> list[tuple[Any, str, str]]:
    """Return place and history line by line: a short title, what was given in words, if anything, and the page where it is changed."""
    place, separator = (
        pgettext_lazy("line of a list", "Where"),
        str(pgettext_lazy("between words of a list", ", ")),
    )
    lines = [(place, draft.case.place_names, reverse("web:about", args=[draft.pk]))]
    for part, keys in HISTORY_PARTS.items():
        for key in sorted(keys, key=list(LABELS).index):
            value = questionnaire.in_words(key, draft.history.get(key, ""))
            labels = dict(HISTORY_CHOICES[key].choices) if key in HISTORY_CHOICES else {}
            words = [str(labels.get(each, each)) for each in (value if isinstance(value, list) else [value])]
            if key in SCALES and value != "":
                words = [_("%(n)s out of 10") % {"n": value}]
            lines.append((LABELS[key], separator.join(words), reverse("web:history", args=[draft.pk, part])))
    return lines
