"""People, their roles and their consents. Imports no other app of teleder."""

from __future__ import annotations

import hashlib
import secrets
from datetime import timedelta

import uuid_utils.compat as uuid
from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.models import PermissionsMixin
from django.contrib.auth.password_validation import validate_password
from django.db import models, transaction
from django.db.models import Exists, OuterRef, Q, Value
from django.db.models.functions import Collate
from django.utils import timezone
from django.utils.crypto import salted_hmac
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from teleder.accounts import clinic_texts, devices  # noqa: F401 - for the same reason as __all__
from teleder.accounts.attempts import AttemptCounter, FailedLogin
from teleder.accounts.consent_texts import consent_texts, counts
from teleder.accounts.guardians import ChildInvitation, GuardedMixin, Guardianship, Relation
from teleder.accounts.normalisation import normalise_code, normalise_email, normalise_width
from teleder.accounts.openings import Opening
from teleder.accounts.profiles import DermatologistProfile, PatientProfile, SkinType
from teleder.accounts.saving import SavesChangesMixin
from teleder.accounts.search import SearchKey
from teleder.accounts.text import LineField
from teleder.accounts.time_zones import TimeZoneField

# Django looks for an app's tables here.
__all__ = (
    "AttemptCounter",
    "ChildInvitation",
    "DermatologistProfile",
    "FailedLogin",
    "Guardianship",
    "PatientProfile",
    "Relation",
    "SkinType",
)

INVITATION_DAYS = 7
# The clinic that every installation begins with (a migration makes it).
FIRST_CLINIC = uuid.UUID("00000000-0000-7000-8000-000000000001")


class Role(models.TextChoices):
    PATIENT = "patient", _("patient")
    DERMATOLOGIST = "dermatologist", _("dermatologist")
    ADMIN = "admin", _("admin")


STAFF = (Role.DERMATOLOGIST, Role.ADMIN)


class Language(models.TextChoices):
    JA = "ja", "日本語"
    EN = "en", "English"


class ClinicQuerySet(models.QuerySet):
    def visible_to(self, user: User) -> ClinicQuerySet:
        return self.filter(user.in_own_clinic("pk"))


class Clinic(models.Model):
    """A group of staff and patients that shares cases. With only one clinic no page mentions it."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid7, editable=False)
    name = LineField(_("name"), max_length=100, unique=True)
    ai_opinion = models.CharField(
        "when dermatologists see the AI's opinion",
        max_length=10,
        choices=Opening,
        blank=True,
        default="",
        db_default="",
        help_text="empty: as the installation is set (TELEDER_AI_OPINION)",
    )

    objects = ClinicQuerySet.as_manager()

    class Meta:
        verbose_name, verbose_name_plural = _("clinic"), _("clinics")
        ordering = ("id",)

    def __str__(self) -> str:
        return self.name


class UserQuerySet(models.QuerySet):
    def visible_to(self, user: User) -> UserQuerySet:
        """Admins see the people of their clinic, a superuser everybody, others themselves."""
        return self.filter(user.in_own_clinic() if user.is_admin else Q(pk=user.pk))

    def matching(self, words: str) -> UserQuerySet:
        """Users whose name, reading or e-mail address contains each of the words, in any width and spacing."""
        rows = self.annotate(searched_name=SearchKey("name"), searched_reading=SearchKey("reading"))
        for word in normalise_width(words).split():
            found = Q(email__icontains=normalise_email(word))
            if normalise_code(word):  # more than dashes
                found |= Q(searched_name__contains=SearchKey(Value(word)))
                found |= Q(searched_reading__contains=SearchKey(Value(word)))
            rows = rows.filter(found)
        return rows

    def never_confirmed(self) -> UserQuerySet:
        """Users who signed up and never confirmed their address; no other row refers to them."""
        return self.filter(last_login=None, emailaddress__verified=False).exclude(emailaddress__verified=True)


class UserManager(BaseUserManager.from_queryset(UserQuerySet)):
    @transaction.atomic
    def create_user(self, email: str, password: str | None = None, **fields) -> User:
        """Create an account with a confirmed address: invited by mail, or created by an operator."""
        from allauth.account.models import EmailAddress  # needs our own model to be there

        user = self.model(email=normalise_email(email), **fields)
        user.set_password(password)
        user.save(using=self._db)
        EmailAddress.objects.create(user=user, email=user.email, verified=True, primary=True)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields) -> User:
        """Raises `ValidationError` for a weak password: Django's command validates only what is typed."""
        if password is not None:
            validate_password(password, self.model(email=normalise_email(email)))
        return self.create_user(email, password, role=Role.ADMIN, is_superuser=True, **fields)

    def get_by_natural_key(self, email: str) -> User:
        return self.get(email__iexact=email)


