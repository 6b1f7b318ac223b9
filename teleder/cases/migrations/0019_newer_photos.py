from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [("cases", "0018_photo_by_request")]

    operations = [
        migrations.AddField(
            model_name="firstimpression",
            name="has_newer_photos",
            field=models.BooleanField(
                db_default=False, default=False, help_text="a photo has come since they looked"
            ),
        ),
    ]
