"""What dermatologists type is kept on the server until it is signed."""

import django.db.models.deletion
import django.utils.timezone
import uuid_utils.compat
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ('cases', '0031_board_samples'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]
    operations = [
        migrations.CreateModel(
            name='AnswerDraft',
            fields=[
                ('id', models.UUIDField(default=uuid_utils.compat.uuid7, editable=False, primary_key=True, serialize=False)),
                ('typed', models.JSONField(default=dict, verbose_name='typed')),
                ('saved_at', models.DateTimeField(default=django.utils.timezone.now, verbose_name='saved')),
                ('author', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='written by')),
                ('submission', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='answer_drafts', to='cases.submission')),
            ],
            options={
                'verbose_name': 'draft of an answer',
                'verbose_name_plural': 'drafts of answers',
                'ordering': ('-saved_at',),
            },
        ),
        migrations.AddConstraint(
            model_name='answerdraft',
            constraint=models.UniqueConstraint(models.F('submission'), models.F('author'), name='answer_draft_once_an_author'),
        ),
    ]
