"""What dermatologists do: worklist, claim, findings, answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.utils.translation import gettext as _
from drf_spectacular.utils import PolymorphicProxySerializer, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from teleder.api.access import CLINIC, DERMATOLOGISTS, EVERYBODY, EndpointView
from teleder.api.pagination import WorklistPagination
from teleder.api.schema import problems
from teleder.api.serializers.clinic import (
    AmendSerializer,
    ChosenImpressionSerializer,
    FirstImpressionSerializer,
    PhotosWantedSerializer,
    ReviewSerializer,
    SignSerializer,
    WorklistRowSerializer,
)
from teleder.api.serializers.filters import RecordFilterSerializer, narrow
from teleder.api.serializers.findings import AnalysisSerializer, PhotoDistancesSerializer
from teleder.api.serializers.patient import PatientReviewSerializer
from teleder.cases import ai_opinion, reviews
from teleder.cases.models import Photo, Submission
from teleder.cases.transitions import IllegalMoveError
from teleder.cases.verdict import verdict_of
from teleder.pipeline import queue


class WorklistView(EndpointView):
    """What waits for a dermatologist, most urgent first; on it from the moment it was sent, with AI or without."""

    roles = CLINIC
    pagination_class = WorklistPagination

    @extend_schema(parameters=[RecordFilterSerializer], responses=WorklistRowSerializer(many=True))
    def get(self, request: Request) -> Response:
        rows = narrow(
            Submission.objects.visible_to(request.user), **self.filters(RecordFilterSerializer)
        ).worklist()
        rows = ai_opinion.with_impressions(rows, request.user)
        return self.page(rows.select_related("case", "claimed_by"), WorklistRowSerializer)


class ClaimView(EndpointView):
    """Take a submission off the shared list to answer it. Of two who try, one has it; a repeat answers the same."""

    roles = DERMATOLOGISTS

    @extend_schema(request=None, responses={200: WorklistRowSerializer, **problems(409)})
    def post(self, request: Request, pk: UUID) -> Response:
        try:
            reviews.claim(self.submission(pk), by=request.user)
        except IllegalMoveError:
            if self.submission(pk).claimed_by_id != request.user.pk:
                raise
        return self.shown_row(self.submission(pk))


class ReleaseView(EndpointView):
    """Give it back to the list; an admin may give back another's."""

    roles = CLINIC

    @extend_schema(request=None, responses={200: WorklistRowSerializer, **problems(409)})
    def post(self, request: Request, pk: UUID) -> Response:
        submission = self.submission(pk)
        reviews.release(submission, by=request.user)
        return self.shown_row(submission)


class KeepClaimView(EndpointView):
    """Say that I am still at it; a claim that idles goes back to the list."""

    roles = DERMATOLOGISTS

    @extend_schema(request=None, responses={204: None, **problems(409)})
    def post(self, request: Request, pk: UUID) -> Response:
        if not reviews.keep_claim(self.submission(pk), by=request.user):
            raise IllegalMoveError(_("This is no longer claimed by you."))
        return Response(status=204)


class RequestPhotosView(EndpointView):
    """Ask the patient for another photo. A same-day case does not wait for one."""

    roles = DERMATOLOGISTS

    @extend_schema(request=PhotosWantedSerializer, responses={200: WorklistRowSerializer, **problems(409)})
    def post(self, request: Request, pk: UUID) -> Response:
        submission = self.submission(pk)
        wanted = PhotosWantedSerializer(data=request.data)
        wanted.is_valid(raise_exception=True)
        reviews.request_photos(submission, by=request.user, **wanted.validated_data)
        return self.shown_row(submission)


REVIEW_BY_ROLE = PolymorphicProxySerializer(
    component_name="ReviewByRole",
    serializers=[ReviewSerializer, PatientReviewSerializer],
    resource_type_field_name=None,
    many=True,
)


