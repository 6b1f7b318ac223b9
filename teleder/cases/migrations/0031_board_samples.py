import django.db.models.deletion
from django.db import migrations, models
from django.db.models import F, Q


class Migration(migrations.Migration):
    """Counts of each clinic every five minutes, for the lines of the operations board."""

    dependencies = [("cases", "0030_merge"), ("accounts", "0015_licences")]

    operations = [
        migrations.CreateModel(
            name="BoardSample",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("at", models.DateTimeField()),
                ("waiting", models.PositiveIntegerField()),
                ("overdue", models.PositiveIntegerField()),
                ("oldest_seconds", models.PositiveIntegerField()),
                ("answered", models.PositiveIntegerField()),
                ("on_time", models.PositiveIntegerField()),
                ("photo_seconds", models.FloatField(null=True)),
                ("photos", models.PositiveIntegerField()),
                ("abstained", models.PositiveIntegerField()),
                (
                    "clinic",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="accounts.clinic",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("clinic", "at"), name="clinic_has_one_sample_at_a_time"),
                    models.CheckConstraint(
                        condition=Q(on_time__lte=F("answered"), abstained__lte=F("photos")),
                        name="sample_has_no_part_above_its_whole",
                    ),
                ]
            },
        )
    ]
