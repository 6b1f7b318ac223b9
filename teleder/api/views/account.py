"""For every role: log-in by token, profile, consents, inbox."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

from allauth.account.adapter import get_adapter
from allauth.mfa.utils import is_mfa_enabled
from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from knox.models import AuthToken
from knox.settings import knox_settings
from rest_framework import exceptions
from rest_framework.request import Request
from rest_framework.response import Response

from teleder.accounts import people
from teleder.accounts.consent_texts import consent_text, consent_texts
from teleder.accounts.models import STAFF, PatientProfile, Purpose, User
from teleder.api import throttles
from teleder.api.access import PATIENTS, EndpointView
from teleder.api.pagination import NewestFirstPagination
from teleder.api.preconditions import ETAG, IF_MATCH, etag_of_person, require_match
from teleder.api.schema import problems
from teleder.api.serializers.account import (
    ConsentChoiceSerializer,
    ConsentSerializer,
    LogInSerializer,
    MeChangeSerializer,
    MeSerializer,
    MessageSerializer,
    PatientChangeSerializer,
    TokenSerializer,
)
from teleder.cases import consents
from teleder.notifications.models import Message, Preference
from teleder.security import failed_logins, mfa
from teleder.security.failed_logins import Reason


class Conflict(exceptions.APIException):
    status_code, default_code = 409, "conflict"


class LogInView(EndpointView):
    """Get a token for a program or a device. Wrong address and wrong password answer alike."""

    authentication_classes = permission_classes = ()
    throttle_classes = (throttles.TokenThrottle,)

    def get_authenticate_header(self, request: Request) -> str:
        return "Token"

    @extend_schema(request=LogInSerializer, responses={201: TokenSerializer, **problems(401, 503)})
    def post(self, request: Request) -> Response:
        given = LogInSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        user = authenticated_user(request, **given.validated_data)
        life = timedelta(hours=settings.STAFF_TOKEN_HOURS) if user.role in STAFF else knox_settings.TOKEN_TTL
        row, token = AuthToken.objects.create(user, expiry=life)
        return Response(TokenSerializer({"token": token, "expires_at": row.expiry}).data, status=201)


def authenticated_user(request: Request, *, email: str, password: str, code: str = "") -> User:
    """Return the user with these credentials. A second factor needs its code too, and staff must have one."""
    user = get_adapter().authenticate(request._request, email=email, password=password)
    if user is None or not user.is_active:
        raise exceptions.AuthenticationFailed(
            _("This e-mail address or password is wrong."), code="wrong_credentials"
        )
    if is_mfa_enabled(user) or mfa.is_required(user):
        if code and is_mfa_enabled(user):
            form = mfa.AuthenticateForm({"code": code}, user=user)
            if form.is_valid():
                form.authenticator.record_usage()
                return user
        else:
            failed_logins.record_failed_login(request._request, Reason.NO_SECOND_FACTOR, email=user.email)
        detail = _(
            "This account also needs a new code from the authenticator app. Staff set up the app on the website."
        )
        raise exceptions.AuthenticationFailed(detail, code="second_factor_needed")
    return user


class LogOutView(EndpointView):
    """End the token that the request bears."""

    @extend_schema(request=None, responses={204: None, **problems(400)})
    def delete(self, request: Request) -> Response:
        if request.auth is None:
            raise exceptions.ParseError(_("This request has no token."))
        request.auth.delete()
        return Response(status=204)


class MeView(EndpointView):
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
            _save_profile(person, **wanted.validated_data)
        return self.shown(User.objects.get(pk=request.user.pk))

    def shown(self, person: User) -> Response:
        return Response(MeSerializer(person).data, headers={"ETag": etag_of_person(person)})


def _save_profile(user: User, **wanted: Any) -> None:
    if "email_messages" in wanted:
        row = {"email": wanted.pop("email_messages")}
        Preference.objects.update_or_create(person=user, defaults=row)
    profile = {name: wanted.pop(name) for name in ("birth_year", "birth_date", "skin_type") if name in wanted}
    if profile.get("birth_year"):
        PatientProfile.objects.update_or_create(user=user, defaults=profile)
    elif profile:
        PatientProfile.objects.filter(user=user).update(**profile)
    if wanted:
        User.objects.filter(pk=user.pk).update(**wanted)


class ConsentListView(EndpointView):
    """What I may agree to, word for word, and what I have agreed to; for a child, as the guardian."""

    roles = PATIENTS

    @extend_schema(responses=ConsentSerializer(many=True))
    def get(self, request: Request, pk: UUID | None = None) -> Response:
        self.filters()
        return Response(_consents(self.person(pk), by=request.user))

    @extend_schema(
        request=ConsentChoiceSerializer, responses={200: ConsentSerializer(many=True), **problems(409)}
    )
    def put(self, request: Request, pk: UUID | None = None) -> Response:
        """Give (true) or withdraw (false); a purpose that is left out stays as it is."""
        wanted, person = ConsentChoiceSerializer(data=request.data), self.person(pk)
        wanted.is_valid(raise_exception=True)
        choice = dict(wanted.validated_data)
        require_newest_texts(choice.pop("version"))
        with transaction.atomic():
            for purpose, agrees in choice.items():
                if agrees:
                    people.give_consent(person, Purpose(purpose), by=request.user)
                else:
                    consents.withdraw_consent(person, Purpose(purpose), by=request.user)
        return Response(_consents(person, by=request.user))


def require_newest_texts(version: str) -> None:
    """Raise `Conflict` where the person has read another version of the texts of the consents."""
    if version != consent_texts()["version"]:
        raise Conflict(_("The texts have changed. Please read them again."), code="consent_text_changed")


def _consents(person: User, *, by: User) -> list[dict]:
    """Return what `by`, the person or a guardian, has agreed to."""
    is_own = by == person
    mine = person.consents.not_withdrawn().filter(given_by=None if is_own else by)
    found = {consent.purpose: consent for consent in mine}
    in_force = set(person.consents.given().values_list("purpose", flat=True))
    rows = []
    for purpose in Purpose:
        consent = found.get(purpose)
        is_given = consent is not None and consent.stands
        rows.append(
            {
                "purpose": purpose.value,
                "version": consent_texts()["version"],
                "text": consent_text(purpose, for_child=not is_own),
                "given": is_given,
                "given_at": consent.given_at if is_given else None,
                "given_version": consent.version if is_given else None,
                "asks_again": consent is not None and not is_given,
                "in_force": purpose.value in in_force,
            }
        )
    return ConsentSerializer(rows, many=True).data


class InboxView(EndpointView):
    """News for me, newest first."""

    pagination_class = NewestFirstPagination

    @extend_schema(responses=MessageSerializer(many=True))
    def get(self, request: Request) -> Response:
        self.filters()
        return self.page(Message.objects.inbox_of(request.user).select_related("event"), MessageSerializer)


class InboxReadView(EndpointView):
    """Mark all that is in the inbox as read."""

    @extend_schema(request=None, responses={204: None})
    def post(self, request: Request) -> Response:
        Message.objects.inbox_of(request.user).mark_read()
        return Response(status=204)
