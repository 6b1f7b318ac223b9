"""People, their roles and their consents. Imports no other app of teleder."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable
from datetime import timedelta
from typing import Any
from uuid import UUID

import uuid_utils.compat as uuid
from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.models import PermissionsMixin
from django.contrib.auth.password_validation import validate_password
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models, transaction
from django.db.models import Q, Value
from django.utils import timezone
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext_lazy as _

from teleder.accounts.attempts import AttemptCounter, FailedLogin
from teleder.accounts.normalisation import normalise_code, normalise_email, normalise_number, normalise_width
from teleder.accounts.text import LineField

__all__ = ("AttemptCounter", "FailedLogin")  # Django looks for an app's tables here

INVITATION_DAYS = 7
# The clinic that every installation begins with (a migration makes it).
FIRST_CLINIC = UUID("00000000-0000-7000-8000-000000000001")


class Role(models.TextChoices):
    PATIENT = "patient", _("patient")
    DERMATOLOGIST = "dermatologist", _("dermatologist")
    ADMIN = "admin", _("admin")


STAFF = (Role.DERMATOLOGIST, Role.ADMIN)


class Language(models.TextChoices):
    JA = "ja", "日本語"
    EN = "en", "English"


class SearchKey(models.Func):
    """A name for comparison: one width, lower case, without spaces, dashes, middle dots and invisible characters."""

    function = "regexp_replace"
    template = (
        "regexp_replace(lower(normalize(%(expressions)s, NFKC)), '[[:space:]\u200b-\u200f\u2010-\u2015"
        "\u2028-\u202e\u2043\u2060-\u206f\u2212\u2500\u2501\ufeff・·-]', '', 'g')"
    )
    output_field = models.TextField()


class ClinicQuerySet(models.QuerySet):
    def visible_to(self, user: User) -> ClinicQuerySet:
        return self.filter(user.in_own_clinic("pk"))


class Clinic(models.Model):
    """A group of staff and patients that shares cases. With only one clinic no page mentions it."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid7, editable=False)
    name = LineField(_("name"), max_length=100, unique=True)

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
        """Users whose name or e-mail address contains each of the words, in any width and spacing."""
        rows = self.annotate(searched_name=SearchKey("name"))
        for word in normalise_width(words).split():
            found = Q(email__icontains=normalise_email(word))
            if normalise_code(word):  # more than dashes
                found |= Q(searched_name__contains=SearchKey(Value(word)))
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


