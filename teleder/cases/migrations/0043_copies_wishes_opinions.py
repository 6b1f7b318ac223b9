"""Two further copies of a photo: all pixels on demand (and its stage), and a few pixels of an intimate place; the place
and the words of a request for photos; the impression of a second opinion."""

from django.db import migrations, models

IMPRESSIONS = [
    ("AD", "atopic dermatitis"),
    ("HI", "herpesvirus infection"),
    ("IM", "impetigo"),
    ("MF", "mycosis fungoides suspected"),
    ("other", "another condition"),
    ("unclear", "cannot be judged from photos"),
]
STAGES = ["prepare", "full", "analyse", "check", "distance", "reanalyse"]


class Migration(migrations.Migration):
    dependencies = [("cases", "0042_drawn_crops")]

    operations = [
        migrations.AddField(
            model_name="photo",
            name="veiled_key",
            field=models.CharField(blank=True, db_default="", max_length=200),
        ),
        migrations.AddField(
            model_name="photo",
            name="full_key",
            field=models.CharField(blank=True, db_default="", max_length=200),
        ),
        migrations.AlterField(
            model_name="job",
            name="stage",
            field=models.CharField(choices=[(s, s) for s in STAGES], max_length=10, verbose_name="stage"),
        ),
        migrations.AddField(
            model_name="submission",
            name="photos_wanted_place",
            field=models.CharField(blank=True, db_default="", max_length=30),
        ),
        migrations.AddField(
            model_name="submission",
            name="photos_wanted_words",
            field=models.TextField(blank=True, db_default="", max_length=300),
        ),
        migrations.AddField(
            model_name="secondopinion",
            name="impression",
            field=models.CharField(
                blank=True, choices=IMPRESSIONS, db_default="", max_length=10, verbose_name="impression"
            ),
        ),
    ]
