"""What belongs to a person: every table says here what becomes of it. A test asks every model of the installation."""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from uuid import UUID

from allauth.account.models import EmailAddress, EmailConfirmation
from allauth.mfa.models import Authenticator
from django.contrib.admin.models import LogEntry
from django.contrib.sessions.models import Session
from django.db import connection
from django.db.models import Model
from django.utils import timezone
from knox.models import AuthToken

from teleder.accounts.devices import Device
from teleder.accounts.models import (
    ChildInvitation,
    Consent,
    FailedLogin,
    Guardianship,
    Invitation,
    PatientProfile,
    User,
)
from teleder.cases.models import (
    Analysis,
    AnswerDraft,
    AnswerReading,
    Case,
    DamagedFile,
    DrawnCrop,
    DrawnCropFinding,
    Event,
    Finding,
    FirstImpression,
    HandOverNote,
    HeldAnswer,
    Job,
    PatientQuestion,
    Photo,
    Review,
    SecondOpinion,
    ShareLink,
    Submission,
    TakenBackAnswer,
)
from teleder.notifications.models import DueWarning, Message, Preference, UrgentCall
from teleder.privacy.models import Erasure, Hold
from teleder.security import failed_logins

Path = tuple[type[Model], str]

# Table and the way from its rows to a photo; in an order that leaves nothing pointing at what is gone.
OF_PHOTO: tuple[Path, ...] = (
    (DrawnCropFinding, "drawn_crop__photo"),
    (DrawnCrop, "photo"),
    (Finding, "analysis__photo"),
    (Analysis, "photo"),
    (Job, "photo"),
    (DamagedFile, "photo"),
    (Photo, "pk"),
)
# The same to a submission,
OF_SUBMISSION: tuple[Path, ...] = (
    (Message, "event__submission"),
    (UrgentCall, "submission"),
    (DueWarning, "submission"),
    (DrawnCropFinding, "drawn_crop__photo__submission"),
    (DrawnCrop, "photo__submission"),
    (Finding, "analysis__photo__submission"),
    (Analysis, "photo__submission"),
    (Job, "photo__submission"),
    (DamagedFile, "photo__submission"),
    (Photo, "submission"),
    (FirstImpression, "submission"),
    (AnswerDraft, "submission"),
    (HeldAnswer, "submission"),
    (AnswerReading, "review__submission"),
    (TakenBackAnswer, "review__submission"),
    (PatientQuestion, "submission"),
    (SecondOpinion, "submission"),
    (HandOverNote, "submission"),
    (ShareLink, "submission"),
)
# with what only the database itself deletes, and only together (`delete_submissions`);
HISTORY = (Event, Review, Submission)
# and to a person, for what hangs on no submission.
OF_PERSON: tuple[Path, ...] = (
    (Case, "patient"),
    (Consent, "person"),
    (Preference, "person"),
    (ChildInvitation, "child"),
    (Guardianship, "child"),
    (Guardianship, "guardian"),  # of children with another one: an only guardian is erased after them
    (PatientProfile, "user"),
    (AuthToken, "user"),
    (Device, "person"),
    (Authenticator, "user"),
    (EmailConfirmation, "email_address__user"),
    (EmailAddress, "user"),
    (User.groups.through, "user"),
    (User.user_permissions.through, "user"),
    (Erasure, "person"),
    (Hold, "person"),
    (User, "pk"),
)
# Where no foreign key leads to the person, but their id, name or address stands (`forget_mentions`).
MENTIONING = (Session, LogEntry, Invitation, FailedLogin)

# What stays, and why it may. By label, since nothing here is touched.
KEPT = {
    "audit.Entry": "ids and names from our own code, which lead nowhere once the rows are gone",
    "privacy.Tombstone": "no name, no address; a hash by which an old backup is known again",
    "privacy.Remnant": "names of folders that are empty, for a day",
    "accounts.AttemptCounter": "keyed hashes and times, deleted by the night after a day at the most",
    "cases.BoardSample": "counts and seconds of a clinic, for two days; no id",
    "cases.Heartbeat": "names of processes and times",
    "cases.StorageMark": "a random id of the installation",
    "notifications.Alert": "kinds of faults and times; names staff, who are not erased",
    "backups.Backup": "names, places and sizes of backups",
    "cases.RefusedMessage": "counts a day of what workers said; no id",
    "accounts.Clinic": "not personal",
    "accounts.ClinicText": "of the clinic; names staff, who are not erased",
    "accounts.ClinicTextApproval": "of the clinic; names staff, who are not erased",
    "cases.Snippet": "of staff, who are not erased; no health data of a patient belongs in it",
    "cases.ReplyTemplate": "of the clinic; names staff, who are not erased",
    "accounts.DermatologistProfile": "of staff, who are not erased: their signatures are part of others' records",
    "auth.Group": "not personal",
    "auth.Group_permissions": "not personal",
    "auth.Permission": "not personal",
    "contenttypes.ContentType": "not personal",
}


def delete(table: tuple[Path, ...], roots: Collection) -> None:
    """Delete all rows of the tables whose way leads to one of `roots`, in plain SQL.

    Nothing cascades: a table that is missing here and points at one of them stops the whole transaction.
    """
    for model, path in table:
        rows = model._base_manager.filter(**{f"{path}__in": roots})
        rows._raw_delete(rows.db)


def delete_submissions(pks: Collection[UUID]) -> None:
    """Delete submissions with all that hangs on them.

    `erase_submissions` is a function of the database: the web itself has no right to delete a row of `HISTORY`.
    """
    delete(OF_SUBMISSION, pks)
    with connection.cursor() as cursor:
        cursor.execute("SELECT public.erase_submissions(%s)", [list(pks)])


def forget_mentions(person: User) -> None:
    """Delete sessions, log entries of the admin site, invitations and failed log-ins that name the person or their addresses."""
    addresses = {row.email.lower() for row in person.emailaddress_set.all()}
    addresses |= {person.email.lower()} if person.email else set()
    cases = map(str, person.cases.values_list("pk", flat=True))
    LogEntry.objects.filter(object_id__in=[str(person.pk), *cases]).delete()
    for address in addresses:
        Invitation.objects.filter(email__iexact=address).delete()
        ChildInvitation.objects.filter(email__iexact=address).delete()
    failed_logins.delete_of_person(person, addresses)
    # Of children: they have an account of their own now, or another guardian.
    given = Consent.objects.filter(given_by=person)
    given.not_withdrawn().update(withdrawn_at=timezone.now())
    given.update(given_by=None)
    # Sessions also of who is about to log in, or wants a new password: there it is not `_auth_user_id` that names them.
    words = "|".join(map(re.escape, [str(person.pk), *addresses]))
    named = re.compile(rf"(?<![\w.+@-])({words})(?![\w.+@-])")
    sessions = [
        row.pk
        for row in Session.objects.iterator()
        if named.search(json.dumps(row.get_decoded(), ensure_ascii=False).lower())
    ]
    Session.objects.filter(pk__in=sessions).delete()
