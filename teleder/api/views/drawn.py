"""Crops and lesions that dermatologists draw."""

from __future__ import annotations

from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from contract.drawn import Rectangle
from teleder.api.access import CLINIC, DERMATOLOGISTS, EndpointView
from teleder.api.schema import problems
from teleder.api.serializers.drawn import DrawCropSerializer, DrawnCropSerializer
from teleder.cases import ai_opinion, drawn_crops
from teleder.cases.models import Photo


class DrawnCropListView(EndpointView):
    """What was drawn on a photo over the model's crops and lesion, the newest first; 409 until the AI's opinion is open to me."""

    roles = {"GET": CLINIC, "POST": DERMATOLOGISTS}

    @extend_schema(responses={200: DrawnCropSerializer(many=True), **problems(409)})
    def get(self, request: Request, pk: UUID) -> Response:
        self.filters()
        photo = self.photo(pk)
        ai_opinion.require_open(photo.submission, request.user)
        return Response(_shown(photo))

    @extend_schema(request=DrawCropSerializer, responses={201: DrawnCropSerializer, **problems(409)})
    def post(self, request: Request, pk: UUID) -> Response:
        """Draw a crop, and a lesion, on a photo of a case that I hold; the model reads it beside its own crops.

        What it says of it changes no urgency. The same drawn again is the same.
        """
        photo = self.photo(pk)
        given = DrawCropSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        box = Rectangle(**given.validated_data["box"])
        drawn_crops.draw_crop(photo, by=request.user, box=box, lesion=given.validated_data["lesion"])
        return Response(_shown(photo)[0], status=201)


def _shown(photo: Photo) -> list[dict]:
    found = drawn_crops.drawn_crops_of(photo)
    states = {row.pk: state for row, state in found}
    return DrawnCropSerializer([row for row, _state in found], many=True, context={"states": states}).data
