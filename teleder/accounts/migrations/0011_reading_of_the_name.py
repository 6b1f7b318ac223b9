from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("accounts", "0010_devices")]
    operations = [
        migrations.AddField(
            "user",
            "reading",
            models.CharField(blank=True, db_default="", max_length=100, verbose_name="reading of the name"),
        )
    ]
