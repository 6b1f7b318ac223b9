"""What is known of a person beside the account: of patients for their care, of dermatologists for their signature."""

from __future__ import annotations

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils import timezone
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from teleder.accounts.normalisation import normalise_number
from teleder.accounts.text import LineField


class SkinType(models.IntegerChoices):
    """Fitzpatrick phototype; optional, self-reported."""

    I = 1, _("I: always burns, never tans")  # noqa: E741
    II = 2, _("II: usually burns, tans little")
    III = 3, _("III: sometimes burns, tans")
    IV = 4, _("IV: rarely burns, tans well")
    V = 5, _("V: brown skin")
    VI = 6, _("VI: dark brown or black skin")


class PatientProfile(models.Model):
    user = models.OneToOneField("accounts.User", models.CASCADE, related_name="patient", primary_key=True)
    birth_year = models.PositiveSmallIntegerField(
        _("year of birth"), validators=[MinValueValidator(1900), MaxValueValidator(2100)]
    )
    birth_date = models.DateField(_("date of birth"), null=True, blank=True)
    skin_type = models.PositiveSmallIntegerField(_("skin type"), choices=SkinType, null=True, blank=True)

    class Meta:
        verbose_name, verbose_name_plural = _("patient profile"), _("patient profiles")

    def __str__(self) -> str:
        return str(self.user_id)

    @property
    def fitzpatrick(self) -> str:
        """Return the skin type as its Roman numeral alone."""
        return SkinType(self.skin_type).name if self.skin_type else ""

    @property
    def age(self) -> int:
        """Age in full years. Where only the year of birth is known, it may be one too high."""
        today = timezone.localdate(timezone=timezone.get_default_timezone())
        years = today.year - self.birth_year
        born = self.birth_date
        return years - 1 if born and (today.month, today.day) < (born.month, born.day) else years

    def may_be_under(self, years: int) -> bool:
        """Whether the person is, or as far as is known may be, younger than this."""
        return self.age < years if self.birth_date else self.age <= years


class DermatologistProfile(models.Model):
    """A dermatologist's title and licence number, which patients see under an answer."""

    user = models.OneToOneField(
        "accounts.User", models.CASCADE, related_name="dermatologist", primary_key=True
    )
    title = LineField(_("title"), max_length=100, blank=True)
    name_en = LineField(_("name for English readers"), max_length=100, blank=True, db_default="")
    title_en = LineField(_("title for English readers"), max_length=100, blank=True, db_default="")
    licence_number = LineField(_("licence number"), max_length=50, blank=True)
    # What `licences.check` writes. A number that is changed later was not checked.
    licence_checked_number = LineField(max_length=50, blank=True, db_default="", editable=False)
    licence_expires_on = models.DateField(_("licence valid until"), null=True, blank=True, editable=False)
    licence_checked_at = models.DateTimeField(_("licence checked"), null=True, blank=True, editable=False)
    licence_checked_by = models.ForeignKey(
        "accounts.User",
        models.PROTECT,
        null=True,
        blank=True,
        editable=False,
        related_name="+",
        verbose_name=_("licence checked by"),
    )
    # At how many days before the end people were told last; -1: after it.
    licence_told_at_days = models.SmallIntegerField(null=True, editable=False)
    on_call = models.BooleanField(_("on call"), default=False, db_default=False)
    is_lead = models.BooleanField(_("answers for the dermatologists"), default=False, db_default=False)

    class Meta:
        verbose_name, verbose_name_plural = _("dermatologist profile"), _("dermatologist profiles")
        constraints = [
            models.CheckConstraint(
                condition=models.Q(licence_checked_at=None, licence_checked_by=None)
                | models.Q(licence_checked_at__isnull=False, licence_checked_by__isnull=False),
                name="licence_that_was_checked_says_by_whom_and_when",
            )
        ]

    def __str__(self) -> str:
        return str(self.user)

    def clean(self) -> None:
        super().clean()
        self.licence_number = normalise_number(self.licence_number)

    @property
    def licence_is_checked(self) -> bool:
        return bool(self.licence_checked_at) and self.licence_number == self.licence_checked_number

    @property
    def title_for_reader(self) -> str:
        return (get_language() == "en" and self.title_en) or self.title