class ReviewListView(EndpointView):
    """The signed answers, newest first: the first is in force."""

    roles = {"GET": EVERYBODY, "POST": DERMATOLOGISTS}

    @extend_schema(responses=REVIEW_BY_ROLE)
    def get(self, request: Request, pk: UUID) -> Response:
        self.filters()
        kind = PatientReviewSerializer if request.user.is_patient else ReviewSerializer
        rows = self.submission(pk).reviews.select_related("author__dermatologist")
        return Response(kind(rows, many=True).data)

    @extend_schema(request=SignSerializer, responses={201: ReviewSerializer, **problems(409)})
    def post(self, request: Request, pk: UUID) -> Response:
        """Sign the answer to a submission that I have claimed."""
        return _signed(reviews.sign, self.submission(pk), request)


class AmendmentView(EndpointView):
    """Correct a signed answer by a new one; the old one stays on the record."""

    roles = DERMATOLOGISTS

    @extend_schema(request=AmendSerializer, responses={201: ReviewSerializer, **problems(409)})
    def post(self, request: Request, pk: UUID) -> Response:
        return _signed(reviews.amend, self.submission(pk), request, AmendSerializer)


def _signed(
    verb: Callable[..., Any],
    submission: Submission,
    request: Request,
    takes: type[SignSerializer] = SignSerializer,
) -> Response:
    given = takes(data=request.data)
    given.is_valid(raise_exception=True)
    review = verb(submission, by=request.user, **given.validated_data)
    return Response(ReviewSerializer(review).data, status=201)


class ImpressionView(EndpointView):
    """My impression of a submission, before I see what the AI saw: keeping one opens the AI's opinion to me."""

    roles = DERMATOLOGISTS

    @extend_schema(
        request=ChosenImpressionSerializer, responses={200: FirstImpressionSerializer, **problems(409)}
    )
    def post(self, request: Request, pk: UUID) -> Response:
        """Keep my impression, or open the AI's opinion without one. May be repeated; the first impression is kept too."""
        submission = self.submission(pk)
        given = ChosenImpressionSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        if impression := given.validated_data["impression"]:
            row = ai_opinion.choose(submission, by=request.user, impression=impression)
        else:
            row = ai_opinion.see_first(submission, by=request.user)
        return Response(FirstImpressionSerializer(row).data)


class DistanceReportView(EndpointView):
    """Whether the answer to a photo holds from nearer and farther away; 409 until the AI's opinion is open to me."""

    roles = {"GET": CLINIC, "POST": DERMATOLOGISTS}

    @extend_schema(responses={200: PhotoDistancesSerializer, **problems(409)})
    def get(self, request: Request, pk: UUID) -> Response:
        self.filters()
        return self.distances(self.open_photo(pk))

    @extend_schema(request=None, responses={200: PhotoDistancesSerializer, **problems(409)})
    def post(self, request: Request, pk: UUID) -> Response:
        """Ask for the report, once: it is measured after the photos that the AI has not read yet. Ask again where it failed."""
        photo = self.open_photo(pk)
        queue.request_distance_report(photo)
        return self.distances(photo)

    def open_photo(self, pk: UUID) -> Photo:
        photo = self.photo(pk)
        ai_opinion.require_open(photo.submission, self.request.user)
        return photo

    def distances(self, photo: Photo) -> Response:
        context = {"verdict": verdict_of(photo.submission)}
        return Response(PhotoDistancesSerializer(photo, context=context).data)


class FindingListView(EndpointView):
    """What the models found, newest analysis of each photo. Preliminary, and never for patients; 409 until the AI's
    opinion is open to me."""

    roles = CLINIC

    @extend_schema(
        operation_id="submissions_findings_list",  # the name that clients were generated with
        responses={200: AnalysisSerializer(many=True), **problems(409)},
    )
    def get(self, request: Request, pk: UUID) -> Response:
        self.filters()
        submission = self.submission(pk)
        ai_opinion.require_open(submission, request.user)
        photos = list(submission.current_photos().prefetch_related("analyses__findings"))
        found = [photo.analysis for photo in photos if photo.analysis]
        context = {"verdict": verdict_of(submission, photos)}
        return Response(AnalysisSerializer(found, many=True, context=context).data)
