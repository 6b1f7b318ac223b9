"""What patients do: answer the questions, describe, send, withdraw; and the lists that all roles read."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Prefetch
from django.shortcuts import get_object_or_404
from django.utils.cache import get_conditional_response
from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, PolymorphicProxySerializer, extend_schema
from rest_framework import exceptions
from rest_framework.request import Request
from rest_framework.response import Response

from teleder.accounts.models import User
from teleder.api import throttles
from teleder.api.access import ADMINS, EVERYBODY, PATIENTS, EndpointView
from teleder.api.pagination import NewestFirstPagination
from teleder.api.preconditions import ETAG, IF_MATCH, etag_of, etag_of_submission, require_match
from teleder.api.schema import header, problems
from teleder.api.serializers.clinic import ClinicSubmissionSerializer
from teleder.api.serializers.filters import RecordFilterSerializer, SubmissionFilterSerializer, narrow
from teleder.api.serializers.patient import (
    CaseSerializer,
    OpenedSubmissionSerializer,
    ReceiptSerializer,
    StatusSerializer,
    SubmissionRowSerializer,
    SubmissionSerializer,
    SubmitSerializer,
    status_url,
)
from teleder.api.serializers.questionnaire import (
    DescriptionSerializer,
    QuestionnaireSerializer,
    RedFlagAnswersSerializer,
)
from teleder.cases import intake, questionnaire, transitions, triage, withdrawal
from teleder.cases.body_places import PAIRED_SITES, BodyPlace, Side, codes_of
from teleder.cases.models import Case, PhotoView, Submission
from teleder.cases.transitions import WITH_PATIENT

KEY_LENGTH = 100
STATUS_SECONDS = 5  # how long to wait before asking for the status again
STATUS_ADDRESS = header("Location", "where its status is asked for", 201, 202, schema=OpenApiTypes.URI)
IDEMPOTENCY_KEY = OpenApiParameter(
    "Idempotency-Key",
    {"type": "string", "maxLength": KEY_LENGTH},
    OpenApiParameter.HEADER,
    description="any text of up to 100 characters; a repeat with the same key answers with the first submission",
)
CALM = OpenApiExample(
    "nothing alarming", {"answers": {row["id"]: "no" for row in triage.policy().questions}}, request_only=True
)


class QuestionnaireView(EndpointView):
    """What is asked: red flags first, then where it is and its history; with every choice in words."""

    @extend_schema(responses=QuestionnaireSerializer)
    def get(self, request: Request) -> Response:
        policy = triage.policy()
        durations, symptoms = (
            _codes(each.choices) for each in (questionnaire.Duration, questionnaire.Symptom)
        )
        history = [
            {"id": "duration", "kind": "one", "text": _("How long have you had it?"), "choices": durations},
            {"id": "symptoms", "kind": "several", "text": _("What do you notice?"), "choices": symptoms},
        ]
        for kind, texts in (("scale", questionnaire.HISTORY_SCALES), ("text", questionnaire.HISTORY_TEXTS)):
            history += [{"id": name, "kind": kind, "text": str(text)} for name, text in texts.items()]
        for question in history:
            if question["id"] in questionnaire.HISTORY_LISTS:
                question |= {"kind": "list", "suggestions": questionnaire.suggestions_for(question["id"])}
        asked = {
            "policy": policy.id,
            "red_flags": [
                {"id": question.id, "text": question.text, "choices": _codes(question.choices)}
                for question in questionnaire.red_flag_questions(policy)
            ],
            "body_sites": [
                {
                    "value": site,
                    "text": str(site.label),
                    "has_sides": site in PAIRED_SITES,
                    **codes_of(BodyPlace(site)),
                }
                for site in questionnaire.BodySite
            ],
            "sides": _codes(Side.choices),
            "history": history,
            "photo_views": _codes(PhotoView.choices),
            "receipt": policy.advice("receipt"),
        }
        return Response(QuestionnaireSerializer(asked).data)


def _codes(choices: Any) -> list[dict[str, str]]:
    return [{"value": value, "text": str(text)} for value, text in choices]


class CaseListView(EndpointView):
    """My cases; for the clinic, all that were sent."""

    pagination_class = NewestFirstPagination

    @extend_schema(parameters=[RecordFilterSerializer], responses=CaseSerializer(many=True))
    def get(self, request: Request) -> Response:
        cases = Case.objects.visible_to(request.user)
        if wanted := self.filters(RecordFilterSerializer):
            found = narrow(Submission.objects.visible_to(request.user), **wanted)
            cases = cases.filter(pk__in=found.values("case"))
        shown = Submission.objects.visible_to(request.user).order_by("-created_at")
        cases = cases.prefetch_related(Prefetch("submissions", shown, to_attr="shown_submissions"))
        return self.page(cases, CaseSerializer)


class CaseDetailView(EndpointView):
    """One case with its submissions."""

    @extend_schema(responses=CaseSerializer)
    def get(self, request: Request, pk: UUID) -> Response:
        return Response(CaseSerializer(self.case(pk), context={"request": request}).data)


class FollowUpView(EndpointView):
    """Open a follow-up in a case of mine. Advice on the answers is in the same response."""

    roles = PATIENTS
    throttle_classes = (throttles.PersonThrottle, throttles.SubmissionThrottle)

    @extend_schema(
        request=RedFlagAnswersSerializer,
        responses={201: OpenedSubmissionSerializer, **problems(422)},
        parameters=[IDEMPOTENCY_KEY, STATUS_ADDRESS],
        examples=[CALM],
    )
    def post(self, request: Request, pk: UUID) -> Response:
        return _open(request, case=self.case(pk))


class SubmissionListView(EndpointView):
    """My submissions, and a new one in a new case."""

    roles = {"GET": EVERYBODY, "POST": PATIENTS}
    pagination_class = NewestFirstPagination
    throttle_classes = (throttles.PersonThrottle, throttles.SubmissionThrottle)

    @extend_schema(parameters=[SubmissionFilterSerializer], responses=SubmissionRowSerializer(many=True))
    def get(self, request: Request) -> Response:
        """My submissions; for the clinic, all that were sent."""
        rows = narrow(Submission.objects.visible_to(request.user), **self.filters(SubmissionFilterSerializer))
        return self.page(rows.select_related("case__patient__patient"), SubmissionRowSerializer)

    @extend_schema(
        request=RedFlagAnswersSerializer,
        responses={201: OpenedSubmissionSerializer, **problems(422)},
        parameters=[IDEMPOTENCY_KEY, STATUS_ADDRESS],
        examples=[CALM],
    )
    def post(self, request: Request) -> Response:
        """Answer the twelve questions. Urgency and advice come back at once, before any photo."""
        return _open(request)


def _open(request: Request, case: Case | None = None) -> Response:
    given = RedFlagAnswersSerializer(data=request.data)
    given.is_valid(raise_exception=True)
    key = request.headers.get("Idempotency-Key", "")
    if len(key) > KEY_LENGTH or not key.isprintable():
        raise exceptions.ValidationError({"Idempotency-Key": [_("At most 100 printable characters.")]})
    about = given.validated_data.get("patient")
    if case:
        if about and about != case.patient_id:
            raise exceptions.ValidationError({"patient": [_("This case is of somebody else.")]})
        patient = case.patient
    else:
        mine = User.objects.filter(pk__in=request.user.answers_for)
        patient = get_object_or_404(mine, pk=about or request.user.pk)
    answers = given.validated_data["answers"]
    submission = intake.start(patient=patient, by=request.user, answers=answers, case=case, key=key)
    headers = {"Location": status_url(submission)}
    return Response(OpenedSubmissionSerializer(submission).data, status=201, headers=headers)


BY_ROLE = PolymorphicProxySerializer(
    component_name="SubmissionByRole",
    serializers=[SubmissionSerializer, ClinicSubmissionSerializer],
    resource_type_field_name=None,
)


class SubmissionDetailView(EndpointView):
    """One submission. The clinic sees flags and photos' measurements; findings have an address of their own."""

    roles = {"GET": EVERYBODY, "PATCH": PATIENTS}

    @extend_schema(responses=BY_ROLE, parameters=[ETAG])
    def get(self, request: Request, pk: UUID) -> Response:
        return self.shown(self.submission(pk))

    @extend_schema(
        request=DescriptionSerializer,
        responses={200: SubmissionSerializer, **problems(409, 412, 422)},
        parameters=[IF_MATCH, ETAG],
    )
    def patch(self, request: Request, pk: UUID) -> Response:
        """Say where it is and its history, while it is a draft."""
        submission = self.submission(pk)
        given = DescriptionSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        with transaction.atomic():
            # The case, too: another draft of it may change the place.
            rows = Submission.objects.select_related("case").select_for_update(of=("self", "case"))
            require_match(request, etag_of_submission(rows.get(pk=submission.pk)))
            intake.describe(submission, **given.validated_data)
        return self.shown(self.submission(pk))

    def shown(self, submission: Submission) -> Response:
        kind = SubmissionSerializer if self.request.user.is_patient else ClinicSubmissionSerializer
        body = kind(submission, context={"request": self.request}).data
        return Response(body, headers={"ETag": etag_of_submission(submission)})


