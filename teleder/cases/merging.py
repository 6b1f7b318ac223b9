"""Makes two cases of one patient one: the same skin concern was sent twice."""

from __future__ import annotations

from django.db import transaction
from django.utils.translation import gettext as _

from teleder.accounts.models import User
from teleder.cases.models import Case, EventKind, Photo, Submission
from teleder.cases.originals import RefusedError
from teleder.cases.transitions import AWAITING_DERMATOLOGIST


@transaction.atomic
def merge(case: Case, *, into: Case, by: User) -> None:
    """Move every submission of `case`, with its photos, answers and history, into the other case of the same patient.

    Submissions that wait for a dermatologist then share the earliest due time among them. The number of `case` leads to
    the other one from now on. Raises `RefusedError`.
    """
    pks = {case.pk, into.pk}
    locked = list(Case.objects.select_for_update(of=("self",)).filter(pk__in=pks).order_by("pk"))
    found = {row.pk: row for row in locked if row.merged_into_id is None}
    if len(pks) < 2 or found.keys() != pks:
        raise RefusedError(
            "not_two_cases", _("Please choose another case. One of them may have been merged already.")
        )
    case, into = found[case.pk], found[into.pk]
    if (case.patient_id, case.clinic_id) != (into.patient_id, into.clinic_id):
        raise RefusedError("not_the_same_patient", _("Only cases of the same patient can be merged."))
    rows = Submission.objects.select_for_update(of=("self",)).filter(case__in=pks).order_by("pk")
    submissions = list(rows)
    waiting = [row for row in submissions if row.status in AWAITING_DERMATOLOGIST]
    due = min((row.due_at for row in waiting), default=None)
    for row in submissions:
        if row.case_id == case.pk or row in waiting:
            before = {"due_before": row.due_at.isoformat()} if row in waiting and row.due_at != due else {}
            detail = {"from": case.number, "into": into.number, **before}
            row.events.create(kind=EventKind.MERGED, actor=by, detail=detail)
    Submission.objects.filter(pk__in=[row.pk for row in waiting]).update(due_at=due)
    _keep_places(case, into)
    Submission.objects.filter(case=case).update(case=into)
    Case.objects.filter(merged_into=case).update(merged_into=into)
    Case.objects.filter(pk=case.pk).update(merged_into=into)


def _keep_places(case: Case, into: Case) -> None:
    """Let the case have the places of both; a photo without a place of its own shows the first of its case."""
    for each in (case, into):
        if each.body_places:
            photos = Photo.objects.filter(submission__case=each, place="")
            photos.update(place=str(each.body_places[0]))
    places = list(dict.fromkeys([*into.body_places, *case.body_places]))
    if places:
        into.places, into.body_site = [place.as_json() for place in places], places[0].site
        into.save(update_fields=["places", "body_site"])
