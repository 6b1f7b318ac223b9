import uuid

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('cases', '0040_blind_study'),
    ]

    operations = [
        migrations.CreateModel(
            name='StorageMark',
            fields=[
                ('only', models.BooleanField(default=True, primary_key=True, serialize=False)),
                ('id', models.UUIDField(default=uuid.uuid4, unique=True)),
                ('made_at', models.DateTimeField(auto_now_add=True)),
            ],
            options={
                'constraints': [models.CheckConstraint(condition=models.Q(('only', True)), name='there_is_one_storage')],
            },
        ),
    ]
