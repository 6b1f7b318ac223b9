"""Hand-over and second opinions: dermatologists among themselves."""

from __future__ import annotations

from uuid import UUID

from django.shortcuts import get_object_or_404
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from teleder.accounts.models import User
from teleder.api.access import CLINIC, DERMATOLOGISTS, EndpointView
from teleder.api.schema import problems
from teleder.api.serializers.colleagues import (
    AskOpinionSerializer,
    GiveOpinionSerializer,
    HandCaseOverSerializer,
    HandOverNoteSerializer,
    SecondOpinionSerializer,
)
from teleder.cases import colleagues
from teleder.cases.models import SecondOpinion
from teleder.cases.originals import RefusedError


class HandCaseOverView(EndpointView):
    """The hand-overs of a case among dermatologists, oldest first."""

    roles = {"GET": CLINIC, "POST": DERMATOLOGISTS}

    @extend_schema(responses=HandOverNoteSerializer(many=True))
    def get(self, request: Request, pk: UUID) -> Response:
        self.filters()
        rows = self.submission(pk).hand_over_notes.select_related("author", "to")
        return Response(HandOverNoteSerializer(rows, many=True).data)

    @extend_schema(
        request=HandCaseOverSerializer, responses={201: HandOverNoteSerializer, **problems(409, 422)}
    )
    def post(self, request: Request, pk: UUID) -> Response:
        """Give a case that I hold to a colleague, with what I have written so far. The due time stays."""
        submission = self.submission(pk)
        given = HandCaseOverSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        to = _colleague(given.validated_data["to"])
        text = given.validated_data.get("text", "")
        note = colleagues.hand_case_over(submission, to=to, by=request.user, text=text)
        return Response(HandOverNoteSerializer(note).data, status=201)


class SecondOpinionListView(EndpointView):
    """The second opinions on a case, oldest first."""

    roles = {"GET": CLINIC, "POST": DERMATOLOGISTS}

    @extend_schema(responses=SecondOpinionSerializer(many=True))
    def get(self, request: Request, pk: UUID) -> Response:
        self.filters()
        rows = self.submission(pk).second_opinions.select_related("asked_by", "colleague")
        return Response(SecondOpinionSerializer(rows, many=True).data)

    @extend_schema(
        request=AskOpinionSerializer, responses={201: SecondOpinionSerializer, **problems(409, 422)}
    )
    def post(self, request: Request, pk: UUID) -> Response:
        """Ask a colleague about a case that I hold, and go on holding it. The due time stays."""
        submission = self.submission(pk)
        given = AskOpinionSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        to = _colleague(given.validated_data["to"])
        question = given.validated_data["question"]
        asked = colleagues.ask_opinion(submission, to=to, by=request.user, question=question)
        return Response(SecondOpinionSerializer(asked).data, status=201)


class GiveOpinionView(EndpointView):
    """Answer a colleague's question, once."""

    roles = DERMATOLOGISTS

    @extend_schema(request=GiveOpinionSerializer, responses={201: SecondOpinionSerializer, **problems(409)})
    def post(self, request: Request, pk: UUID) -> Response:
        rows = SecondOpinion.objects.visible_to(request.user).filter(colleague=request.user)
        asked = get_object_or_404(rows, pk=pk)
        given = GiveOpinionSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        found = colleagues.give_opinion(asked, by=request.user, **given.validated_data)
        return Response(SecondOpinionSerializer(found).data, status=201)


def _colleague(pk: UUID) -> User:
    """Return the person; an unknown one is refused as one of another clinic is."""
    if (found := User.objects.filter(pk=pk).first()) is None:
        raise RefusedError("not_a_dermatologist", _("Please choose a dermatologist who may log in."))
    return found
