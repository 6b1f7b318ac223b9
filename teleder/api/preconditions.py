"""If-Match: a change applies to the version that the caller has read, or fails (RFC 9110, section 13.1.1).

An ETag covers what PATCH can change, and what decides whether it may. The language of other texts and the work on photos
do not change it: an edit on a second device is a conflict, these are not.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

from django.utils.http import parse_etags
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiParameter
from rest_framework import exceptions
from rest_framework.request import Request

from teleder.accounts.models import User
from teleder.api.schema import header
from teleder.api.serializers.account import MeSerializer
from teleder.cases.models import Submission

IF_MATCH = OpenApiParameter(
    "If-Match",
    str,
    OpenApiParameter.HEADER,
    description="the `ETag` of the version that was read: where it is no longer the one in force, the answer is 412 and "
    "nothing is changed. Without it the change is made to whatever is there.",
)
ETAG = header("ETag", "names this version, for `If-Match`", 200)


class PreconditionFailedError(exceptions.APIException):
    status_code, default_code = 412, "precondition_failed"


def etag_of(version: Any) -> str:
    """Return the strong entity tag of a JSON value."""
    text = json.dumps(version, default=str, sort_keys=True)
    return f'"{hashlib.sha256(text.encode()).hexdigest()[:32]}"'


def etag_of_submission(submission: Submission) -> str:
    places = [str(place) for place in submission.case.body_places]
    return etag_of([submission.pk, submission.status, places, submission.history])


def etag_of_person(person: User) -> str:
    return etag_of(MeSerializer(person).data)


def require_match(request: Request, etag: str) -> None:
    """Raise `PreconditionFailedError` where the caller has read another version. The caller holds a row lock."""
    given = request.headers.get("If-Match")
    if given is None:
        return
    if not (wanted := parse_etags(given)):
        raise exceptions.ValidationError(
            {"If-Match": [_('Please send the ETag unchanged, with its quotes: "…".')]}
        )
    if etag not in wanted and "*" not in wanted:
        raise PreconditionFailedError(
            _("This has changed since you read it, perhaps on another device. Please load it again.")
        )
