import django.db.models.deletion
import uuid_utils.compat
from django.db import migrations, models

from teleder.accounts.models import FIRST_CLINIC


def make_first_clinic(apps, schema_editor):
    apps.get_model("accounts", "Clinic").objects.create(pk=FIRST_CLINIC, name="teleder")


class Migration(migrations.Migration):
    """Everybody who is there already belongs to the first clinic."""

    dependencies = [("accounts", "0001_initial")]

    operations = [
        migrations.CreateModel(
            name="Clinic",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=uuid_utils.compat.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("name", models.CharField(max_length=100, unique=True, verbose_name="name")),
            ],
            options={"verbose_name": "clinic", "verbose_name_plural": "clinics", "ordering": ("id",)},
        ),
        migrations.RunPython(make_first_clinic, migrations.RunPython.noop),
        migrations.AddField(
            model_name="user",
            name="clinic",
            field=models.ForeignKey(
                default=FIRST_CLINIC,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="people",
                to="accounts.clinic",
                verbose_name="clinic",
            ),
        ),
        migrations.AddField(
            model_name="user",
            name="sessions_ended",
            field=models.PositiveIntegerField(default=0, editable=False),
        ),
        migrations.AddField(
            model_name="invitation",
            name="clinic",
            field=models.ForeignKey(
                default=FIRST_CLINIC,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="accounts.clinic",
                verbose_name="clinic",
            ),
            preserve_default=False,
        ),
    ]
