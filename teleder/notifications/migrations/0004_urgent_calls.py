"""Urgent cases reach people, and promised times are warned of before they have passed."""

import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models

# Cases that wait while this version comes get their warnings too: those of shares that lie ahead.
WARNINGS = """
INSERT INTO notifications_duewarning (submission_id, share, due_at, at)
SELECT s.id, share, s.due_at, s.submitted_at + (s.due_at - s.submitted_at) * share / 100
FROM cases_submission s, unnest(ARRAY[50, 80, 100]) share
WHERE s.status IN ('submitted', 'in_review')
  AND s.submitted_at + (s.due_at - s.submitted_at) * share / 100 > now()
"""


class Migration(migrations.Migration):
    dependencies = [
        ('notifications', '0003_lists_at_size'),
        ('cases', '0033_held_answers'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]
    operations = [
        migrations.AlterField(
            'message',
            'channel',
            models.CharField(
                choices=[('email', 'e-mail'), ('webhook', 'webhook'), ('inbox', 'inbox')],
                max_length=10,
                verbose_name='channel',
            ),
        ),
        migrations.CreateModel(
            name='UrgentCall',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('opened_at', models.DateTimeField(default=django.utils.timezone.now, verbose_name='since')),
                ('tell_at', models.DateTimeField(default=django.utils.timezone.now, verbose_name='told again')),
                ('acknowledged_at', models.DateTimeField(blank=True, null=True, verbose_name='acknowledged')),
                ('acknowledged_by', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='acknowledged by')),
                ('event', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, related_name='urgent_call', to='cases.event')),
                ('submission', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='urgent_calls', to='cases.submission')),
            ],
            options={
                'verbose_name': 'urgent call',
                'verbose_name_plural': 'urgent calls',
                'ordering': ('-opened_at',),
                'indexes': [models.Index(models.F('tell_at'), condition=models.Q(('acknowledged_at', None)), name='urgent_call_to_tell')],
            },
        ),
        migrations.CreateModel(
            name='DueWarning',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('share', models.PositiveSmallIntegerField(verbose_name='percent of the promised time')),
                ('due_at', models.DateTimeField(verbose_name='answer due')),
                ('at', models.DateTimeField(verbose_name='at')),
                ('told_at', models.DateTimeField(blank=True, null=True, verbose_name='told')),
                ('submission', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='due_warnings', to='cases.submission')),
            ],
            options={
                'verbose_name': 'warning of a due time',
                'verbose_name_plural': 'warnings of due times',
                'indexes': [models.Index(models.F('at'), condition=models.Q(('told_at', None)), name='due_warning_to_tell')],
                'constraints': [models.UniqueConstraint(fields=('submission', 'share', 'due_at'), name='due_warning_once_a_share_and_due_time')],
            },
        ),
        migrations.RunSQL(WARNINGS, migrations.RunSQL.noop),
    ]
