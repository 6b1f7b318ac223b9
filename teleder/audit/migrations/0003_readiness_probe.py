"""A sequence that `/readyz` sets: a real write that grows no table and waits for nobody."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [('audit', '0002_trigger_cannot_be_shadowed')]
    operations = [
        migrations.RunSQL(
            "CREATE SEQUENCE public.readiness_probe", "DROP SEQUENCE public.readiness_probe"
        )
    ]