class User(GuardedMixin, SavesChangesMixin, AbstractBaseUser, PermissionsMixin):
    """A person who logs in by e-mail address. Only admins can open the Django admin."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid7, editable=False)
    # Children have none: they cannot log in (guardians.py).
    email = models.EmailField(_("e-mail address"), unique=True, null=True)  # noqa: DJ001 (no form leaves it empty)
    name = LineField(_("name"), max_length=100, blank=True)
    reading = LineField(_("reading of the name"), max_length=100, blank=True, db_default="")
    role = models.CharField(_("role"), max_length=20, choices=Role, default=Role.PATIENT)
    language = models.CharField(_("language"), max_length=2, choices=Language, default=Language.JA)
    clinic = models.ForeignKey(
        Clinic, models.PROTECT, default=FIRST_CLINIC, related_name="people", verbose_name=_("clinic")
    )
    time_zone = TimeZoneField(_("time zone"))  # chosen; empty: that of the device
    device_time_zone = TimeZoneField(_("time zone of the device"), editable=False)  # as its browser last said
    is_active = models.BooleanField(_("may log in"), default=True)
    # Part of what a session is bound to: raising it ends every session of this person.
    sessions_ended = models.PositiveIntegerField(default=0, editable=False)
    date_joined = models.DateTimeField(_("joined"), default=timezone.now)

    objects = UserManager()
    USERNAME_FIELD = EMAIL_FIELD = "email"
    REQUIRED_FIELDS: list[str] = []

    class Meta:
        verbose_name, verbose_name_plural = _("person"), _("people")
        # A clinic has some dozens of staff among hundreds of thousands of patients.
        indexes = [
            models.Index(
                "clinic", condition=Q(role__in=[Role.DERMATOLOGIST, Role.ADMIN]), name="staff_of_clinic"
            )
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(email__isnull=False) | Q(role=Role.PATIENT), name="staff_have_an_address"
            )
        ]

    def __str__(self) -> str:
        """Return the name, never the address: lists of cases show a number for a patient without a name."""
        return self.name or str(_("(no name)"))

    def clean(self) -> None:
        super().clean()
        self.email = normalise_email(self.email) if self.email else None

    def has_rights_as_loaded(self, token: models.Model | None = None) -> bool:
        """Whether role, clinic, activity, password and sessions are unchanged since this row was read, and the token is there."""
        rights = ("role", "clinic_id", "is_active", "is_superuser", "password", "sessions_ended")
        same = {name: getattr(self, name) for name in rights} | ({"auth_token_set": token} if token else {})
        return User.objects.filter(pk=self.pk, **same).exists()

    @property
    def is_staff(self) -> bool:
        return self.role == Role.ADMIN

    @property
    def name_for_reader(self) -> str:  # in the active language, as far as it is given
        english = hasattr(self, "dermatologist") and self.dermatologist.name_en
        return english if english and get_language() == Language.EN else self.name

    @property
    def is_patient(self) -> bool:
        return self.role == Role.PATIENT

    @property
    def is_dermatologist(self) -> bool:
        return self.role == Role.DERMATOLOGIST

    @property
    def is_admin(self) -> bool:
        return self.role == Role.ADMIN

    def in_own_clinic(self, path: str = "clinic") -> Q:
        """Return the condition that the clinic at `path` is this person's; a superuser sees every clinic."""
        return Q() if self.is_superuser else Q(**{path: self.clinic_id})

    def get_short_name(self) -> str:
        return str(self)

    def _get_session_auth_hash(self, secret: str | None = None) -> str:
        bound_to = f"{self.password} {self.sessions_ended}"
        return salted_hmac("teleder.session", bound_to, secret=secret, algorithm="sha256").hexdigest()


class Purpose(models.TextChoices):
    CARE = "care", _("care: a dermatologist reads my photos and answers")
    AI = "ai", _("AI processing: a program helps the dermatologist to read my photos")
    TRAINING = "training", _("training: the clinic's own program learns from my photos")


