"""The audit trail: a chain of hashes that PostgreSQL writes itself, and triggers that refuse to change it."""

import django.contrib.postgres.fields
from django.db import migrations, models

TABLE = """
CREATE TABLE audit_entry (
    number bigint PRIMARY KEY,
    at timestamptz NOT NULL,
    person uuid,
    role text NOT NULL,
    clinic uuid,
    verb text NOT NULL,
    door text NOT NULL,
    kind text NOT NULL,
    object text NOT NULL,
    cases uuid[] NOT NULL,
    trace text NOT NULL,
    status smallint NOT NULL,
    previous text NOT NULL,
    hash text NOT NULL,
    -- Ids and names from our code only: no room for what people write, nor for the separator of the hash.
    CONSTRAINT audit_entry_holds_ids_and_names_only
        CHECK (concat(role, verb, door, kind, object, trace) ~ '^[A-Za-z0-9_:.-]*$')
);
CREATE INDEX audit_entry_of_case ON audit_entry USING gin (cases);
CREATE INDEX audit_entry_of_person ON audit_entry (person, number);

-- `digest` of trail.py says the same in Python.
CREATE FUNCTION audit_digest(e audit_entry) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT encode(sha256(convert_to(concat_ws('|',
        e.previous, e.number, to_char(e.at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US'),
        coalesce(e.person::text, ''), e.role, coalesce(e.clinic::text, ''), e.verb, e.door, e.kind, e.object,
        array_to_string(e.cases, ','), e.trace, e.status), 'UTF8')), 'hex')
$$;

CREATE FUNCTION audit_append() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    last audit_entry;
BEGIN
    -- One writer at a time, until it commits. Callers hold no other lock: see trail.record.
    PERFORM pg_advisory_xact_lock(4182026);
    SELECT * INTO last FROM audit_entry ORDER BY number DESC LIMIT 1;
    NEW.number := coalesce(last.number, 0) + 1;
    NEW.at := clock_timestamp();
    NEW.previous := coalesce(last.hash, repeat('0', 64));
    NEW.hash := audit_digest(NEW);
    RETURN NEW;
END $$;
CREATE TRIGGER audit_append BEFORE INSERT ON audit_entry FOR EACH ROW EXECUTE FUNCTION audit_append();

CREATE FUNCTION audit_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the audit trail is append-only: % refused', TG_OP;
END $$;
CREATE TRIGGER audit_refuse BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_entry
    FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse();
"""
BACK = "DROP TABLE audit_entry CASCADE; DROP FUNCTION audit_append, audit_refuse;"


class Migration(migrations.Migration):
    initial = True
    dependencies = []
    operations = [
        migrations.RunSQL(TABLE, BACK),
        migrations.CreateModel(
            name='Entry',
            fields=[
                ('number', models.BigIntegerField(primary_key=True, serialize=False)),
                ('at', models.DateTimeField(verbose_name='at')),
                ('person', models.UUIDField(null=True)),
                ('role', models.TextField(verbose_name='role')),
                ('clinic', models.UUIDField(null=True)),
                ('verb', models.TextField(choices=[('read', 'looked at it'), ('change', 'changed it'), ('export', 'took a copy of the data'), ('hold', 'put under legal hold'), ('release_hold', 'ended the legal hold'), ('erase', 'erased it'), ('retain', 'deleted what was kept long enough')], verbose_name='what')),
                ('door', models.TextField(help_text='name of the address or the command', verbose_name='where')),
                ('kind', models.TextField(blank=True, verbose_name='kind')),
                ('object', models.TextField(blank=True)),
                ('cases', django.contrib.postgres.fields.ArrayField(base_field=models.UUIDField(), default=list, size=None)),
                ('trace', models.TextField(blank=True)),
                ('status', models.SmallIntegerField(default=0, help_text='of the answer by HTTP; 0 where there was none')),
                ('previous', models.TextField()),
                ('hash', models.TextField()),
            ],
            options={
                'verbose_name': 'audit entry',
                'verbose_name_plural': 'audit trail',
                'db_table': 'audit_entry',
                'ordering': ('-number',),
                'managed': False,
            },
        ),
    ]
