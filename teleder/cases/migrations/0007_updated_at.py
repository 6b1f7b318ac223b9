"""When a submission changed last, kept by the database: rows are written by many UPDATEs, and none may forget it."""

import django.db.models.functions.datetime
from django.db import migrations, models

# What is known of the past: its last step, or the last photo or answer.
BACKFILL = """
UPDATE public.cases_submission s SET updated_at = greatest(
    s.created_at, s.submitted_at, s.claimed_at,
    (SELECT max(e.at) FROM public.cases_event e WHERE e.submission_id = s.id),
    (SELECT max(p.created_at) FROM public.cases_photo p WHERE p.submission_id = s.id),
    (SELECT max(r.signed_at) FROM public.cases_review r WHERE r.submission_id = s.id)
);
"""
# Who writes a photo, an analysis or a review holds the lock of its submission already.
# `UPDATE OF`: new keys for sealed originals are no news to anybody.
TRIGGERS = """
CREATE FUNCTION public.cases_set_updated_at() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    NEW.updated_at := clock_timestamp();
    RETURN NEW;
END $$;
CREATE TRIGGER set_updated_at BEFORE UPDATE ON public.cases_submission
    FOR EACH ROW EXECUTE FUNCTION public.cases_set_updated_at();

CREATE FUNCTION public.cases_touch_submission() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    UPDATE public.cases_submission SET updated_at = clock_timestamp() WHERE id = NEW.submission_id;
    RETURN NULL;
END $$;
CREATE TRIGGER touch_submission AFTER INSERT OR UPDATE OF state, reason, fault, sent_anyway, removed_at, display_key
    ON public.cases_photo FOR EACH ROW EXECUTE FUNCTION public.cases_touch_submission();
CREATE TRIGGER touch_submission AFTER INSERT ON public.cases_review
    FOR EACH ROW EXECUTE FUNCTION public.cases_touch_submission();

CREATE FUNCTION public.cases_touch_submission_of_photo() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    UPDATE public.cases_submission SET updated_at = clock_timestamp()
    WHERE id = (SELECT p.submission_id FROM public.cases_photo p WHERE p.id = NEW.photo_id);
    RETURN NULL;
END $$;
CREATE TRIGGER touch_submission AFTER INSERT OR UPDATE ON public.cases_analysis
    FOR EACH ROW EXECUTE FUNCTION public.cases_touch_submission_of_photo();
"""
BACK = """
DROP TRIGGER touch_submission ON public.cases_analysis;
DROP TRIGGER touch_submission ON public.cases_review;
DROP TRIGGER touch_submission ON public.cases_photo;
DROP TRIGGER set_updated_at ON public.cases_submission;
DROP FUNCTION public.cases_touch_submission_of_photo, public.cases_touch_submission, public.cases_set_updated_at;
"""


class Migration(migrations.Migration):
    dependencies = [('cases', '0006_trace_and_no_file_names')]
    operations = [
        migrations.AddField(
            model_name='submission',
            name='updated_at',
            field=models.DateTimeField(
                db_default=django.db.models.functions.datetime.Now(), editable=False, verbose_name='updated'
            ),
        ),
        migrations.RunSQL(BACKFILL, migrations.RunSQL.noop),
        migrations.AddIndex(
            model_name='submission', index=models.Index('updated_at', name='submission_by_update')
        ),
        migrations.AddIndex(model_name='review', index=models.Index('signed_at', name='review_by_signing')),
        migrations.RunSQL(TRIGGERS, BACK),
    ]
