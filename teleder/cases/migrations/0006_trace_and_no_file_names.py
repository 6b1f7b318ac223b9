from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('cases', '0005_originals_are_sealed'),
    ]

    operations = [
        migrations.AddField(
            model_name='photo',
            name='trace',
            field=models.CharField(blank=True, db_default='', help_text='the request that brought it', max_length=36),
        ),
        migrations.RunSQL(
            "UPDATE cases_photo SET original_name = '' WHERE original_name <> ''", migrations.RunSQL.noop
        ),
    ]
