"""Jobs of the stages `segment` and `classify` become one job of `analyse` for each photo.

The later one of the two stays, with its state and its count of attempts: a result that is still on its way names an old
attempt and is ignored. What was under way is queued again, without a crash count. A photo whose segmentation was the end
(its submission was withdrawn) gets a cancelled job, which is queued when the submission is sent again.
"""

from __future__ import annotations

from django.db import migrations, models

MERGE = """
DELETE FROM cases_job AS older USING cases_job AS newer
    WHERE older.photo_id = newer.photo_id
        AND (older.stage = 'segment' AND newer.stage IN ('classify', 'analyse')
            OR older.stage = 'classify' AND newer.stage = 'analyse');
UPDATE cases_job SET state = 'queued', deadline = NULL, sent_at = NULL, worker = ''
    WHERE stage IN ('segment', 'classify') AND state IN ('sent', 'started');
UPDATE cases_job SET state = 'cancelled' WHERE stage = 'segment' AND state = 'done';
UPDATE cases_job SET stage = 'analyse' WHERE stage IN ('segment', 'classify');
"""
SPLIT = """
UPDATE cases_job AS job SET stage = CASE
    WHEN EXISTS (SELECT FROM cases_analysis AS found WHERE found.photo_id = job.photo_id) THEN 'classify'
    ELSE 'segment' END
    WHERE stage = 'analyse';
"""
STAGES = ("prepare", "analyse", "check", "distance")


class Migration(migrations.Migration):
    dependencies = [("cases", "0016_first_impression")]
    operations = [
        migrations.RunSQL(MERGE, SPLIT),
        migrations.AlterField(
            model_name="job",
            name="stage",
            field=models.CharField(choices=[(s, s) for s in STAGES], max_length=10, verbose_name="stage"),
        ),
    ]