class User(AbstractBaseUser, PermissionsMixin):
    """A person who logs in by e-mail address. Only admins can open the Django admin."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid7, editable=False)
    email = models.EmailField(_("e-mail address"), unique=True)
    name = LineField(_("name"), max_length=100, blank=True)
    role = models.CharField(_("role"), max_length=20, choices=Role, default=Role.PATIENT)
    language = models.CharField(_("language"), max_length=2, choices=Language, default=Language.JA)
    clinic = models.ForeignKey(
        Clinic, models.PROTECT, default=FIRST_CLINIC, related_name="people", verbose_name=_("clinic")
    )
    is_active = models.BooleanField(_("may log in"), default=True)
    # Part of what a session is bound to: raising it ends every session of this person.
    sessions_ended = models.PositiveIntegerField(default=0, editable=False)
    date_joined = models.DateTimeField(_("joined"), default=timezone.now)

    objects = UserManager()
    USERNAME_FIELD = EMAIL_FIELD = "email"
    REQUIRED_FIELDS: list[str] = []

    class Meta:
        verbose_name, verbose_name_plural = _("person"), _("people")

    def __str__(self) -> str:
        return self.name or self.email

    def clean(self) -> None:
        super().clean()
        self.email = normalise_email(self.email)

    @classmethod
    def from_db(cls, db: str, field_names: list[str], values: list) -> User:
        user = super().from_db(db, field_names, values)
        user._remember(field_names)
        return user

    def refresh_from_db(
        self, using: str | None = None, fields: list[str] | None = None, **options: Any
    ) -> None:
        super().refresh_from_db(using, fields, **options)
        self._remember(fields)

    def save(self, *, update_fields: Iterable[str] | None = None, **options: Any) -> None:
        """Write only the fields that changed on this instance.

        Forms of Django and allauth save whole rows: one loaded before its person was suspended, moved or given
        another password would undo that.
        """
        loaded = getattr(self, "_loaded", {})
        if update_fields is None and not self._state.adding:
            update_fields = [name for name, value in loaded.items() if self.__dict__[name] != value]
        super().save(update_fields=update_fields, **options)
        self._remember(update_fields)

    def _remember(self, fields: Iterable[str] | None) -> None:
        """Note the current values of these fields (all: `None`) as those in the database."""
        wanted = None if fields is None else set(fields)
        names = [
            f.attname for f in self._meta.concrete_fields if wanted is None or wanted & {f.name, f.attname}
        ]
        held = {name: self.__dict__[name] for name in names if name in self.__dict__}
        self._loaded = getattr(self, "_loaded", {}) | held

    def has_rights_as_loaded(self) -> bool:
        """Whether role, clinic, activity, password and sessions are unchanged since this row was read."""
        rights = ("role", "clinic_id", "is_active", "is_superuser", "password", "sessions_ended")
        return User.objects.filter(pk=self.pk, **{name: getattr(self, name) for name in rights}).exists()

    @property
    def is_staff(self) -> bool:
        return self.role == Role.ADMIN

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


class SkinType(models.IntegerChoices):
    """Fitzpatrick phototype; optional, self-reported."""

    I = 1, _("I: always burns, never tans")  # noqa: E741
    II = 2, _("II: usually burns, tans little")
    III = 3, _("III: sometimes burns, tans")
    IV = 4, _("IV: rarely burns, tans well")
    V = 5, _("V: brown skin")
    VI = 6, _("VI: dark brown or black skin")


class PatientProfile(models.Model):
    user = models.OneToOneField(User, models.CASCADE, related_name="patient", primary_key=True)
    birth_year = models.PositiveSmallIntegerField(
        _("year of birth"), validators=[MinValueValidator(1900), MaxValueValidator(2100)]
    )
    skin_type = models.PositiveSmallIntegerField(_("skin type"), choices=SkinType, null=True, blank=True)

    class Meta:
        verbose_name, verbose_name_plural = _("patient profile"), _("patient profiles")

    def __str__(self) -> str:
        return str(self.user_id)


class DermatologistProfile(models.Model):
    """A dermatologist's title and licence number, which patients see under an answer."""

    user = models.OneToOneField(User, models.CASCADE, related_name="dermatologist", primary_key=True)
    title = LineField(_("title"), max_length=100, blank=True)
    licence_number = LineField(_("licence number"), max_length=50, blank=True)

    class Meta:
        verbose_name, verbose_name_plural = _("dermatologist profile"), _("dermatologist profiles")

    def __str__(self) -> str:
        return str(self.user)

    def clean(self) -> None:
        super().clean()
        self.licence_number = normalise_number(self.licence_number)


class Purpose(models.TextChoices):
    CARE = "care", _("care: a dermatologist reads my photos and answers")
    AI = "ai", _("AI processing: a program helps the dermatologist to read my photos")
    TRAINING = "training", _("training: the clinic's own program learns from my photos")


class ConsentQuerySet(models.QuerySet):
    def visible_to(self, user: User) -> ConsentQuerySet:
        return self.filter(person__in=User.objects.visible_to(user))

    def given(self) -> ConsentQuerySet:
        return self.filter(withdrawn_at=None)


class Consent(models.Model):
    """What a person agreed to, word for word, and when. Never edited: withdrawn, or given again as a new row."""

    person = models.ForeignKey(User, models.CASCADE, related_name="consents")
    purpose = models.CharField(max_length=10, choices=Purpose)
    version = models.CharField(max_length=20)
    language = models.CharField(max_length=2, choices=Language)
    text = models.TextField()
    given_at = models.DateTimeField(default=timezone.now)
    withdrawn_at = models.DateTimeField(null=True, blank=True)

    objects = ConsentQuerySet.as_manager()

    class Meta:
        verbose_name, verbose_name_plural = _("consent"), _("consents")
        constraints = [
            models.UniqueConstraint(
                fields=["person", "purpose"],
                condition=Q(withdrawn_at=None),
                name="person_has_one_consent_in_force_per_purpose",
            )
        ]

    def __str__(self) -> str:
        return f"{self.purpose} {self.version}"


class InvitationQuerySet(models.QuerySet):
    def visible_to(self, user: User) -> InvitationQuerySet:
        return self.filter(user.in_own_clinic()) if user.is_admin else self.none()

    def open(self) -> InvitationQuerySet:
        return self.filter(accepted_at=None, expires_at__gt=timezone.now())


class Invitation(models.Model):
    """An invitation of staff to an address and a role. The link works once; only the hash of its token is stored."""

    email = models.EmailField(_("e-mail address"))
    role = models.CharField(
        _("role"), max_length=20, choices=[c for c in Role.choices if c[0] != Role.PATIENT]
    )
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
        digest = hashlib.sha256(token.encode()).hexdigest()
        return cls.objects.open().filter(token_sha256=digest).first()
