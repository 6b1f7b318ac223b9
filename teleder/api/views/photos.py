"""Photos, for all roles: upload one by one, state with reason and remedy, and the copies to view."""

from __future__ import annotations

from uuid import UUID

from django.http import FileResponse
from django.shortcuts import get_object_or_404
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, PolymorphicProxySerializer, extend_schema
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from teleder.api import throttles
from teleder.api.access import CLINIC, DERMATOLOGISTS, EVERYBODY, PATIENTS, EndpointView
from teleder.api.parsers import PhotoParser
from teleder.api.schema import problems
from teleder.api.serializers.clinic import ClinicPhotoSerializer, FullCopySerializer
from teleder.api.serializers.patient import PhotoSerializer, PhotoUploadSerializer
from teleder.cases import ai_opinion, files, intake
from teleder.cases.files import FileKind
from teleder.cases.models import Photo, Submission
from teleder.pipeline import queue

# Kept: to make its fields costs a tenth of an upload. It has no state of its own.
PATIENTS_PHOTO = PhotoSerializer()


def shown(request: Request, photos: Photo | list[Photo], *, many: bool = False) -> object:
    """Show the photos of one submission as the request's user may see them."""
    if request.user.is_patient:
        found = photos if many else [photos]
        rows = [PATIENTS_PHOTO.to_representation(photo) for photo in found]
        return rows if many else rows[0]
    one = next(iter(photos), None) if many else photos
    context = {"ai_is_open": one is not None and ai_opinion.is_open(one.submission, request.user)}
    return ClinicPhotoSerializer(photos, many=many, context=context).data


def photo_by_role(*, many: bool) -> PolymorphicProxySerializer:
    return PolymorphicProxySerializer(
        component_name="PhotoByRole",
        serializers=[ClinicPhotoSerializer, PhotoSerializer],
        resource_type_field_name=None,
        many=many,
    )


class PhotoListView(EndpointView):
    """The photos of a submission."""

    roles = {"GET": EVERYBODY, "POST": PATIENTS}
    parser_classes = (PhotoParser,)
    throttle_classes = (throttles.PersonThrottle, throttles.UploadThrottle)

    @extend_schema(responses=photo_by_role(many=True))
    def get(self, request: Request, pk: UUID) -> Response:
        self.filters()
        photos = self.submission(pk).current_photos().prefetch_related("analyses")
        return Response(shown(request, list(photos), many=True))

    @extend_schema(
        request={"multipart/form-data": PhotoUploadSerializer},
        responses={201: PhotoSerializer, **problems(409, 413, 415, 422, 507)},
    )
    def post(self, request: Request, pk: UUID) -> Response:
        """Add one photo; the same file again is the same photo. It is checked at once, look at its state."""
        # With the patient's age, which decides what photos are taken.
        mine = Submission.objects.visible_to(request.user).select_related("case__patient__patient")
        submission = get_object_or_404(mine, pk=pk)
        given = PhotoUploadSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        upload = given.validated_data.pop("file")
        photo = intake.add_photo(submission, upload=upload, **given.validated_data)
        return Response(shown(request, photo), status=201)


class PhotoDetailView(EndpointView):
    """One photo."""

    roles = {"GET": EVERYBODY, "DELETE": PATIENTS}

    @extend_schema(responses=photo_by_role(many=False))
    def get(self, request: Request, pk: UUID) -> Response:
        return Response(shown(request, self.photo(pk)))

    @extend_schema(request=None, responses={204: None, **problems(409)})
    def delete(self, request: Request, pk: UUID) -> Response:
        """Take it out, before it is sent; a repeat answers the same."""
        intake.remove_photo(self.photo(pk))
        return Response(status=204)


class SendAnywayView(EndpointView):
    """Keep a photo that is hard to read as it is."""

    roles = PATIENTS

    @extend_schema(request=None, responses=PhotoSerializer)
    def post(self, request: Request, pk: UUID) -> Response:
        photo = self.photo(pk)
        intake.send_anyway(photo)
        photo.refresh_from_db()
        return Response(shown(request, photo))


class FullCopyView(EndpointView):
    """All pixels of a photo whose `display` copy has fewer: made when a dermatologist asks, then the file `full`."""

    roles = {"GET": CLINIC, "POST": DERMATOLOGISTS}

    @extend_schema(responses=FullCopySerializer)
    def get(self, request: Request, pk: UUID) -> Response:
        self.filters()
        return self.full_copy(self.photo(pk))

    @extend_schema(request=None, responses={200: FullCopySerializer, **problems(409)})
    def post(self, request: Request, pk: UUID) -> Response:
        """Ask for it, once; repeat to read how it stands. Ask again where it failed."""
        photo = self.photo(pk)
        queue.request_full_copy(photo)
        return self.full_copy(photo)

    def full_copy(self, photo: Photo) -> Response:
        found = queue.with_full_copy_state(Photo.objects.current().filter(pk=photo.pk))
        return Response(FullCopySerializer(get_object_or_404(found)).data)


class ImageRenderer(JSONRenderer):
    """Accepts requests for an image; errors are JSON all the same."""

    media_type, format = "image/*", "image"


class PhotoFileView(EndpointView):
    """A copy of a photo: `display`, `thumbnail`, `veiled` (a few pixels), `full` once it was asked for, and for the clinic the `mask` (0 background, 1 skin, 2 lesion)
    and the `attribution`: what spoke for a condition, red in the whole photo, green in one box in its place."""

    renderer_classes = (JSONRenderer, ImageRenderer)

    @extend_schema(
        operation_id="photos_file",
        parameters=[
            OpenApiParameter("format", exclude=True),  # there is one picture of each
            OpenApiParameter("kind", str, OpenApiParameter.PATH, enum=[kind.value for kind in FileKind]),
        ],
        responses={(200, "image/jpeg"): OpenApiTypes.BINARY, (200, "image/png"): OpenApiTypes.BINARY},
    )
    def get(self, request: Request, pk: UUID, kind: str) -> FileResponse:
        return files.serve(request, pk, kind)
