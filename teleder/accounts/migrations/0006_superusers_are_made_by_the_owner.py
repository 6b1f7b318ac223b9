"""Only the owner of the tables makes somebody a superuser; the web's role can take the right away."""

from django.db import migrations

GUARD = """
CREATE FUNCTION public.accounts_keep_superusers() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NEW.is_superuser AND (TG_OP = 'INSERT' OR NOT OLD.is_superuser)
        AND NOT pg_has_role(current_user, (SELECT relowner FROM pg_class WHERE oid = TG_RELID), 'USAGE')
    THEN
        RAISE EXCEPTION 'only the owner of the tables makes a superuser: use the owner''s DATABASE_URL'
            USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER accounts_keep_superusers BEFORE INSERT OR UPDATE ON public.accounts_user
    FOR EACH ROW EXECUTE FUNCTION public.accounts_keep_superusers();
"""
BACK = """
DROP TRIGGER accounts_keep_superusers ON public.accounts_user;
DROP FUNCTION public.accounts_keep_superusers();
"""


class Migration(migrations.Migration):
    dependencies = [('accounts', '0005_login_attempts')]
    operations = [migrations.RunSQL(GUARD, BACK)]
