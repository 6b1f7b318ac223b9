"""Objects that belong to alice, one row of each kind."""

from __future__ import annotations

from datetime import timedelta
from hashlib import sha256
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from cryptography.hazmat.primitives.asymmetric import ec
from fido2.cose import ES256
from fido2.webauthn import (
    Aaguid,
    AttestationObject,
    AttestedCredentialData,
    AuthenticatorAttestationResponse,
    AuthenticatorData,
    CollectedClientData,
    RegistrationResponse,
)

from teleder.accounts import clinic_texts
from teleder.accounts.clinic_texts import TextKind
from teleder.accounts.devices import Device
from teleder.accounts.models import FailedLogin, Invitation, Role
from teleder.cases import asking_back, reviews, sharing
from teleder.cases.models import Analysis, Event, Job, Review
from teleder.cases.plan import Plan, clinic_day
from teleder.notifications.models import Message, Preference


def passkey() -> dict[str, Any]:
    """The data of a passkey that allauth stores, as a browser would send it."""
    key = ec.derive_private_key(1, ec.SECP256R1()).public_key()
    credential = AttestedCredentialData.create(Aaguid(bytes(16)), b"key", ES256.from_cryptography_key(key))
    seen_and_attested = 0x45
    data = AuthenticatorData.create(sha256(b"localhost").digest(), seen_and_attested, 0, credential)
    client_data = CollectedClientData.create("webauthn.create", b"challenge", "http://localhost")
    attestation = AttestationObject.create("none", data, {})
    answer = AuthenticatorAttestationResponse(client_data=client_data, attestation_object=attestation)
    return {"name": "phone", "credential": dict(RegistrationResponse(raw_id=b"key", response=answer))}


@pytest.fixture
def things(alices_submission, alice, sora, adam, dana, analyse, stored) -> dict[str, Any]:
    """One row of each kind, alice's or of her clinic, by the names that the URLs use."""
    submission, photo = alices_submission, alices_submission.photos.get()
    analyse(photo)
    stored(photo)
    reviews.claim(submission, by=dana)
    answer = {"impression": "AD", "disposition": "today", "text": "Please come today."}
    plan = Plan(next_photo_on=clinic_day() + timedelta(days=14))
    reviews.sign(submission, by=dana, plan=plan, **answer)
    share_link, share_token = sharing.share(submission, days=7, with_photos=True)
    question = asking_back.ask_back(submission, by=alice, text="May I swim?")
    invitation, token = Invitation.issue(email="erik@example.com", role=Role.ADMIN, by=adam)
    text = clinic_texts.save_draft(clinic=adam.clinic, kind=TextKind.TERMS, ja="約束", en="Terms", by=adam)
    clinic_texts.put_in_force(text, by=adam)
    event = Event.objects.get(submission=submission, kind="signed")
    return {
        "submission": submission,
        "case": submission.case,
        "photo": photo,
        "job": Job.objects.first(),
        "analysis": Analysis.objects.get(),
        "review": Review.objects.get(),
        "event": event,
        "message": Message.objects.create(event=event, person=alice, channel="inbox"),
        "question": question,
        "device": Device.objects.create(person=alice, session_key="of alice's other phone"),
        "failedlogin": FailedLogin.objects.create(
            person=alice, entrance=FailedLogin.Entrance.PAGE, reason=FailedLogin.Reason.WRONG_PASSWORD
        ),
        "preference": Preference.objects.create(person=alice),
        "user": alice,
        "child": sora,
        "guardianship": sora.guardianships.get(),
        "key": Authenticator.objects.create(user=alice, type="webauthn", data=passkey()),
        "clinic": alice.clinic,
        "consent": alice.consents.first(),
        "invitation": invitation,
        "token": token,
        "sharelink": share_link,
        "share_token": share_token,
    }
