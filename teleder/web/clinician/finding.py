"""Finds cases by number, by the patient's name in any width and kana, and by words: of the body, of reasons, of the history."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db.models import Q

from teleder.accounts.models import Role, User
from teleder.accounts.normalisation import normalise_code, normalise_width
from teleder.cases.models import Case, SubmissionQuerySet
from teleder.cases.models.case import NUMBER_ALPHABET
from teleder.cases.questionnaire import HISTORY_TEXTS, BodySite
from teleder.web.wording import ANSWER_FLAGS

FEW = 200  # of whom, or of which, more are not looked for
NUMBER_LENGTH = 8
SHORTEST_PART = 3


def found(rows: SubmissionQuerySet, user: User, words: str) -> SubmissionQuerySet:
    """Return the submissions of a case of this number or of a patient of this name, the newest first, in any status; where there
    is none, those on the worklist that say one of these words."""
    if number := _whole_number(words):
        numbered = Case.objects.filter(number=number)
        into = numbered.exclude(merged_into=None).values("merged_into")
        # One list of cases, not two conditions joined by "or": for those PostgreSQL reads all submissions.
        cases = numbered.values("pk").union(into, all=True)
        return rows.filter(case__in=cases).order_by("-submitted_at", "id")
    if cases := _cases(words, user):
        return rows.filter(case__in=cases).order_by("-submitted_at", "id")
    return rows.worklist().filter(_says(normalise_width(words).strip()))


def _whole_number(words: str) -> str:
    """Return the case number that the words are; one without digits only as it is written, with its dash."""
    letters = "".join(filter(str.isalnum, normalise_code(words).upper()))
    is_number = len(letters) == NUMBER_LENGTH and {*letters} <= {*NUMBER_ALPHABET}
    is_marked = "-" in normalise_width(words) or any(map(str.isdigit, letters))
    return f"{letters[:4]}-{letters[4:]}" if is_number and is_marked else ""


def _cases(words: str, user: User) -> list[Any]:
    """Return few cases by number, also of one that was merged, and by name: by one query, each part with its own index."""
    if not normalise_code(words):
        return []
    cases = Case.objects.filter(user.in_own_clinic())
    people = User.objects.filter(role=Role.PATIENT).matching(words)
    named = cases.filter(patient__in=people.values("pk")).values_list("pk", "merged_into")[:FEW]
    letters = "".join(filter(str.isalnum, normalise_code(words).upper()))
    if not letters.isascii() or len(letters) < SHORTEST_PART:
        pairs = named
    else:
        number = f"{letters[:4]}-{letters[4:]}" if len(letters) > NUMBER_LENGTH // 2 else letters
        numbered = cases.filter(number__contains=number).values_list("pk", "merged_into")[:FEW]
        pairs = named.union(numbered)
    return [pk for pair in pairs for pk in pair if pk]


def _says(words: str) -> Q:
    """Return the condition that a submission says these words: a place of the body, a reason, or a text of its patient."""
    if not words:
        return Q(pk__in=[])
    sites = _codes(dict(BodySite.choices), words)
    said = Q(case__body_site__in=sites) if sites else Q()
    for code in _codes(ANSWER_FLAGS, words):
        said |= Q(flags__contains=[{"code": code}])
    for key in HISTORY_TEXTS:
        said |= Q(**{f"history__{key}__icontains": words})
    return said


def _codes(labels: Mapping[Any, Any], words: str) -> list[Any]:
    """Return the codes of which the label in the active language contains the words."""
    return [code for code, label in labels.items() if words.casefold() in str(label).casefold()]
