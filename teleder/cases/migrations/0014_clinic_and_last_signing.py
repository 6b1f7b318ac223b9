"""A submission knows its clinic, which is its case's, and when it was signed last: lists are then read in an index's order.

The database writes both columns, so that web processes of the version before may go on while this runs. Rows that exist get
them in batches, each in a transaction of its own: no table is locked for long.
"""

import django.db.models.deletion
from django.db import migrations, models

BATCH = 20_000
# A case never moves to another clinic. Filling the columns is no news to whoever asks by `updated_at`.
TRIGGERS = """
CREATE FUNCTION public.cases_set_clinic() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    SELECT c.clinic_id INTO NEW.clinic_id FROM public.cases_case c WHERE c.id = NEW.case_id;
    RETURN NEW;
END $$;
CREATE TRIGGER set_clinic BEFORE INSERT OR UPDATE OF case_id, clinic_id ON public.cases_submission
    FOR EACH ROW EXECUTE FUNCTION public.cases_set_clinic();
CREATE FUNCTION public.cases_note_signing() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    UPDATE public.cases_submission
    SET updated_at = clock_timestamp(), last_signed_at = greatest(last_signed_at, NEW.signed_at)
    WHERE id = NEW.submission_id;
    RETURN NULL;
END $$;
CREATE OR REPLACE TRIGGER touch_submission AFTER INSERT ON public.cases_review
    FOR EACH ROW EXECUTE FUNCTION public.cases_note_signing();
CREATE OR REPLACE TRIGGER set_updated_at BEFORE UPDATE ON public.cases_submission FOR EACH ROW
    WHEN ((NEW.clinic_id, NEW.last_signed_at) IS NOT DISTINCT FROM (OLD.clinic_id, OLD.last_signed_at))
    EXECUTE FUNCTION public.cases_set_updated_at();
"""
NO_TRIGGERS = """
CREATE OR REPLACE TRIGGER touch_submission AFTER INSERT ON public.cases_review
    FOR EACH ROW EXECUTE FUNCTION public.cases_touch_submission();
DROP FUNCTION public.cases_note_signing;
CREATE OR REPLACE TRIGGER set_updated_at BEFORE UPDATE ON public.cases_submission
    FOR EACH ROW EXECUTE FUNCTION public.cases_set_updated_at();
DROP TRIGGER set_clinic ON public.cases_submission;
DROP FUNCTION public.cases_set_clinic;
"""
FILL = """
UPDATE public.cases_submission s SET clinic_id = c.clinic_id,
    last_signed_at = (SELECT max(r.signed_at) FROM public.cases_review r WHERE r.submission_id = s.id)
FROM public.cases_case c
WHERE c.id = s.case_id AND s.id IN (SELECT id FROM public.cases_submission WHERE clinic_id IS NULL LIMIT %s)
"""
# SET NOT NULL then needs no scan under its lock.
REQUIRED = (
    "ALTER TABLE public.cases_submission ADD CONSTRAINT clinic_is_known CHECK (clinic_id IS NOT NULL) NOT VALID",
    "ALTER TABLE public.cases_submission VALIDATE CONSTRAINT clinic_is_known",
    "ALTER TABLE public.cases_submission ALTER clinic_id SET NOT NULL, DROP CONSTRAINT clinic_is_known",
)
NOT_REQUIRED = "ALTER TABLE public.cases_submission ALTER clinic_id DROP NOT NULL"


def fill(apps, schema_editor) -> None:
    with schema_editor.connection.cursor() as cursor:
        cursor.execute(FILL, [BATCH])
        while cursor.rowcount:
            cursor.execute(FILL, [BATCH])


def clinic(**null: bool) -> models.ForeignKey:
    return models.ForeignKey(
        db_index=False,
        editable=False,
        on_delete=django.db.models.deletion.PROTECT,
        related_name='+',
        to='accounts.clinic',
        verbose_name='clinic',
        **null,
    )


class Migration(migrations.Migration):
    atomic = False
    dependencies = [('cases', '0013_distance_report'), ('accounts', '0002_clinic')]
    operations = [
        migrations.AddField('submission', 'clinic', clinic(null=True)),
        migrations.AddField(
            'submission',
            'last_signed_at',
            models.DateTimeField(blank=True, editable=False, null=True, verbose_name='signed last'),
        ),
        migrations.RunSQL(TRIGGERS, NO_TRIGGERS),
        migrations.RunPython(fill, migrations.RunPython.noop),
        *(
            migrations.RunSQL(statement, NOT_REQUIRED if statement is REQUIRED[-1] else '')
            for statement in REQUIRED
        ),
        migrations.SeparateDatabaseAndState(
            state_operations=[migrations.AlterField('submission', 'clinic', clinic())]
        ),
    ]
