"""What is done to accounts: consent, invitation, role, suspension, second factor."""

from __future__ import annotations

from typing import Any

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from django.conf import settings
from django.contrib.admin.models import ADDITION, CHANGE, LogEntry
from django.contrib.auth import update_session_auth_hash
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.mail import send_mail
from django.db import transaction
from django.db.models import F, Q
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import get_language, override
from django.utils.translation import gettext as _
from knox.models import AuthToken

from teleder.accounts.consent_texts import consent_text, consent_texts
from teleder.accounts.guardians import only_children_of, relation_of
from teleder.accounts.models import (
    STAFF,
    Clinic,
    Consent,
    DermatologistProfile,
    Invitation,
    InvitationQuerySet,
    Language,
    Purpose,
    Role,
    User,
    UserQuerySet,
)
from teleder.accounts.normalisation import normalise_email


@transaction.atomic
def give_consent(person: User, purpose: Purpose, *, by: User | None = None) -> Consent:
    """Store the consent with its text in the language shown. A second consent that stands keeps the first; one to an older text
    that has changed since is replaced.

    `by` is the guardian who gives it for a child; the text says so. Raises `ValidationError` for whom may not give it.
    """
    by = by or person
    refuse_consent(person, by)
    User.objects.select_for_update().get(pk=person.pk)
    guardian = None if by == person else by
    mine = person.consents.not_withdrawn().filter(purpose=purpose, given_by=guardian).first()
    if mine and mine.stands:
        return mine
    end_consent(person, purpose, by=by)
    language = (get_language() or Language.JA)[:2]
    return person.consents.create(
        purpose=purpose,
        version=consent_texts()["version"],
        language=language,
        text=consent_text(purpose, language, for_child=guardian is not None),
        given_by=guardian,
        relation=relation_of(person, guardian) if guardian else "",
    )


def refuse_consent(person: User, by: User) -> None:
    """Raise `ValidationError` where `by` may not consent for `person`: a child, a stranger, a guardian of a grown-up."""
    profile = getattr(person, "patient", None)
    years = {"years": settings.AGE_OF_CONSENT_YEARS}
    if by not in person.readers:
        raise ValidationError(_("Only the guardian decides about this."), code="not_guardian")
    if by == person and profile and profile.may_be_under(settings.AGE_OF_CONSENT_YEARS):
        text = _("Under %(years)d, a parent or guardian agrees and asks for you.") % years
        raise ValidationError(text, code="guardian_needed")
    if by != person and not profile.may_be_under(settings.AGE_OF_CONSENT_YEARS):
        text = _("From %(years)d on people decide themselves. Please hand the record over.") % years
        raise ValidationError(text, code="hand_over_due")


def end_consent(person: User, purpose: Purpose, *, by: User | None = None) -> None:
    """End the consent that `by` has given, the person or a guardian; without `by` everybody's."""
    rows = person.consents.not_withdrawn().filter(purpose=purpose)
    if by is not None:
        rows = rows.filter(given_by=None if by == person else by)
    rows.update(withdrawn_at=timezone.now())


def latest_consents(person: User) -> list[Consent]:
    """Return the newest consent for each purpose, withdrawn ones included; of prefetched consents it asks nothing."""
    newest = {one.purpose: one for one in sorted(person.consents.all(), key=lambda one: one.given_at)}
    return [newest[purpose] for purpose in sorted(newest)]


