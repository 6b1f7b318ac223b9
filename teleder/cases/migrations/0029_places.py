from django.db import migrations, models
from django.db.models import Value


class Migration(migrations.Migration):
    """Several places of a case, and which of them a photo shows. Older rows stay empty: their only place is `body_site`."""

    dependencies = [("cases", "0028_share_links")]

    operations = [
        migrations.AddField(
            "case",
            "places",
            models.JSONField(blank=True, db_default=Value([], models.JSONField()), default=list),
        ),
        migrations.AddField(
            "photo", "place", models.CharField("place", blank=True, db_default="", max_length=30)
        ),
    ]
