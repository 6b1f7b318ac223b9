from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("cases", "0011_photo_check")]

    operations = [
        migrations.AddField(
            model_name="analysis",
            name="signs",
            field=models.JSONField(blank=True, db_default=[], default=list, verbose_name="signs"),
        ),
    ]
