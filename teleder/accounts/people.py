"""Verbs about people: consent, invitation, deactivation."""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import get_language

from teleder.accounts.models import Consent, DermatologistProfile, Invitation, Language, Purpose, Role, User

CONSENT_TEXTS = Path(__file__).parent / "consent.toml"


@cache
def consent_texts() -> dict[str, Any]:
    """Return {"version", "<purpose>": {"ja", "en"}}: drafts until a clinician and a lawyer have signed them."""
    return tomllib.loads(CONSENT_TEXTS.read_text())


def consent_text(purpose: Purpose, language: str | None = None) -> str:
    return consent_texts()[purpose][(language or get_language() or Language.JA)[:2]]


@transaction.atomic
def give_consent(person: User, purpose: Purpose) -> Consent:
    """Keep what was agreed to, word for word in the language shown; agreeing twice keeps the first."""
    User.objects.select_for_update().get(pk=person.pk)
    given = person.consents.given().filter(purpose=purpose).first()
    language = (get_language() or Language.JA)[:2]
    return given or person.consents.create(
        purpose=purpose,
        version=consent_texts()["version"],
        language=language,
        text=consent_text(purpose, language),
    )


def withdraw_consent(person: User, purpose: Purpose) -> None:
    person.consents.given().filter(purpose=purpose).update(withdrawn_at=timezone.now())


@transaction.atomic
def accept_invitation(
    invitation: Invitation, *, name: str, password: str, licence_number: str = ""
) -> User | None:
    """Make the invited person's account; `None` when the invitation was used meanwhile."""
    used = Invitation.objects.filter(pk=invitation.pk, accepted_at=None).update(accepted_at=timezone.now())
    if not used or User.objects.filter(email__iexact=invitation.email).exists():
        return None
    user = User.objects.create_user(invitation.email, password, name=name, role=invitation.role)
    if user.role == Role.DERMATOLOGIST:
        DermatologistProfile.objects.create(user=user, licence_number=licence_number)
    return user
