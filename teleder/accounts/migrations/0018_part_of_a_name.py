"""Indexes for the search of people by a part of their name or its reading, in the form in which they are compared.

A later change of `SearchKey` needs a migration that makes them anew. Words of one or two letters have no trigram: for those
every name is compared.
"""

from django.db import migrations

from teleder.accounts.search import SearchKey


def index(column: str) -> migrations.RunSQL:
    name = f"person_by_part_of_{column}"
    key = SearchKey.template % {"expressions": f'"{column}"'}
    return migrations.RunSQL(
        [(f"CREATE INDEX CONCURRENTLY {name} ON public.accounts_user USING gin (({key}) gin_trgm_ops)", None)],
        f"DROP INDEX CONCURRENTLY public.{name}",
    )


class Migration(migrations.Migration):
    atomic = False
    dependencies = [('accounts', '0017_ai_opinion')]
    operations = [index("name"), index("reading")]
