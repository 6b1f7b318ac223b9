from django.db import migrations, models

REASONS = [
    ("reach", "I can't reach it"),
    ("focus", "It doesn't come into focus"),
    ("still", "My child doesn't keep still"),
    ("other", "Another reason, I send one photo"),
]


class Migration(migrations.Migration):

    dependencies = [("cases", "0022_answer_changes")]

    operations = [
        migrations.AddField(
            "submission",
            "missing_photo",
            models.CharField(
                "overview or close-up missing, because",
                blank=True,
                choices=REASONS,
                db_default="",
                max_length=10,
            ),
        ),
    ]
