"""The distance report of a photo, and its stage."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("cases", "0012_signs")]

    operations = [
        migrations.AddField(
            model_name="analysis",
            name="distance",
            field=models.JSONField(blank=True, null=True, verbose_name="distance report"),
        ),
        migrations.AlterField(
            model_name="job",
            name="stage",
            field=models.CharField(
                choices=[(s, s) for s in ("prepare", "segment", "classify", "check", "distance")],
                max_length=10,
                verbose_name="stage",
            ),
        ),
    ]
