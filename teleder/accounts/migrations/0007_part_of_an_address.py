"""An index for the search of people by a part of their e-mail address (Django asks for `upper(email)`)."""

from django.contrib.postgres.operations import TrigramExtension
from django.db import migrations

INDEX = "CREATE INDEX CONCURRENTLY person_by_part_of_address ON public.accounts_user USING gin (upper(email) gin_trgm_ops)"


class Migration(migrations.Migration):
    atomic = False
    dependencies = [('accounts', '0006_superusers_are_made_by_the_owner')]
    operations = [
        TrigramExtension(),
        migrations.RunSQL(INDEX, "DROP INDEX CONCURRENTLY public.person_by_part_of_address"),
    ]
