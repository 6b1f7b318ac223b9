"""The triggers of legal holds look at the real tables, not at a session's temporary ones of the same name."""

from django.db import migrations

OF_A_SUBMISSION = (
    "(SELECT c.patient_id FROM public.cases_case c JOIN public.cases_submission s ON s.case_id = c.id"
    " WHERE s.id = OLD.submission_id)"
)
# Each table with the way from its row to the patient.
WAYS = {
    "accounts_user": "OLD.id",
    "cases_case": "OLD.patient_id",
    "cases_submission": "(SELECT patient_id FROM public.cases_case WHERE id = OLD.case_id)",
    "cases_photo": OF_A_SUBMISSION,
    "cases_review": OF_A_SUBMISSION,
    "privacy_hold": "OLD.person_id",
}
GUARD = """
CREATE OR REPLACE FUNCTION public.privacy_keep_{table}() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF EXISTS (SELECT FROM public.privacy_hold WHERE lifted_at IS NULL AND person_id = {way}) THEN
        RAISE EXCEPTION 'under legal hold: % of {table} refused', TG_OP USING ERRCODE = 'check_violation';
    END IF;
    RETURN OLD;
END $$;
"""


class Migration(migrations.Migration):
    dependencies = [('privacy', '0002_holds_are_kept_by_the_database')]
    operations = [
        migrations.RunSQL(GUARD.format(table=table, way=way), migrations.RunSQL.noop)
        for table, way in WAYS.items()
    ]
