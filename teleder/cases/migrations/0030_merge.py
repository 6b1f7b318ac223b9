import django.db.models.deletion
from django.db import migrations, models
from django.db.models import F, Q


class Migration(migrations.Migration):
    """A case that was merged into another one keeps its row, so that its number and its former address lead there."""

    dependencies = [("cases", "0029_places")]

    operations = [
        migrations.AddField(
            "case",
            "merged_into",
            models.ForeignKey(
                blank=True,
                db_index=False,
                editable=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="merged",
                to="cases.case",
            ),
        ),
        migrations.AddIndex(
            "case", models.Index("merged_into", condition=Q(merged_into__isnull=False), name="case_merged_into")
        ),
        migrations.AddConstraint(
            "case",
            models.CheckConstraint(condition=~Q(merged_into=F("id")), name="case_is_not_merged_into_itself"),
        ),
        migrations.AlterField(
            "event",
            "kind",
            models.CharField("kind", choices=[('opened', 'opened'), ('submitted', 'submitted'), ('claimed', 'claimed'), ('released', 'released'), ('reassigned', 'reassigned'), ('photos_requested', 'photos asked for'), ('signed', 'signed'), ('amended', 'amended'), ('asked_back', 'asked back'), ('replied', 'replied to a question'), ('photos_due', 'reminded of new photos'), ('closed', 'closed'), ('reopened', 'reopened'), ('withdrawn', 'withdrawn'), ('restored', 'restored'), ('merged', 'merged with another case'), ('urgency_raised', 'urgency raised'), ('moved_up', 'moved up'), ('ai_done', 'AI finished'), ('ai_unavailable', 'AI unavailable'), ('ai_seen_first', 'AI opinion seen first'), ('job_quarantined', 'job quarantined'), ('job_requeued', 'job requeued'), ('job_cancelled', 'job cancelled')], max_length=20),
        ),
    ]
