"""Children for whom a guardian answers."""

from __future__ import annotations

from uuid import UUID

from django.db import transaction
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from teleder.accounts.children import add_child
from teleder.accounts.guardians import children_of
from teleder.accounts.models import Purpose, User
from teleder.api.access import PATIENTS, EndpointView
from teleder.api.schema import problems
from teleder.api.serializers.account import (
    ChildSerializer,
    HandOverSerializer,
    NewChildSerializer,
)
from teleder.api.views.account import require_newest_texts
from teleder.privacy import hand_over


class ChildListView(EndpointView):
    """My children."""

    roles = PATIENTS

    @extend_schema(responses=ChildSerializer(many=True))
    def get(self, request: Request) -> Response:
        self.filters()
        return Response([_shown(child) for child in children_of(request.user)])

    @extend_schema(request=NewChildSerializer, responses={201: ChildSerializer, **problems(409)})
    def post(self, request: Request) -> Response:
        """Add one, with my consents for the child."""
        given = NewChildSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        row = dict(given.validated_data)
        require_newest_texts(row.pop("version"))
        purposes = [purpose for purpose in Purpose if row.pop(purpose.value)]
        with transaction.atomic():
            child = add_child(guardian=request.user, **row, purposes=purposes)
        return Response(_shown(child), status=201)


class ChildDetailView(EndpointView):
    """One child."""

    roles = PATIENTS

    @extend_schema(responses=ChildSerializer)
    def get(self, request: Request, pk: UUID) -> Response:
        return Response(_shown(self.person(pk)))


class HandOverView(EndpointView):
    """Hand the record of a grown-up child over."""

    roles = PATIENTS

    @extend_schema(request=HandOverSerializer, responses={202: None})
    def post(self, request: Request, pk: UUID) -> Response:
        """Mail the child the link by which they take over; a link sent before stops working."""
        child = self.person(pk)
        given = HandOverSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        hand_over.send_link(child, email=given.validated_data["email"])
        return Response(status=202)

    @extend_schema(request=None, responses={204: None})
    def delete(self, request: Request, pk: UUID) -> Response:
        """Stop the link; a repeat answers the same."""
        hand_over.stop(self.person(pk))
        return Response(status=204)


def _shown(child: User) -> dict:
    child.may_take_over = hand_over.is_due(child)
    return ChildSerializer(child).data
