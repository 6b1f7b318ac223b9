"""A signed answer is held before it is sent, and can be taken back until its patient has opened it."""

import django.db.models.deletion
import django.db.models.functions.datetime
import django.utils.timezone
import teleder.accounts.text
import uuid_utils.compat
from django.conf import settings
from django.db import migrations, models

URGENCY = [
    (0, 'routine'),
    (1, 'within two weeks'),
    (2, 'within two days'),
    (3, 'same day'),
    (4, 'emergency'),
]


class Migration(migrations.Migration):
    dependencies = [
        ('cases', '0032_answer_drafts'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]
    operations = [
        migrations.AddField(
            'answerdraft', 'stopped_because', models.CharField(blank=True, db_default='', default='', max_length=12)
        ),
        migrations.AlterField(
            'event',
            'kind',
            models.CharField(
                choices=[('opened', 'opened'), ('submitted', 'submitted'), ('claimed', 'claimed'), ('released', 'released'), ('reassigned', 'reassigned'), ('photos_requested', 'photos asked for'), ('held', 'signed, waiting to be sent'), ('send_undone', 'sending undone'), ('send_stopped', 'sending stopped'), ('signed', 'answer sent'), ('taken_back', 'answer taken back'), ('amended', 'amended'), ('asked_back', 'asked back'), ('replied', 'replied to a question'), ('photos_due', 'reminded of new photos'), ('closed', 'closed'), ('reopened', 'reopened'), ('withdrawn', 'withdrawn'), ('restored', 'restored'), ('merged', 'merged with another case'), ('urgency_raised', 'urgency raised'), ('moved_up', 'moved up'), ('on_call_told', 'people on call told'), ('call_acknowledged', 'urgent case acknowledged'), ('time_running_out', 'promised time running out: staff told'), ('ai_done', 'AI finished'), ('ai_unavailable', 'AI unavailable'), ('ai_seen_first', 'AI opinion seen first'), ('job_quarantined', 'job quarantined'), ('job_requeued', 'job requeued'), ('job_cancelled', 'job cancelled')],
                max_length=20,
                verbose_name='kind',
            ),
        ),
        migrations.CreateModel(
            name='HeldAnswer',
            fields=[
                ('id', models.UUIDField(default=uuid_utils.compat.uuid7, editable=False, primary_key=True, serialize=False)),
                ('answer', models.JSONField(verbose_name='answer')),
                ('triage_urgency', models.PositiveSmallIntegerField(choices=URGENCY, verbose_name='urgency when it was signed')),
                ('signed_at', models.DateTimeField(default=django.utils.timezone.now, verbose_name='signed')),
                ('send_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), verbose_name='to be sent')),
                ('author', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='signed by')),
                ('submission', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, related_name='held_answer', to='cases.submission')),
            ],
            options={
                'verbose_name': 'held answer',
                'verbose_name_plural': 'held answers',
                'indexes': [models.Index(models.F('send_at'), name='held_answer_by_sending')],
            },
        ),
        migrations.CreateModel(
            name='AnswerReading',
            fields=[
                ('review', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, primary_key=True, related_name='reading', serialize=False, to='cases.review')),
                ('at', models.DateTimeField(default=django.utils.timezone.now, verbose_name='read')),
            ],
            options={
                'verbose_name': 'reading of an answer',
                'verbose_name_plural': 'readings of answers',
            },
        ),
        migrations.CreateModel(
            name='TakenBackAnswer',
            fields=[
                ('review', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, primary_key=True, related_name='taken_back', serialize=False, to='cases.review')),
                ('reason', teleder.accounts.text.TextField(max_length=1000, verbose_name='reason')),
                ('at', models.DateTimeField(default=django.utils.timezone.now, verbose_name='taken back')),
                ('by', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='by')),
            ],
            options={
                'verbose_name': 'answer taken back',
                'verbose_name_plural': 'answers taken back',
                'constraints': [models.CheckConstraint(condition=models.Q(('reason', ''), _negated=True), name='taken_back_gives_reason')],
            },
        ),
        # What was sent before this version may have been read: it can only be corrected.
        migrations.RunSQL(
            "INSERT INTO cases_answerreading (review_id, at) SELECT id, signed_at FROM cases_review",
            migrations.RunSQL.noop,
        ),
    ]
