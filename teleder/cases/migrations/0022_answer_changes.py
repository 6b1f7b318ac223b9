from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [("cases", "0021_moved_up")]

    operations = [
        migrations.AddField(
            model_name="submission",
            name="answer_changes",
            field=models.JSONField(blank=True, db_default=models.Value([], models.JSONField()), default=list),
        ),
    ]
