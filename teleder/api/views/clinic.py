"""What dermatologists do: worklist, claim, findings, answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.shortcuts import get_object_or_404
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
    DiagnosisSerializer,
    FirstImpressionSerializer,
    HeldAnswerSerializer,
    PhotosWantedSerializer,
    ReplyTemplateSerializer,
    ReviewSerializer,
    SignSerializer,
    SnoozeSerializer,
    TakeBackSerializer,
    WorklistRowSerializer,
)
from teleder.api.serializers.filters import (
    DiagnosisSearchSerializer,
    TemplateFilterSerializer,
    WorklistFilterSerializer,
    narrow,
)
from teleder.api.serializers.findings import AnalysisSerializer, PhotoDistancesSerializer
from teleder.api.serializers.patient import PatientReviewSerializer
from teleder.cases import ai_opinion, diagnoses, held, pausing, reading, replies, reviews, snoozing
from teleder.cases.models import Disposition, HeldAnswer, Photo, Submission
from teleder.cases.transitions import IllegalMoveError
from teleder.cases.verdict import verdict_of
from teleder.pipeline import queue


class WorklistView(EndpointView):
    """What waits for a dermatologist, most urgent first; on it from the moment it was sent, with AI or without."""

    roles = CLINIC
    pagination_class = WorklistPagination

    @extend_schema(parameters=[WorklistFilterSerializer], responses=WorklistRowSerializer(many=True))
    def get(self, request: Request) -> Response:
        filters = self.filters(WorklistFilterSerializer)
        is_snoozed = filters.pop("snoozed")
        rows = narrow(Submission.objects.visible_to(request.user), **filters)
        rows = (rows.snoozed() if is_snoozed else rows.awake()).worklist()
        rows = ai_opinion.with_impressions(rows, request.user)
        return self.page(rows.select_related("case__patient__patient", "claimed_by"), WorklistRowSerializer)


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

    @extend_schema(responses={200: WorklistRowSerializer, **problems(409)})
    def delete(self, request: Request, pk: UUID) -> Response:
        """Withdraw the request: I have the case in review, and its clock goes on with the time that was left."""
        submission = self.submission(pk)
        pausing.withdraw_request(submission, by=request.user)
        return self.shown_row(self.submission(pk))


class SnoozeView(EndpointView):
    """Put a case off: it leaves the worklist for a while, and its due time stays."""

    roles = DERMATOLOGISTS

    @extend_schema(request=SnoozeSerializer, responses={200: WorklistRowSerializer, **problems(409)})
    def post(self, request: Request, pk: UUID) -> Response:
        """Snooze what is free or mine; my claim ends. Never an emergency or a same-day case, and never past the due time."""
        submission = self.submission(pk)
        given = SnoozeSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        snoozing.snooze(submission, by=request.user, **given.validated_data)
        return self.shown_row(self.submission(pk))

    @extend_schema(request=None, responses={200: WorklistRowSerializer, **problems(409)})
    def delete(self, request: Request, pk: UUID) -> Response:
        """Put it back on the worklist before its time."""
        submission = self.submission(pk)
        snoozing.end_snooze(submission, by=request.user)
        return self.shown_row(self.submission(pk))


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
        submission = self.submission(pk)
        rows = submission.reviews.for_showing()
        if not request.user.is_patient:
            return Response(ReviewSerializer(rows, many=True).data)
        reading.answer_for_patient(submission)
        return Response(PatientReviewSerializer(rows.sent(), many=True).data)

    @extend_schema(
        request=SignSerializer,
        responses={201: ReviewSerializer, 202: HeldAnswerSerializer, **problems(409)},
    )
    def post(self, request: Request, pk: UUID) -> Response:
        """Sign the answer to a submission that I have claimed. 202: it is held, and sent at `send_at` unless I undo it;
        201 where this installation sends at once."""
        return _signed(reviews.sign, self.submission(pk), request)


class AmendmentView(EndpointView):
    """Correct a signed answer by a new one; the old one stays on the record."""

    roles = DERMATOLOGISTS

    @extend_schema(
        request=AmendSerializer,
        responses={201: ReviewSerializer, 202: HeldAnswerSerializer, **problems(409)},
    )
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
    signed = verb(submission, by=request.user, **given.validated_data)
    if isinstance(signed, HeldAnswer):
        return Response(HeldAnswerSerializer(signed).data, status=202)
    return Response(ReviewSerializer(signed).data, status=201)


class DiagnosisListView(EndpointView):
    """The diagnoses that can be signed: those whose name, reading or code contains `search`, or all."""

    roles = CLINIC

    @extend_schema(parameters=[DiagnosisSearchSerializer], responses=DiagnosisSerializer(many=True))
    def get(self, request: Request) -> Response:
        words = self.filters(DiagnosisSearchSerializer).get("search", "")
        rows = diagnoses.search(words) if words else diagnoses.all_diagnoses()
        return Response(DiagnosisSerializer(rows, many=True).data)


class ReplyTemplateView(EndpointView):
    """The reply template for an action and an impression, as it is in force at my clinic."""

    roles = DERMATOLOGISTS

    @extend_schema(parameters=[TemplateFilterSerializer], responses=ReplyTemplateSerializer)
    def get(self, request: Request) -> Response:
        wanted = self.filters(TemplateFilterSerializer)
        found = replies.offered(
            request.user.clinic_id,
            Disposition(wanted["disposition"]),
            wanted["language"],
            wanted.get("impression", ""),
        )
        return Response(ReplyTemplateSerializer(found).data)


class HeldAnswerView(EndpointView):
    """An answer that I have signed and that is not sent yet."""

    roles = DERMATOLOGISTS

    @extend_schema(responses={200: HeldAnswerSerializer})
    def get(self, request: Request, pk: UUID) -> Response:
        rows = HeldAnswer.objects.filter(author=request.user)
        return Response(HeldAnswerSerializer(get_object_or_404(rows, submission=self.submission(pk))).data)

    @extend_schema(responses={204: None, **problems(409)})
    def delete(self, request: Request, pk: UUID) -> Response:
        """Undo the sending: the answer is my draft again, and the patient never saw it."""
        held.undo(self.submission(pk), by=request.user)
        return Response(status=204)


class TakeBackView(EndpointView):
    """Take back an answer that its patient has not opened: I have it in review again, and the due time stays."""

    roles = DERMATOLOGISTS

    @extend_schema(request=TakeBackSerializer, responses={200: WorklistRowSerializer, **problems(409)})
    def post(self, request: Request, pk: UUID) -> Response:
        submission = self.submission(pk)
        given = TakeBackSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        reading.take_back_answer(submission, by=request.user, **given.validated_data)
        return self.shown_row(self.submission(pk))


class ImpressionView(EndpointView):
    """My impression of a submission, before I see what the AI saw: keeping one opens the AI's opinion to me."""

    roles = DERMATOLOGISTS

    @extend_schema(
        request=ChosenImpressionSerializer, responses={200: FirstImpressionSerializer, **problems(409)}
    )
    def post(self, request: Request, pk: UUID) -> Response:
        """Keep my impression, or open the AI's opinion without one. May be repeated; the first impression is kept too.

        In a clinic that reads in a blind study nothing is kept before `signed` is true.
        """
        submission = self.submission(pk)
        given = ChosenImpressionSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        impression = given.validated_data["impression"]
        if impression and given.validated_data.get("signed"):
            confidence = given.validated_data.get("confidence", "")
            row = ai_opinion.sign_look(
                submission, by=request.user, impression=impression, confidence=confidence
            )
        elif impression:
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