@transaction.atomic
def invite(*, email: str, role: Role, by: User) -> Invitation:
    """Mail a future colleague the link that creates their account; an older link of theirs stops working.

    They join the clinic of `by`. Raises `ValidationError` for an address with an account there. An account at
    another clinic is not revealed: the link then leads nowhere. Where the mail fails, there is no invitation.
    """
    email = normalise_email(email)
    if _with_address(User.objects.visible_to(by), email).exists():
        raise ValidationError({"email": _("There is an account with this address already.")})
    open_ones = Invitation.objects.visible_to(by).open().filter(email__iexact=email)
    open_ones.update(expires_at=timezone.now())
    invitation, token = Invitation.issue(email=email, role=role, by=by)
    log_action(invitation, ADDITION, "invited", by=by)
    link = settings.PUBLIC_URL + reverse("web:invitation", args=[token])
    texts = []
    for language in Language.values:  # which one the receiver reads is not known yet
        with override(language):
            text = _(
                "You are invited to teleder as %(role)s. This link works once, until %(until)s: %(link)s"
            )
            until = f"{timezone.localtime(invitation.expires_at):%Y-%m-%d}"
            texts.append(text % {"role": invitation.get_role_display(), "until": until, "link": link})
    send_mail("teleder", "\n\n".join(texts), None, [invitation.email])
    return invitation


def _with_address(rows: UserQuerySet, email: str) -> UserQuerySet:
    """Return the users who log in with this address, which may be one of several."""
    second = EmailAddress.objects.filter(email__iexact=email, verified=True).values("user")
    return rows.filter(Q(email__iexact=email) | Q(pk__in=second))


def has_account(email: str) -> bool:
    """Whether somebody logs in with this address."""
    return _with_address(User.objects.all(), email).exists()


def stop_invitations(rows: InvitationQuerySet, *, by: User) -> int:
    """Expire open invitations, so that their links no longer work; return how many."""
    still_open = list(rows.open())
    for invitation in still_open:
        Invitation.objects.filter(pk=invitation.pk).update(expires_at=timezone.now())
        log_action(invitation, CHANGE, "stopped", by=by)
    return len(still_open)


@transaction.atomic
def deactivate(person: User, *, by: User) -> None:
    """Log a person out of pages and API and refuse new log-ins; their work stays.

    Raises `ValidationError`, see `require_rights_over`.
    """
    require_rights_over(person, by, _("You cannot deactivate yourself. Please ask another admin."))
    if User.objects.filter(pk=person.pk, is_active=True).update(is_active=False):
        revoke_rights(person, by=by)
        log_action(person, CHANGE, "deactivated", by=by)


@transaction.atomic
def activate(person: User, *, by: User) -> None:
    """Let a person log in again; earlier sessions and tokens stay invalid.

    Raises `ValidationError`, see `require_rights_over`.
    """
    require_rights_over(person, by, _("You cannot activate yourself. Please ask another admin."))
    if User.objects.filter(pk=person.pk, is_active=False).update(is_active=True):
        end_sessions(person)
        log_action(person, CHANGE, "activated", by=by)


@transaction.atomic
def change_role(person: User, *, role: Role, by: User) -> None:
    """Make a dermatologist an admin or the reverse; the person is logged out and is no superuser any more.

    Raises `ValidationError` for patients, for a role that is not staff's, and see `require_rights_over`.
    """
    require_rights_over(person, by, _("You cannot change your own role. Please ask another admin."))
    if person.is_patient or role not in STAFF:
        raise ValidationError(_("A patient's role cannot change. Colleagues join by invitation."))
    if User.objects.filter(pk=person.pk).exclude(role=role).update(role=role, is_superuser=False):
        if role == Role.DERMATOLOGIST:
            DermatologistProfile.objects.get_or_create(user=person)
        revoke_rights(person, by=by)
        log_action(person, CHANGE, f"role: {role}", by=by)


@transaction.atomic
def set_duty(person: User, *, by: User, on_call: bool | None = None, is_lead: bool | None = None) -> None:
    """Say whether a dermatologist is on call, or is a lead: who is told of urgent and of late cases.

    Raises `ValidationError` for anybody else.
    """
    if not person.is_dermatologist:
        raise ValidationError(_("Only a dermatologist can be on call or a lead."))
    profile, _is_new = DermatologistProfile.objects.get_or_create(user=person)
    given = {"on_call": on_call, "is_lead": is_lead}
    changed = {name: value for name, value in given.items() if value not in (None, getattr(profile, name))}
    if changed:
        DermatologistProfile.objects.filter(pk=profile.pk).update(**changed)
        log_action(person, CHANGE, ", ".join(f"{name}: {value}" for name, value in changed.items()), by=by)


