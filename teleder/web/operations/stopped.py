"""Stopped jobs by cause: what patients and dermatologists see of them, and what requeueing does."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, QuerySet
from django.utils.translation import gettext as _

from contract.messages import Stage
from teleder.cases.models import Job, JobState
from teleder.cases.models.job import JobQuerySet
from teleder.pipeline.mending import OF_FILES
from teleder.web.operations.health import STAGES

BETWEEN = "|"


@dataclass(frozen=True)
class StoppedGroup:
    """Jobs of one stage that stopped in one way for one reason; `key` chooses them in the form."""

    stage: str
    state: str
    error: str
    jobs: int
    cases: int

    @property
    def key(self) -> str:
        return BETWEEN.join((self.stage, self.state, self.error))

    @property
    def title(self) -> str:
        return str(STAGES.get(self.stage, self.stage))

    @property
    def state_name(self) -> str:
        return str(JobState(self.state).label)

    @property
    def is_of_storage(self) -> bool:
        """Whether files were missing: they are back for all or for none, so that no page asks which cases."""
        return self.error in OF_FILES

    @property
    def patients_see(self) -> str:
        if self.stage == Stage.PREPARE:
            return _("“being checked” beside the photo, unchanged. The due time stays.")
        if self.stage == Stage.CHECK:
            return _("No advice on the photo. They can send it all the same.")
        return _("Nothing changes for them, nor does the due time.")

    @property
    def doctors_see(self) -> str:
        if self.stage == Stage.PREPARE:
            return _("These photos cannot be seen yet; the answers can.")
        if self.stage == Stage.FULL:
            return _("The photo with fewer pixels, and that the others could not be fetched.")
        if self.stage == Stage.DISTANCE:
            return _("The photo and the finding, without the other distances.")
        if self.stage == Stage.CHECK:
            return _("The photo, once it is sent.")
        if self.stage == Stage.REANALYSE:
            return _("The photo and the finding, and that the crop they drew was not analysed.")
        return _("The photo, and that the AI could not read it.")

    @property
    def if_pressed(self) -> str:
        if self.stage == Stage.PREPARE:
            return _("The photos are prepared again. Pressing twice does no harm.")
        if self.stage == Stage.FULL:
            return _("The copies are made again. Pressing twice does no harm.")
        return _("The AI reads the photos again. Pressing twice does no harm.")


def stopped_groups(jobs: JobQuerySet) -> list[StoppedGroup]:
    """Group the stopped ones among these jobs; those that keep photos from being seen come first."""
    rows = jobs.stopped().order_by().values("stage", "state", "error")
    found = rows.annotate(jobs=Count("pk"), cases=Count("photo__submission__case", distinct=True))
    return _in_order([StoppedGroup(**row) for row in found])


def groups_of(jobs: Iterable[Job]) -> list[StoppedGroup]:
    """The same as `stopped_groups`, of jobs that were read with their photos and submissions."""
    cases: dict[tuple[str, str, str], list[Any]] = {}
    for job in jobs:
        cases.setdefault((job.stage, job.state, job.error), []).append(job.photo.submission.case_id)
    return _in_order([StoppedGroup(*what, len(found), len(set(found))) for what, found in cases.items()])


def _in_order(groups: list[StoppedGroup]) -> list[StoppedGroup]:
    order = {stage: number for number, stage in enumerate(STAGES)}
    return sorted(groups, key=lambda group: (order.get(group.stage, len(order)), -group.jobs, group.key))


def of_group(jobs: QuerySet[Job], key: str) -> QuerySet[Job]:
    """Return the jobs of the group with this key, none for an unknown key."""
    stage, _between, rest = key.partition(BETWEEN)
    state, _between, error = rest.partition(BETWEEN)
    chosen: dict[str, Any] = {"stage": stage, "state": state, "error": error}
    return jobs.filter(**chosen)
