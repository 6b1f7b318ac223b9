"""While a legal hold is in force PostgreSQL itself refuses to delete the person, their cases, answers and photos."""

from django.db import migrations

# Each table with the way from its row to the patient.
WAYS = {
    "accounts_user": "OLD.id",
    "cases_case": "OLD.patient_id",
    "cases_submission": "(SELECT patient_id FROM cases_case WHERE id = OLD.case_id)",
    "cases_photo": "(SELECT c.patient_id FROM cases_case c JOIN cases_submission s ON s.case_id = c.id WHERE s.id = OLD.submission_id)",
    "cases_review": "(SELECT c.patient_id FROM cases_case c JOIN cases_submission s ON s.case_id = c.id WHERE s.id = OLD.submission_id)",
    "privacy_hold": "OLD.person_id",  # a hold is lifted, never deleted
}
GUARD = """
CREATE FUNCTION privacy_keep_{table}() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM privacy_hold WHERE lifted_at IS NULL AND person_id = {way}) THEN
        RAISE EXCEPTION 'under legal hold: % of {table} refused', TG_OP USING ERRCODE = 'check_violation';
    END IF;
    RETURN OLD;
END $$;
CREATE TRIGGER privacy_keep BEFORE DELETE ON {table} FOR EACH ROW EXECUTE FUNCTION privacy_keep_{table}();
"""
BACK = "DROP TRIGGER privacy_keep ON {table}; DROP FUNCTION privacy_keep_{table}();"


class Migration(migrations.Migration):
    dependencies = [('privacy', '0001_initial'), ('cases', '0005_originals_are_sealed')]
    operations = [
        migrations.RunSQL(GUARD.format(table=table, way=way), BACK.format(table=table))
        for table, way in WAYS.items()
    ]
