from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('cases', '0045_hashes_of_files'),
    ]

    operations = [
        migrations.CreateModel(
            name='Heartbeat',
            fields=[
                ('name', models.CharField(max_length=20, primary_key=True, serialize=False)),
                ('at', models.DateTimeField(blank=True, null=True)),
                ('sent_at', models.DateTimeField(blank=True, help_text='the last probe', null=True)),
                ('asked_at', models.DateTimeField(blank=True, help_text='the first probe since the last answer', null=True)),
            ],
        ),
    ]
