import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models
from django.db.models import Q

import teleder.accounts.text


class Migration(migrations.Migration):
    """Who checked a licence, when, and until when it is in force. Licences of before were checked by nobody."""

    dependencies = [("accounts", "0014_several_guardians")]

    operations = [
        migrations.AddField(
            "dermatologistprofile",
            "licence_checked_number",
            teleder.accounts.text.LineField(blank=True, db_default="", editable=False, max_length=50),
        ),
        migrations.AddField(
            "dermatologistprofile",
            "licence_expires_on",
            models.DateField("licence valid until", blank=True, editable=False, null=True),
        ),
        migrations.AddField(
            "dermatologistprofile",
            "licence_checked_at",
            models.DateTimeField("licence checked", blank=True, editable=False, null=True),
        ),
        migrations.AddField(
            "dermatologistprofile",
            "licence_checked_by",
            models.ForeignKey(
                blank=True,
                editable=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
                verbose_name="licence checked by",
            ),
        ),
        migrations.AddField(
            "dermatologistprofile",
            "licence_told_at_days",
            models.SmallIntegerField(editable=False, null=True),
        ),
        migrations.AddConstraint(
            "dermatologistprofile",
            models.CheckConstraint(
                condition=Q(licence_checked_at=None, licence_checked_by=None)
                | Q(licence_checked_at__isnull=False, licence_checked_by__isnull=False),
                name="licence_that_was_checked_says_by_whom_and_when",
            ),
        ),
    ]
