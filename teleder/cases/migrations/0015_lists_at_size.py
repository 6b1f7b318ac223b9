"""Indexes for lists, counts and the sweeper at a million submissions.

Each is built CONCURRENTLY: nothing waits for it. Where a build was interrupted, `migrate` says that the index exists already:
drop it (`DROP INDEX CONCURRENTLY name`), then migrate again.
"""

import django.db.models.deletion
from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.operations import (
    AddIndexConcurrently,
    RemoveIndexConcurrently,
    TrigramExtension,
)
from django.db import migrations, models
from django.db.models.fields.json import KeyTransform

RANK = models.F('urgency') * models.Value(-3) - models.F('ai_precedence')
INDEXES = (
    ('case', models.Index(models.F('clinic'), models.F('id'), name='case_of_clinic')),
    ('case', GinIndex(fields=['number'], name='case_by_part_of_number', opclasses=['gin_trgm_ops'])),
    ('job', models.Index(models.F('state'), models.F('stage'), models.F('created_at'), condition=models.Q(('state__in', ('queued', 'sent', 'started', 'failed', 'quarantined'))), name='job_unfinished_or_stopped')),
    ('job', models.Index(models.F('finished_at'), condition=models.Q(('finished_at__isnull', False)), name='job_by_finish')),
    ('review', models.Index(models.F('impression'), name='review_by_impression')),
    ('submission', models.Index(RANK, models.F('due_at'), models.F('id'), condition=models.Q(('status__in', ('submitted', 'in_review'))), name='worklist_by_rank')),
    ('submission', models.Index(models.F('clinic'), RANK, models.F('due_at'), models.F('id'), condition=models.Q(('status__in', ('submitted', 'in_review'))), name='worklist_of_clinic')),
    ('submission', models.Index(models.F('clinic'), RANK, models.F('due_at'), models.F('id'), condition=models.Q(('status', 'needs_photos')), name='waiting_for_patient')),
    ('submission', models.Index(models.F('claimed_at'), condition=models.Q(('status', 'in_review')), name='claims_by_time')),
    ('submission', models.Index(models.F('ai_deadline'), condition=models.Q(('ai_status', 'waiting')), name='waiting_for_ai_by_deadline')),
    ('submission', models.Index(models.F('clinic'), models.F('updated_at'), name='submission_by_clinic_update')),
    ('submission', models.Index(models.F('clinic'), models.F('id'), name='submission_of_clinic')),
    ('submission', models.Index(models.F('clinic'), models.F('submitted_at'), name='submission_by_sending')),
    ('submission', models.Index(models.F('clinic'), condition=models.Q(('spot_check', True)), name='spot_checks_of_clinic')),
    ('submission', models.Index(models.F('clinic'), models.F('last_signed_at'), condition=models.Q(('last_signed_at__isnull', False)), name='submission_by_last_signing')),
    ('analysis', models.Index(KeyTransform('sha256', 'classification_model'), models.F('id'), condition=models.Q(('classified_at__isnull', False)), name='analysis_by_model')),
)
# 0010 was changed after four hours (814d878 to fd7413c): what was installed in between has the column of then, and its index.
COLUMN_OF_BEFORE = """
DO $$ BEGIN
    IF EXISTS (
        SELECT FROM information_schema.columns
        WHERE table_schema = 'public' AND table_name = 'cases_submission' AND column_name = 'ai_inconclusive'
    ) THEN
        ALTER TABLE public.cases_submission ADD COLUMN ai_precedence smallint DEFAULT 0 NOT NULL CHECK (ai_precedence >= 0);
        UPDATE public.cases_submission SET ai_precedence = 1 WHERE ai_inconclusive;
        ALTER TABLE public.cases_submission DROP COLUMN ai_inconclusive;
    END IF;
END $$
"""


class Migration(migrations.Migration):
    atomic = False
    dependencies = [('cases', '0014_clinic_and_last_signing')]
    operations = [
        migrations.RunSQL(COLUMN_OF_BEFORE, migrations.RunSQL.noop),
        TrigramExtension(),
        *(AddIndexConcurrently(model, index) for model, index in INDEXES),
        RemoveIndexConcurrently('submission', 'submission_by_update'),
        RemoveIndexConcurrently('submission', 'worklist_order'),
        migrations.AlterField(
            'case',
            'clinic',
            models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name='cases',
                to='accounts.clinic',
                verbose_name='clinic',
            ),
        ),
    ]
