"""An index by which an admin finds the photo that a request brought. Built CONCURRENTLY: nothing waits for it.

Where a build was interrupted, `migrate` says that the index exists already: drop it, then migrate again.
"""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models

INDEX = models.Index(fields=["trace"], condition=~models.Q(trace=""), name="photo_by_request")


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("cases", "0017_analyse")]
    operations = [AddIndexConcurrently("photo", INDEX)]
