"""Pagination. A cursor holds the values of the last row, so new or deleted rows do not shift a page."""

from __future__ import annotations

from typing import Any

from django.core import signing
from django.db.models import QuerySet
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext_lazy as _
from rest_framework import exceptions
from rest_framework.pagination import BasePagination, CursorPagination
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import replace_query_param

from teleder.cases.models import Place

PAGE_ROWS = 50
LIMIT_ROWS = 200


def page_size(request: Request) -> int:
    """Return the requested size, at most `LIMIT_ROWS`. DRF would ignore a value that is no number."""
    given = request.query_params.get("page_size", str(PAGE_ROWS))
    number = given.lstrip("0") if given.isascii() and given.isdigit() else ""
    if not number:
        raise exceptions.ValidationError({"page_size": [_("Please give a number of rows.")]})
    return min(int(number[:9]), LIMIT_ROWS)


class NewestFirstPagination(CursorPagination):
    """By id, which begins with the time of creation (UUIDv7)."""

    parameters = ("cursor", "page_size")
    ordering = "-id"
    page_size, max_page_size, page_size_query_param = PAGE_ROWS, LIMIT_ROWS, "page_size"

    def get_page_size(self, request: Request) -> int:
        return page_size(request)

    def get_paginated_response_schema(self, schema: dict) -> dict:
        address = {"type": ["string", "null"], "format": "uri"}
        return envelope(next=address, previous=address, results=schema)

    def get_schema_operation_parameters(self, view: Any) -> list[dict]:
        parameters = super().get_schema_operation_parameters(view)
        for parameter in parameters:
            if parameter["name"] == self.page_size_query_param:
                parameter["schema"] |= {"minimum": 1}
        return parameters


class WorklistPagination(BasePagination):
    """By (urgency, AI precedence, due, id). DRF's cursor orders by one column, and most rows share their urgency."""

    parameters = ("cursor", "page_size")

    def paginate_queryset(self, queryset: QuerySet, request: Request, view: Any = None) -> list:
        if cursor := request.query_params.get("cursor"):
            try:
                urgency, precedence, due, pk = signing.loads(cursor)
            except (signing.BadSignature, ValueError) as error:  # or one of an earlier version
                raise exceptions.ValidationError({"cursor": [_("This cursor is invalid.")]}) from error
            queryset = queryset.after(Place.of(urgency, precedence, parse_datetime(due), pk))
        size = page_size(request)
        found = list(queryset[: size + 1])
        self.rows, self.is_last = found[:size], len(found) <= size
        self.address = request.build_absolute_uri()
        return self.rows

    def get_paginated_response(self, data: list) -> Response:
        following = None
        if not self.is_last:
            last = self.rows[-1]
            place = [last.urgency, last.ai_precedence, last.due_at.isoformat(), str(last.pk)]
            cursor = signing.dumps(place, compress=True)
            following = replace_query_param(self.address, "cursor", cursor)
        return Response({"next": following, "results": data})

    def get_paginated_response_schema(self, schema: dict) -> dict:
        return envelope(next={"type": ["string", "null"], "format": "uri"}, results=schema)

    def get_schema_operation_parameters(self, view: Any) -> list[dict]:
        size = {"type": "integer", "minimum": 1}
        return [
            _parameter("cursor", "from the `next` of the page before", {"type": "string"}),
            _parameter("page_size", "Number of results to return per page.", size),
        ]


def _parameter(name: str, description: str, schema: dict) -> dict:
    return {"name": name, "in": "query", "required": False, "description": description, "schema": schema}


def envelope(**properties: dict) -> dict:
    """Return the schema of one page, with all properties required."""
    return {"type": "object", "required": list(properties), "properties": properties}
