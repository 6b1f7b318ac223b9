"""Log-in by token, one's own profile, consents and inbox."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from allauth.account.adapter import get_adapter
from allauth.mfa.utils import is_mfa_enabled
from django.conf import settings
from django.db import transaction
from django.http import HttpRequest
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from knox.models import AuthToken
from knox.settings import knox_settings
from rest_framework import exceptions
from rest_framework.request import Request
from rest_framework.response import Response

from teleder.accounts import people
from teleder.accounts.models import STAFF, PatientProfile, Purpose, User
from teleder.api import throttles
from teleder.api.access import PATIENTS, Endpoint
from teleder.api.pagination import NewestFirst
from teleder.api.preconditions import ETAG, IF_MATCH, etag_of_person, require_match
from teleder.api.schema import problems
from teleder.api.serializers.person import (
    ConsentChoiceSerializer,
    ConsentSerializer,
    LogInSerializer,
    MeChangeSerializer,
    MeSerializer,
    MessageSerializer,
    PatientChangeSerializer,
    TokenSerializer,
)
from teleder.cases import intake
from teleder.notifications.models import Message, Preference
from teleder.security import failed_logins, mfa
from teleder.security.failed_logins import Reason


class Conflict(exceptions.APIException):
    status_code, default_code = 409, "conflict"


class LogIn(Endpoint):
    """Get a token for a program or a device. Wrong address and wrong password answer alike."""

    authentication_classes = permission_classes = ()
    throttle_classes = (throttles.Tokens,)

    def get_authenticate_header(self, request: Request) -> str:
        return "Token"

    @extend_schema(request=LogInSerializer, responses={201: TokenSerializer, **problems(401, 503)})
    def post(self, request: Request) -> Response:
        given = LogInSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        user = whose(request, **given.validated_data)
        life = timedelta(hours=settings.STAFF_TOKEN_HOURS) if user.role in STAFF else knox_settings.TOKEN_TTL
        row, token = AuthToken.objects.create(user, expiry=life)
        return Response(TokenSerializer({"token": token, "expires_at": row.expiry}).data, status=201)


def whose(request: Request, *, email: str, password: str, code: str = "") -> User:
    """Return whose log-in this is; an account with a second factor needs its code too, and staff need one."""
    user = get_adapter().authenticate(request._request, email=email, password=password)
    if user is None or not user.is_active:
        raise exceptions.AuthenticationFailed(
            _("This e-mail address and password do not fit."), code="wrong_credentials"
        )
    if is_mfa_enabled(user) or mfa.is_required(user):
        _check_code(request._request, user, code)
    return user


def _check_code(request: HttpRequest, user: User, code: str) -> None:
    if code and is_mfa_enabled(user):
        form = mfa.AuthenticateForm({"code": code}, user=user)
        if form.is_valid():
            form.authenticator.record_usage()
            return
    else:
        failed_logins.record(request, Reason.NO_SECOND_FACTOR, email=user.email)
    detail = _(
        "This account needs a fresh code from the authenticator app as well. Staff set the app up on the pages."
    )
    raise exceptions.AuthenticationFailed(detail, code="second_factor_needed")


class LogOut(Endpoint):
    """End the token that the request bears."""

    @extend_schema(request=None, responses={204: None, **problems(400)})
    def delete(self, request: Request) -> Response:
        if request.auth is None:
            raise exceptions.ParseError(_("This request bears no token."))
        request.auth.delete()
        return Response(status=204)


class Me(Endpoint):
    """Who I am, and what of it I can change."""

    @extend_schema(responses=MeSerializer, parameters=[ETAG])
    def get(self, request: Request) -> Response:
        return self.shown(request.user)

    @extend_schema(
        request=PatientChangeSerializer,
        responses={200: MeSerializer, **problems(412)},
        parameters=[IF_MATCH, ETAG],
    )
    def patch(self, request: Request) -> Response:
        """Change my profile. Staff change their language and e-mail wish only: they sign with name and licence."""
        kind = PatientChangeSerializer if request.user.is_patient else MeChangeSerializer
        wanted = kind(data=request.data, context={"request": request})
        wanted.is_valid(raise_exception=True)
        with transaction.atomic():
            person = User.objects.select_for_update(no_key=True).get(pk=request.user.pk)
            require_match(request, etag_of_person(person))
            _change(person, **wanted.validated_data)
        return self.shown(User.objects.get(pk=request.user.pk))

    def shown(self, person: User) -> Response:
        return Response(MeSerializer(person).data, headers={"ETag": etag_of_person(person)})


def _change(user: User, **wanted: Any) -> None:
    if "email_messages" in wanted:
        row = {"email": wanted.pop("email_messages")}
        Preference.objects.update_or_create(person=user, defaults=row)
    profile = {name: wanted.pop(name) for name in ("birth_year", "skin_type") if name in wanted}
    if profile.get("birth_year"):
        PatientProfile.objects.update_or_create(user=user, defaults=profile)
    elif profile:
        PatientProfile.objects.filter(user=user).update(**profile)
    if wanted:
        User.objects.filter(pk=user.pk).update(**wanted)


class Consents(Endpoint):
    """What I may agree to, word for word, and what I have agreed to."""

    roles = PATIENTS

    @extend_schema(responses=ConsentSerializer(many=True))
    def get(self, request: Request) -> Response:
        self.filters()
        return Response(_consents(request.user))

    @extend_schema(
        request=ConsentChoiceSerializer, responses={200: ConsentSerializer(many=True), **problems(409)}
    )
    def put(self, request: Request) -> Response:
        """Give (true) or withdraw (false); a purpose that is left out stays as it is."""
        wanted = ConsentChoiceSerializer(data=request.data)
        wanted.is_valid(raise_exception=True)
        choice = dict(wanted.validated_data)
        if choice.pop("version") != people.consent_texts()["version"]:
            raise Conflict(_("The texts have changed. Please read them again."), code="consent_text_changed")
        with transaction.atomic():
            for purpose, agrees in choice.items():
                (people.give_consent if agrees else intake.withdraw_consent)(request.user, Purpose(purpose))
        return Response(_consents(request.user))


def _consents(person: User) -> list[dict]:
    given = {consent.purpose: consent for consent in person.consents.given()}
    rows = [
        {
            "purpose": purpose.value,
            "version": people.consent_texts()["version"],
            "text": people.consent_text(purpose),
            "given": purpose in given,
            "given_at": given[purpose].given_at if purpose in given else None,
        }
        for purpose in Purpose
    ]
    return ConsentSerializer(rows, many=True).data


class Inbox(Endpoint):
    """News for me, newest first."""

    pagination_class = NewestFirst

    @extend_schema(responses=MessageSerializer(many=True))
    def get(self, request: Request) -> Response:
        self.filters()
        return self.page(Message.objects.inbox_of(request.user).select_related("event"), MessageSerializer)


class InboxRead(Endpoint):
    """Mark all that is in the inbox as read."""

    @extend_schema(request=None, responses={204: None})
    def post(self, request: Request) -> Response:
        Message.objects.inbox_of(request.user).mark_read()
        return Response(status=204)
