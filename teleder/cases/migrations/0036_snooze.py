"""A case can be put off; it comes back by itself."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('cases', '0035_photos_that_are_too_small'),
    ]

    operations = [
        migrations.AddField(
            model_name='submission',
            name='snooze_reason',
            field=models.CharField(blank=True, choices=[('phoning', 'the patient is being phoned'), ('colleague', 'a colleague is being asked'), ('records', 'records are to come'), ('photos', 'photos are to come'), ('time', 'it needs more time')], db_default='', editable=False, max_length=20, verbose_name='snoozed, because'),
        ),
        migrations.AddField(
            model_name='submission',
            name='snoozed_until',
            field=models.DateTimeField(blank=True, editable=False, null=True, verbose_name='snoozed until'),
        ),
        migrations.AlterField(
            model_name='event',
            name='kind',
            field=models.CharField(choices=[('opened', 'opened'), ('submitted', 'submitted'), ('claimed', 'claimed'), ('released', 'released'), ('reassigned', 'reassigned'), ('snoozed', 'snoozed'), ('snooze_ended', 'back on the list'), ('photos_requested', 'photos asked for'), ('held', 'signed, waiting to be sent'), ('send_undone', 'sending undone'), ('send_stopped', 'sending stopped'), ('signed', 'answer sent'), ('taken_back', 'answer taken back'), ('amended', 'amended'), ('asked_back', 'asked back'), ('replied', 'replied to a question'), ('photos_due', 'reminded of new photos'), ('closed', 'closed'), ('reopened', 'reopened'), ('withdrawn', 'withdrawn'), ('restored', 'restored'), ('merged', 'merged with another case'), ('urgency_raised', 'urgency raised'), ('moved_up', 'moved up'), ('on_call_told', 'people on call told'), ('call_acknowledged', 'urgent case acknowledged'), ('time_running_out', 'promised time running out: staff told'), ('ai_done', 'AI finished'), ('ai_unavailable', 'AI unavailable'), ('ai_seen_first', 'AI opinion seen first'), ('job_quarantined', 'job quarantined'), ('job_requeued', 'job requeued'), ('job_cancelled', 'job cancelled')], max_length=20, verbose_name='kind'),
        ),
    ]
