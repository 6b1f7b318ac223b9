"""What follows a signed answer: its PDF, the thread of questions, and links by which its patient shares it."""

from __future__ import annotations

from uuid import UUID

from django.conf import settings
from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.exceptions import NotFound
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from teleder.accounts.time_zones import zone_of
from teleder.api.access import DERMATOLOGISTS, EVERYBODY, PATIENTS, EndpointView
from teleder.api.schema import problems
from teleder.api.serializers.answers import (
    AskBackSerializer,
    NewShareLinkSerializer,
    PatientQuestionSerializer,
    ReplySerializer,
    ShareLinkSerializer,
    ShareSerializer,
)
from teleder.cases import answer_pdf, asking_back, sharing
from teleder.cases.models import PatientQuestion, ShareLink


class PdfRenderer(JSONRenderer):
    """Accepts requests for a PDF; errors are JSON all the same."""

    media_type, format = "application/pdf", "pdf"


class AnswerPdfView(EndpointView):
    """The signed answer as a PDF, in the language of the request; 404 where there is none."""

    roles = PATIENTS
    renderer_classes = (JSONRenderer, PdfRenderer)

    @extend_schema(
        operation_id="submissions_answer_pdf",
        parameters=[OpenApiParameter("format", exclude=True)],
        responses={(200, "application/pdf"): OpenApiTypes.BINARY},
    )
    def get(self, request: Request, pk: UUID) -> HttpResponse:
        self.filters()
        submission = self.submission(pk)
        try:
            with timezone.override(zone_of(request.user)):
                found = answer_pdf.for_patient(submission, by=request.user)
        except answer_pdf.NoAnswerError as error:
            raise NotFound from error
        return HttpResponse(found, content_type="application/pdf", headers=answer_pdf.HEADERS)


class QuestionListView(EndpointView):
    """The patient's questions about the answer with their replies, oldest first."""

    roles = {"GET": EVERYBODY, "POST": PATIENTS}

    @extend_schema(responses=PatientQuestionSerializer(many=True))
    def get(self, request: Request, pk: UUID) -> Response:
        self.filters()
        rows = self.submission(pk).questions.asked().select_related("replied_by__dermatologist")
        return Response(PatientQuestionSerializer(rows, many=True).data)

    @extend_schema(request=AskBackSerializer, responses={201: PatientQuestionSerializer, **problems(409)})
    def post(self, request: Request, pk: UUID) -> Response:
        """Ask back about the answer. The same question again, while it waits, is not sent twice."""
        submission = self.submission(pk)
        given = AskBackSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        question = asking_back.ask_back(submission, by=request.user, **given.validated_data)
        return Response(PatientQuestionSerializer(question).data, status=201)


class ReplyView(EndpointView):
    """Reply to a question, once."""

    roles = DERMATOLOGISTS

    @extend_schema(request=ReplySerializer, responses={201: PatientQuestionSerializer, **problems(409)})
    def post(self, request: Request, pk: UUID) -> Response:
        asked = PatientQuestion.objects.asked().visible_to(request.user)
        question = get_object_or_404(asked, pk=pk)
        given = ReplySerializer(data=request.data)
        given.is_valid(raise_exception=True)
        replied = asking_back.reply(question, by=request.user, **given.validated_data)
        return Response(PatientQuestionSerializer(replied).data, status=201)


class ShareLinkListView(EndpointView):
    """The links by which I share the answer, newest first, also those that have ended."""

    roles = PATIENTS

    @extend_schema(responses=ShareLinkSerializer(many=True))
    def get(self, request: Request, pk: UUID) -> Response:
        self.filters()
        return Response(ShareLinkSerializer(self.submission(pk).share_links.all(), many=True).data)

    @extend_schema(request=ShareSerializer, responses={201: NewShareLinkSerializer, **problems(409)})
    def post(self, request: Request, pk: UUID) -> Response:
        """Make a link that ends. Its address is in this answer only."""
        submission = self.submission(pk)
        given = ShareSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        link, token = sharing.share(submission, **given.validated_data)
        link.url = settings.PUBLIC_URL + reverse("web:shared", args=[token])
        return Response(NewShareLinkSerializer(link).data, status=201)


class ShareLinkDetailView(EndpointView):
    """One link of mine."""

    roles = PATIENTS

    @extend_schema(request=None, responses={204: None})
    def delete(self, request: Request, pk: UUID) -> Response:
        """End it; a repeat answers the same."""
        sharing.revoke(get_object_or_404(ShareLink.objects.visible_to(request.user), pk=pk))
        return Response(status=204)
