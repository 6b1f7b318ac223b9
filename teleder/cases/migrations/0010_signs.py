from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("cases", "0009_refused_messages")]

    operations = [
        migrations.AddField(
            model_name="analysis",
            name="signs",
            field=models.JSONField(blank=True, default=list, verbose_name="signs"),
        ),
    ]
