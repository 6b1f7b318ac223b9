import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('cases', '0044_stopped_jobs_of_what_waits'),
    ]

    operations = [
        migrations.AddField(
            model_name='photo',
            name='display_sha256',
            field=models.CharField(blank=True, db_default='', max_length=64),
        ),
        migrations.AddField(
            model_name='photo',
            name='analysis_sha256',
            field=models.CharField(blank=True, db_default='', max_length=64),
        ),
        migrations.AddField(
            model_name='photo',
            name='thumbnail_sha256',
            field=models.CharField(blank=True, db_default='', max_length=64),
        ),
        migrations.AddField(
            model_name='photo',
            name='veiled_sha256',
            field=models.CharField(blank=True, db_default='', max_length=64),
        ),
        migrations.AddField(
            model_name='photo',
            name='full_sha256',
            field=models.CharField(blank=True, db_default='', max_length=64),
        ),
        migrations.AddField(
            model_name='photo',
            name='files_read_at',
            field=models.DateTimeField(blank=True, help_text='all of its files were as written', null=True),
        ),
        migrations.AddField(
            model_name='analysis',
            name='mask_sha256',
            field=models.CharField(blank=True, db_default='', max_length=64),
        ),
        migrations.AddField(
            model_name='analysis',
            name='attribution_sha256',
            field=models.CharField(blank=True, db_default='', max_length=64),
        ),
        migrations.CreateModel(
            name='DamagedFile',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(choices=[('original', 'photo as it was sent'), ('display', 'photo as it is shown'), ('analysis', 'copy that the AI reads'), ('thumbnail', 'small copy'), ('veiled', 'blurred small copy'), ('full', 'copy with all pixels'), ('mask', 'areas that the AI found'), ('attribution', 'areas that spoke for a condition')], max_length=20, verbose_name='file')),
                ('found_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), verbose_name='found')),
                ('tries', models.PositiveIntegerField(default=0, verbose_name='tries')),
                ('due_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), verbose_name='next look')),
                ('told_at', models.DateTimeField(blank=True, null=True, verbose_name='told')),
                ('mended_at', models.DateTimeField(blank=True, null=True, verbose_name='whole again')),
                ('photo', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='damages', to='cases.photo')),
            ],
            options={
                'verbose_name': 'damaged file',
                'verbose_name_plural': 'damaged files',
                'indexes': [models.Index(models.F('due_at'), condition=models.Q(('mended_at', None)), name='damage_by_next_look'), models.Index(models.F('mended_at'), condition=models.Q(('mended_at__isnull', False)), name='damage_mended')],
                'constraints': [models.UniqueConstraint(condition=models.Q(('mended_at', None)), fields=('photo', 'name'), name='file_is_damaged_once')],
            },
        ),
    ]