@transaction.atomic
def move_to_clinic(person: User, *, to: Clinic, by: User) -> None:
    """Move a person to another clinic and log them out; cases stay where they were opened."""
    if User.objects.filter(pk=person.pk).exclude(clinic=to).update(clinic=to):
        User.objects.filter(pk__in=only_children_of(person).values("pk")).update(clinic=to)
        revoke_rights(person, by=by)
        log_action(person, CHANGE, f"moved to clinic {to.pk}", by=by)


@transaction.atomic
def reset_second_factors(person: User, *, by: User) -> None:
    """Delete app, keys and recovery codes of a user who lost them; after the password they set up new ones.

    Raises `ValidationError`, see `require_rights_over`: a stolen session must not remove its own factor.
    """
    require_rights_over(person, by, _("You cannot do this for yourself. Please ask another admin."))
    if Authenticator.objects.filter(user=person).delete()[0]:
        end_sessions(person)
        log_action(person, CHANGE, "second factors forgotten", by=by)


def set_only_address(person: User) -> None:
    """Make `person.email` the only address for log-in and mail, and log the person out."""
    EmailAddress.objects.filter(user=person).delete()
    EmailAddress.objects.create(user=person, email=person.email.lower(), verified=True, primary=True)
    end_sessions(person)


def require_rights_over(person: User, by: User, itself: str) -> None:
    """Raise `ValidationError` for `by` itself, and where somebody else than a superuser changes a superuser."""
    if person == by:
        raise ValidationError(itself)
    if person.is_superuser and not by.is_superuser:
        raise ValidationError(_("Only a superuser can do this to a superuser."))


def revoke_rights(person: User, *, by: User) -> None:
    """Log a person out everywhere and stop their invitations, which they sent with rights they no longer have."""
    end_sessions(person)
    stop_invitations(Invitation.objects.filter(invited_by=person), by=by)


def end_other_sessions(request: HttpRequest, person: User) -> None:
    """Log a person out everywhere except in the session of this request."""
    end_sessions(person)
    person.refresh_from_db(fields=["sessions_ended"])
    update_session_auth_hash(request, person)


def end_sessions(person: User) -> None:
    """Log a person out everywhere: every session and every token of the API."""
    User.objects.filter(pk=person.pk).update(sessions_ended=F("sessions_ended") + 1)
    AuthToken.objects.filter(user=person).delete()


def log_action(row: Any, action: int, words: str, *, by: User) -> None:
    rows = type(row)._default_manager.filter(pk=row.pk)
    LogEntry.objects.log_actions(by.pk, rows, action, words, single_object=True)


@transaction.atomic
def accept_invitation(
    invitation: Invitation, *, name: str, password: str, licence_number: str = ""
) -> User | None:
    """Create the invited person's account; `None` when the invitation was used meanwhile.

    Raises `ValidationError` for a password that is refused.
    """
    validate_password(password, User(email=invitation.email, name=name))
    User.objects.never_confirmed().filter(email__iexact=invitation.email).delete()
    used = Invitation.objects.filter(pk=invitation.pk, accepted_at=None).update(accepted_at=timezone.now())
    if not used or has_account(invitation.email):
        return None
    user = User.objects.create_user(
        invitation.email,
        password,
        name=name,
        role=invitation.role,
        clinic=invitation.clinic,
        language=(get_language() or Language.JA)[:2],  # that of the page they read
    )
    if user.role == Role.DERMATOLOGIST:
        DermatologistProfile.objects.create(user=user, licence_number=licence_number)
    return user
