"""If-Match: a change is made to what the caller has read, or not at all (RFC 9110, section 13.1.1).

An ETag names a version of what PATCH can change, and of what decides whether it may. It does not change with the
language of the texts around it, nor while a worker reads the photos: a second device's edit is a conflict, these are not.
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
from teleder.api.serializers.person import MeSerializer
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
    """Return a strong entity tag of something that JSON can hold."""
    text = json.dumps(version, default=str, sort_keys=True)
    return f'"{hashlib.sha256(text.encode()).hexdigest()[:32]}"'


def etag_of_submission(submission: Submission) -> str:
    return etag_of([submission.pk, submission.status, submission.case.body_site, submission.history])


def etag_of_person(person: User) -> str:
    return etag_of(MeSerializer(person).data)


def require_match(request: Request, etag: str) -> None:
    """Raise `PreconditionFailedError` where the caller has read another version; the row must be locked."""
    given = request.headers.get("If-Match")
    if given is None:
        return
    if not (wanted := parse_etags(given)):
        raise exceptions.ValidationError(
            {"If-Match": [_('Please give the ETag as it was, with its quotes: "…".')]}
        )
    if etag not in wanted and "*" not in wanted:
        raise PreconditionFailedError(
            _("This was changed since you read it, perhaps on another device. Please read it again.")
        )
