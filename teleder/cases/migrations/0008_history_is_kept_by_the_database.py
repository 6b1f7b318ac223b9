"""PostgreSQL itself refuses to change reviews and events, and deletes them with their whole submission only.

Who owns the tables is refused as well; only an owner can put a trigger to sleep or forge `teleder.erasing`.
"""

from django.db import migrations

TABLES = ("cases_event", "cases_review")
FUNCTIONS = """
CREATE FUNCTION public.cases_keep_history() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF TG_OP = 'DELETE' AND current_setting('teleder.erasing', true) = 'on' THEN
        RETURN OLD;
    END IF;
    IF TG_OP = 'UPDATE' AND TG_TABLE_NAME = 'cases_event' THEN
        -- The outbox notes once when people were told; everything else stays as it is.
        IF OLD.told_at IS NULL AND NEW.told_at IS NOT NULL THEN
            OLD.told_at := NEW.told_at;
            IF NOT NEW *<> OLD THEN
                RETURN NEW;
            END IF;
        END IF;
    END IF;
    RAISE EXCEPTION 'reviews and events are kept as they are: % of % refused', TG_OP, TG_TABLE_NAME;
END $$;

CREATE FUNCTION public.erase_submissions(ids uuid[]) RETURNS bigint LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    erased bigint;
BEGIN
    PERFORM set_config('teleder.erasing', 'on', true);
    DELETE FROM public.cases_event WHERE submission_id = ANY (ids);
    DELETE FROM public.cases_review WHERE submission_id = ANY (ids);
    PERFORM set_config('teleder.erasing', 'off', true);
    DELETE FROM public.cases_submission WHERE id = ANY (ids);
    GET DIAGNOSTICS erased = ROW_COUNT;
    RETURN erased;
END $$;
REVOKE ALL ON FUNCTION public.erase_submissions(uuid[]) FROM PUBLIC;
"""
NO_FUNCTIONS = "DROP FUNCTION public.erase_submissions(uuid[]); DROP FUNCTION public.cases_keep_history();"
TRIGGERS = """
CREATE TRIGGER cases_keep_history BEFORE UPDATE OR DELETE ON public.{table}
    FOR EACH ROW EXECUTE FUNCTION public.cases_keep_history();
CREATE TRIGGER cases_keep_from_truncate BEFORE TRUNCATE ON public.{table}
    FOR EACH STATEMENT EXECUTE FUNCTION public.cases_keep_history();
"""
NO_TRIGGERS = """
DROP TRIGGER cases_keep_history ON public.{table};
DROP TRIGGER cases_keep_from_truncate ON public.{table};
"""


class Migration(migrations.Migration):
    dependencies = [('cases', '0007_updated_at')]
    operations = [
        migrations.RunSQL(FUNCTIONS, NO_FUNCTIONS),
        *(
            migrations.RunSQL(TRIGGERS.format(table=table), NO_TRIGGERS.format(table=table))
            for table in TABLES
        ),
    ]
