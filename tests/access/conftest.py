"""What alice has, one row of each kind."""

from __future__ import annotations

from typing import Any

import pytest

from teleder.accounts.models import Invitation, Role
from teleder.cases import workflow
from teleder.cases.models import Analysis, Event, Job, Review
from teleder.notifications.models import Message, Preference


@pytest.fixture
def things(alices_submission, alice, adam, dana, analyse, stored) -> dict[str, Any]:
    """One row of each kind, all of them alice's or of her clinic, by what their addresses call them."""
    submission, photo = alices_submission, alices_submission.photos.get()
    analyse(photo)
    stored(photo)
    workflow.claim(submission, by=dana)
    answer = {"impression": "AD", "disposition": "today", "text": "Please come today."}
    workflow.sign(submission, by=dana, **answer)
    invitation, token = Invitation.issue(email="erik@example.com", role=Role.ADMIN, by=adam)
    event = Event.objects.last()
    return {
        "submission": submission,
        "case": submission.case,
        "photo": photo,
        "job": Job.objects.first(),
        "analysis": Analysis.objects.get(),
        "review": Review.objects.get(),
        "event": event,
        "message": Message.objects.create(event=event, person=alice, channel="inbox"),
        "preference": Preference.objects.create(person=alice),
        "user": alice,
        "clinic": alice.clinic,
        "consent": alice.consents.first(),
        "invitation": invitation,
        "token": token,
    }