class SubmissionStatusView(EndpointView):
    """How far it is; made to be asked again and again (`If-None-Match` answers 304)."""

    @extend_schema(
        responses={200: StatusSerializer, 304: None},
        parameters=[
            OpenApiParameter(
                "If-None-Match", str, OpenApiParameter.HEADER, description="the `ETag` of last time"
            ),
            header("ETag", "names this answer, for `If-None-Match`", 200, 304),
        ],
    )
    def get(self, request: Request, pk: UUID) -> Response:
        data = StatusSerializer(self.submission(pk)).data
        etag = etag_of(data)
        answer = Response(data, headers={"ETag": etag, "Cache-Control": "private, no-cache"})
        return get_conditional_response(request._request, etag=etag, response=answer)


class SubmitView(EndpointView):
    """Send it. A repeat answers the same: it was already sent."""

    roles = PATIENTS

    @extend_schema(
        request=SubmitSerializer,
        responses={202: ReceiptSerializer, **problems(409)},
        parameters=[
            STATUS_ADDRESS,
            header("Retry-After", "seconds until its status is worth asking for", 202, schema=int),
        ],
    )
    def post(self, request: Request, pk: UUID) -> Response:
        submission = self.submission(pk)
        given = SubmitSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        try:
            intake.submit(submission, by=request.user, **given.validated_data)
        except transitions.IllegalMoveError:
            if self.submission(pk).status in WITH_PATIENT:
                raise
        sent = self.submission(pk)
        headers = {"Location": status_url(sent), "Retry-After": str(STATUS_SECONDS)}
        return Response(ReceiptSerializer(sent).data, status=202, headers=headers)


class WithdrawView(EndpointView):
    """Take it back before an answer is given."""

    roles = PATIENTS | ADMINS

    @extend_schema(request=None, responses={200: StatusSerializer, **problems(409)})
    def post(self, request: Request, pk: UUID) -> Response:
        submission = self.submission(pk)
        withdrawal.withdraw(submission, by=request.user)
        return Response(StatusSerializer(submission).data)


class RestoreView(EndpointView):
    """Make a draft again of what was withdrawn."""

    roles = PATIENTS

    @extend_schema(request=None, responses={200: StatusSerializer, **problems(409)})
    def post(self, request: Request, pk: UUID) -> Response:
        submission = self.submission(pk)
        withdrawal.restore(submission, by=request.user)
        return Response(StatusSerializer(submission).data)
