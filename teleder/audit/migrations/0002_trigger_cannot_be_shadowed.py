"""The functions of the audit trail read its table and nothing that a session has put in its place.

Unqualified names are looked up among temporary tables first: a session that made one named like the audit table decided
what the trigger took for the last entry. A session's time zone named "UTC" changed the text that is hashed.
The hash of an entry is the same as before.
"""

from django.db import migrations

HARDENED = """
CREATE OR REPLACE FUNCTION public.audit_digest(e public.audit_entry) RETURNS text LANGUAGE sql IMMUTABLE
SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' AS $$
    SELECT encode(sha256(convert_to(concat_ws('|',
        e.previous, e.number, to_char(e.at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US'),
        coalesce(e.person::text, ''), e.role, coalesce(e.clinic::text, ''), e.verb, e.door, e.kind, e.object,
        array_to_string(e.cases, ','), e.trace, e.status), 'UTF8')), 'hex')
$$;

CREATE OR REPLACE FUNCTION public.audit_append() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    last public.audit_entry;
BEGIN
    -- One writer at a time, until it commits. Callers hold no other lock: see trail.record.
    PERFORM pg_advisory_xact_lock(4182026);
    SELECT * INTO last FROM public.audit_entry ORDER BY number DESC LIMIT 1;
    NEW.number := coalesce(last.number, 0) + 1;
    NEW.at := clock_timestamp();
    NEW.previous := coalesce(last.hash, repeat('0', 64));
    NEW.hash := public.audit_digest(NEW);
    RETURN NEW;
END $$;

CREATE OR REPLACE FUNCTION public.audit_refuse() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RAISE EXCEPTION 'the audit trail is append-only: % refused', TG_OP;
END $$;

-- Of an array with gaps or more dimensions Python and PostgreSQL write different texts. NOT VALID: what is there stays.
ALTER TABLE public.audit_entry ADD CONSTRAINT audit_entry_cases_are_a_plain_list
    CHECK (array_position(cases, NULL) IS NULL AND coalesce(array_ndims(cases), 1) = 1) NOT VALID;
"""
BACK = "ALTER TABLE public.audit_entry DROP CONSTRAINT audit_entry_cases_are_a_plain_list"


class Migration(migrations.Migration):
    dependencies = [('audit', '0001_initial')]
    operations = [migrations.RunSQL(HARDENED, BACK)]
