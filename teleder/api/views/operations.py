"""What admins do: jobs, queues, and moving submissions."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db.models import Count, Min, Q, QuerySet
from django.shortcuts import get_object_or_404
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from contract.messages import Stage
from teleder.accounts.models import User
from teleder.api.access import ADMINS, CLINIC, EndpointView
from teleder.api.pagination import NewestFirstPagination
from teleder.api.schema import problems
from teleder.api.serializers.clinic import WorklistRowSerializer
from teleder.api.serializers.filters import JobFilterSerializer
from teleder.api.serializers.operations import JobSerializer, QueueSerializer, ReassignSerializer
from teleder.cases import reviews
from teleder.cases.counting import recent
from teleder.cases.models import Job, JobState
from teleder.cases.originals import RefusedError
from teleder.cases.transitions import IllegalMoveError
from teleder.pipeline import recovery
from teleder.pipeline.transitions import UNFINISHED

QUEUES_SECONDS = 30  # the age that counts over many jobs may have


def jobs_of(user: User) -> QuerySet[Job]:
    return Job.objects.visible_to(user).select_related("photo__submission__case")


class JobListView(EndpointView):
    """The work on photos, newest first."""

    roles = ADMINS
    pagination_class = NewestFirstPagination

    @extend_schema(parameters=[JobFilterSerializer], responses=JobSerializer(many=True))
    def get(self, request: Request) -> Response:
        return self.page(jobs_of(request.user).filter(**self.filters(JobFilterSerializer)), JobSerializer)


class RequeueView(EndpointView):
    """Try a failed, quarantined or cancelled job again with a clean slate."""

    roles = ADMINS

    @extend_schema(request=None, responses={200: JobSerializer, **problems(409)})
    def post(self, request: Request, pk: UUID) -> Response:
        rows = jobs_of(request.user)
        if not recovery.requeue(get_object_or_404(rows, pk=pk), by=request.user):
            raise IllegalMoveError(_("Only a job that has stopped can be tried again."))
        return Response(JobSerializer(rows.get(pk=pk)).data)


class CancelView(EndpointView):
    """Stop a job that is not finished."""

    roles = ADMINS

    @extend_schema(request=None, responses={200: JobSerializer, **problems(409)})
    def post(self, request: Request, pk: UUID) -> Response:
        rows = jobs_of(request.user)
        if not recovery.cancel(get_object_or_404(rows, pk=pk), by=request.user):
            raise IllegalMoveError(_("This job is finished or stopped already."))
        return Response(JobSerializer(rows.get(pk=pk)).data)


def _jobs_in(rows: list[dict[str, Any]]) -> int:
    return sum(row[state.value] for row in rows for state in JobState)


class QueueListView(EndpointView):
    """How much waits in each stage, and since when; of many jobs, up to half a minute ago."""

    roles = ADMINS

    @extend_schema(responses=QueueSerializer(many=True))
    def get(self, request: Request) -> Response:
        self.filters()
        by_state = {state.value: Count("id", filter=Q(state=state)) for state in JobState}
        oldest = Min("created_at", filter=Q(state__in=UNFINISHED))
        jobs = Job.objects.visible_to(request.user).order_by().values("stage")
        counted = jobs.annotate(oldest=oldest, **by_state)
        rows = recent("queues", request.user, QUEUES_SECONDS, lambda: list(counted), rows=_jobs_in)
        found = {row["stage"]: row for row in rows}
        queues = []
        for stage in Stage:
            row = found.get(stage, {})
            counts = {state.value: row.get(state.value, 0) for state in JobState}
            queues.append({"stage": stage.value, "oldest": row.get("oldest"), "jobs": counts})
        return Response(QueueSerializer(queues, many=True).data)


class ReassignView(EndpointView):
    """Hand a submission to a dermatologist: an admin claimed or not, a dermatologist what is free or their own."""

    roles = CLINIC

    @extend_schema(request=ReassignSerializer, responses={200: WorklistRowSerializer, **problems(409, 422)})
    def post(self, request: Request, pk: UUID) -> Response:
        submission = self.submission(pk)
        given = ReassignSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        to = User.objects.filter(request.user.in_own_clinic(), pk=given.validated_data["to"]).first()
        if to is None:
            raise RefusedError("not_a_dermatologist", _("Please choose a dermatologist who may log in."))
        reviews.reassign(submission, to=to, by=request.user)
        return self.shown_row(submission)


class ReopenView(EndpointView):
    """Put an answered submission back on the worklist, with a new due time."""

    roles = ADMINS

    @extend_schema(request=None, responses={200: WorklistRowSerializer, **problems(409)})
    def post(self, request: Request, pk: UUID) -> Response:
        submission = self.submission(pk)
        reviews.reopen(submission, by=request.user)
        return self.shown_row(submission)


class CloseView(EndpointView):
    """End an answered submission."""

    roles = CLINIC

    @extend_schema(request=None, responses={200: WorklistRowSerializer, **problems(409)})
    def post(self, request: Request, pk: UUID) -> Response:
        submission = self.submission(pk)
        reviews.close(submission, by=request.user)
        return self.shown_row(submission)