class ConsentQuerySet(models.QuerySet):
    def visible_to(self, user: User) -> ConsentQuerySet:
        return self.filter(person__in=User.objects.visible_to(user))

    def not_withdrawn(self) -> ConsentQuerySet:
        return self.filter(withdrawn_at=None)

    def given(self) -> ConsentQuerySet:
        """Those in force: to words that have not changed in substance; of a child, where each guardian agrees."""
        agreed = (
            Consent.objects.all()
            ._standing()
            .filter(
                person=OuterRef("child"), given_by=OuterRef("guardian"), purpose=OuterRef(OuterRef("purpose"))
            )
        )
        silent = Guardianship.objects.filter(~Exists(agreed), child=OuterRef("person"))
        return self._standing().filter(~Exists(silent))

    def _standing(self) -> ConsentQuerySet:
        rows = self.not_withdrawn().alias(written=Collate("version", "C"))  # as Python compares them
        for purpose in Purpose:
            rows = rows.exclude(purpose=purpose, written__lt=consent_texts()[purpose]["asks_again"])
        return rows


class Consent(models.Model):
    """What a person agreed to, word for word, and when. Never edited: withdrawn, or given again as a new row."""

    person = models.ForeignKey(User, models.CASCADE, related_name="consents")
    purpose = models.CharField(max_length=10, choices=Purpose)
    version = models.CharField(max_length=20)
    language = models.CharField(max_length=2, choices=Language)
    text = models.TextField()
    given_at = models.DateTimeField(default=timezone.now)
    # Of a child: who gave it. The relation stays when that person's account is erased.
    given_by = models.ForeignKey(User, models.SET_NULL, null=True, blank=True, related_name="+")
    relation = models.CharField(max_length=20, choices=Relation, blank=True, db_default="")
    withdrawn_at = models.DateTimeField(null=True, blank=True)

    objects = ConsentQuerySet.as_manager()

    class Meta:
        verbose_name, verbose_name_plural = _("consent"), _("consents")
        constraints = [
            models.UniqueConstraint(
                fields=["person", "purpose", "given_by"],
                condition=Q(withdrawn_at=None),
                nulls_distinct=False,
                name="person_has_one_consent_per_purpose_and_giver",
            )
        ]

    def __str__(self) -> str:
        return f"{self.purpose} {self.version}"

    @property
    def stands(self) -> bool:
        """Not withdrawn, and to words that still say the same; of a child it counts if each guardian's does."""
        return self.withdrawn_at is None and counts(self.purpose, self.version)


class InvitationQuerySet(models.QuerySet):
    def visible_to(self, user: User) -> InvitationQuerySet:
        return self.filter(user.in_own_clinic()) if user.is_admin else self.none()

    def open(self) -> InvitationQuerySet:
        return self.filter(accepted_at=None, expires_at__gt=timezone.now())


class Invitation(models.Model):
    """An invitation of staff to an address and a role. The link works once; only the hash of its token is stored."""

    email = models.EmailField(_("e-mail address"))
    role = models.CharField(_("role"), max_length=20, choices=[c for c in Role.choices if c[0] in STAFF])
    clinic = models.ForeignKey(Clinic, models.PROTECT, related_name="+", verbose_name=_("clinic"))
    invited_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    token_sha256 = models.CharField(max_length=64, unique=True)
    created_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField()
    accepted_at = models.DateTimeField(null=True, blank=True)

    objects = InvitationQuerySet.as_manager()

    class Meta:
        verbose_name, verbose_name_plural = _("invitation"), _("invitations")

    def __str__(self) -> str:
        return f"{self.email} ({self.get_role_display()})"

    @classmethod
    def issue(cls, *, email: str, role: Role, by: User) -> tuple[Invitation, str]:
        """Return the invitation and its token; the token is shown to nobody but its receiver."""
        token = secrets.token_urlsafe(32)
        row = cls.objects.create(
            email=normalise_email(email),
            role=role,
            clinic=by.clinic,
            invited_by=by,
            token_sha256=hashlib.sha256(token.encode()).hexdigest(),
            expires_at=timezone.now() + timedelta(days=INVITATION_DAYS),
        )
        return row, token

    @classmethod
    def by_token(cls, token: str) -> Invitation | None:
        return cls.objects.open().filter(token_sha256=hashlib.sha256(token.encode()).hexdigest()).first()
