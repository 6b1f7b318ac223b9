"""The base class of all views: roles, language, throttling, lookups."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar
from uuid import UUID

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from django.utils import translation
from django.utils.translation import get_language_from_request
from django.utils.translation import gettext_lazy as _
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import Serializer
from rest_framework.views import APIView

from teleder.accounts.guardians import children_of
from teleder.accounts.models import Role, User
from teleder.api import throttles
from teleder.api.serializers.clinic import WorklistRowSerializer
from teleder.api.serializers.filters import ListFilterSerializer
from teleder.cases.models import Case, Photo, Submission

EVERYBODY = frozenset(Role)
PATIENTS = frozenset({Role.PATIENT})
DERMATOLOGISTS = frozenset({Role.DERMATOLOGIST})
ADMINS = frozenset({Role.ADMIN})
CLINIC = DERMATOLOGISTS | ADMINS

Roles = frozenset[Role]


class RolePermission(IsAuthenticated):
    """Allows logged-in users with a role that the view names for the method."""

    message = _("Your role may not do this.")

    def has_permission(self, request: Request, view: EndpointView) -> bool:
        return super().has_permission(request, view) and request.user.role in view.roles_for(request.method)


class EndpointView(APIView):
    """A view of the API. `roles` says who may use it: a set, or a set for each method."""

    roles: ClassVar[Roles | dict[str, Roles]] = EVERYBODY
    permission_classes = (RolePermission,)
    throttle_classes: ClassVar = (throttles.PersonThrottle,)

    def roles_for(self, method: str) -> Roles:
        if isinstance(self.roles, dict):
            return self.roles.get(method, frozenset().union(*self.roles.values()))
        return self.roles

    def perform_authentication(self, request: Request) -> None:
        # The address is counted before authentication, so that wrong tokens count too.
        self.limit(request, (throttles.AddressThrottle(),))
        super().perform_authentication(request)

    def check_throttles(self, request: Request) -> None:
        self.limit(request, self.get_throttles())

    def limit(self, request: Request, counted: Iterable[throttles.CountedThrottle]) -> None:
        if wait := throttles.longest_wait(counted, request):
            self.throttled(request, wait)

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Use the language of `Accept-Language`; without it, the person's own."""
        if "Accept-Language" in request.headers:
            translation.activate(get_language_from_request(request))
        super().initial(request, *args, **kwargs)
        if "Accept-Language" not in request.headers and request.user.is_authenticated:
            translation.activate(request.user.language)

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        response = super().finalize_response(request, response, *args, **kwargs)
        response.headers.setdefault("Cache-Control", "private, no-store")
        throttles.write_headers(self.request, response)
        return response

    def filters(self, kind: type[ListFilterSerializer] = ListFilterSerializer) -> dict[str, Any]:
        """Return the validated query parameters. Raises `ValidationError` by parameter."""
        pages = getattr(self, "pagination_class", None)
        context = {"page_parameters": pages.parameters if pages else ()}
        given = kind(data=self.request.query_params, context=context)
        given.is_valid(raise_exception=True)
        return given.validated_data

    def page(self, rows: QuerySet, kind: type[Serializer]) -> Response:
        """Return one page of the rows, in the order of the view's `pagination_class`."""
        pages = self.pagination_class()
        found = pages.paginate_queryset(rows, self.request, view=self)
        return pages.get_paginated_response(kind(found, many=True, context={"request": self.request}).data)

    def person(self, pk: UUID | None) -> User:
        """Return the child of this id, for whom the caller answers, or without an id the caller."""
        return get_object_or_404(children_of(self.request.user), pk=pk) if pk else self.request.user

    def submission(self, pk: UUID) -> Submission:
        """Return a submission the person may see. A missing one and another person's raise the same 404."""
        rows = Submission.objects.visible_to(self.request.user)
        return get_object_or_404(rows.select_related("case__patient__patient", "claimed_by"), pk=pk)

    def shown_row(self, submission: Submission) -> Response:
        """Return a submission as on the worklist."""
        return Response(WorklistRowSerializer(submission, context={"request": self.request}).data)

    def case(self, pk: UUID) -> Case:
        return get_object_or_404(Case.objects.visible_to(self.request.user).known_as(pk))

    def photo(self, pk: UUID) -> Photo:
        rows = Photo.objects.visible_to(self.request.user).select_related("submission__case__patient")
        return get_object_or_404(rows, pk=pk)
