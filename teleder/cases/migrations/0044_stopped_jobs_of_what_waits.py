"""Cancelled jobs by creation, and from when on they can matter: since the oldest case that waits, the oldest photo unseen."""

from django.contrib.postgres.operations import AddIndexConcurrently, RemoveIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False
    dependencies = [('cases', '0043_copies_wishes_opinions')]
    operations = [
        AddIndexConcurrently(
            'job',
            models.Index(
                models.F('stage'),
                models.F('created_at'),
                condition=models.Q(('state', 'cancelled')),
                name='job_cancelled_by_creation',
            ),
        ),
        RemoveIndexConcurrently('job', 'job_cancelled'),
        AddIndexConcurrently(
            'photo',
            models.Index(
                models.F('created_at'),
                condition=models.Q(('removed_at', None), ('state', 'stored')),
                name='unprepared_by_creation',
            ),
        ),
        AddIndexConcurrently(
            'submission',
            models.Index(
                models.F('created_at'),
                condition=models.Q(('status__in', ('submitted', 'in_review'))),
                name='waiting_by_creation',
            ),
        ),
    ]
