"""Dermatologists may draw a crop and a lesion over those of the model."""

import django.db.models.deletion
import django.utils.timezone
import uuid_utils.compat
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('cases', '0041_storage_mark'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='DrawnCrop',
            fields=[
                ('id', models.UUIDField(default=uuid_utils.compat.uuid7, editable=False, primary_key=True, serialize=False)),
                ('at', models.DateTimeField(default=django.utils.timezone.now, verbose_name='at')),
                ('x', models.PositiveIntegerField()),
                ('y', models.PositiveIntegerField()),
                ('width', models.PositiveIntegerField()),
                ('height', models.PositiveIntegerField()),
                ('lesion', models.JSONField(blank=True, null=True, verbose_name='lesion')),
                ('analysis', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='cases.analysis')),
                ('author', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='drawn by')),
                ('photo', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='drawn_crops', to='cases.photo')),
            ],
            options={
                'verbose_name': 'drawn crop',
                'verbose_name_plural': 'drawn crops',
                'ordering': ('at', 'id'),
            },
        ),
        migrations.AlterField(
            model_name='event',
            name='kind',
            field=models.CharField(choices=[('opened', 'opened'), ('submitted', 'submitted'), ('claimed', 'claimed'), ('released', 'released'), ('reassigned', 'reassigned'), ('handed_over', 'handed over'), ('opinion_asked', 'second opinion asked for'), ('opinion_given', 'second opinion given'), ('snoozed', 'snoozed'), ('snooze_ended', 'back on the list'), ('photos_requested', 'photos asked for'), ('photos_not_needed', 'request for photos withdrawn'), ('held', 'signed, waiting to be sent'), ('send_undone', 'sending undone'), ('send_stopped', 'sending stopped'), ('signed', 'answer sent'), ('taken_back', 'answer taken back'), ('amended', 'amended'), ('asked_back', 'asked back'), ('replied', 'replied to a question'), ('photos_due', 'reminded of new photos'), ('closed', 'closed'), ('reopened', 'reopened'), ('withdrawn', 'withdrawn'), ('restored', 'restored'), ('merged', 'merged with another case'), ('urgency_raised', 'urgency raised'), ('moved_up', 'moved up'), ('on_call_told', 'people on call told'), ('call_acknowledged', 'urgent case acknowledged'), ('time_running_out', 'promised time running out: staff told'), ('ai_done', 'AI finished'), ('ai_unavailable', 'AI unavailable'), ('ai_seen_first', 'AI opinion seen first'), ('crop_drawn', 'crop and lesion corrected'), ('job_quarantined', 'job quarantined'), ('job_requeued', 'job requeued'), ('job_cancelled', 'job cancelled')], max_length=20, verbose_name='kind'),
        ),
        migrations.AlterField(
            model_name='job',
            name='stage',
            field=models.CharField(choices=[('prepare', 'prepare'), ('analyse', 'analyse'), ('check', 'check'), ('distance', 'distance'), ('reanalyse', 'reanalyse')], max_length=10, verbose_name='stage'),
        ),
        migrations.CreateModel(
            name='DrawnCropFinding',
            fields=[
                ('drawn_crop', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, primary_key=True, related_name='finding', serialize=False, to='cases.drawncrop', verbose_name='drawn crop')),
                ('at', models.DateTimeField(default=django.utils.timezone.now, verbose_name='at')),
                ('mask_key', models.CharField(max_length=200)),
                ('result', models.JSONField(null=True, verbose_name='result')),
            ],
            options={
                'verbose_name': 'finding on a drawn crop',
                'verbose_name_plural': 'findings on drawn crops',
            },
        ),
        migrations.AddConstraint(
            model_name='drawncrop',
            constraint=models.CheckConstraint(condition=models.Q(('height__gt', 0), ('width__gt', 0)), name='drawn_crop_has_an_area'),
        ),
    ]
