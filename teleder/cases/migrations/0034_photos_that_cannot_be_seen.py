"""Operations count the photos that cannot be seen, and the cancelled jobs that somebody has to run again."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False
    dependencies = [('cases', '0033_held_answers')]
    operations = [
        AddIndexConcurrently(
            'photo',
            models.Index(
                models.F('submission'),
                condition=models.Q(('removed_at', None), ('state', 'stored')),
                name='photo_not_prepared',
            ),
        ),
        AddIndexConcurrently(
            'job',
            models.Index(
                models.F('stage'), condition=models.Q(('state', 'cancelled')), name='job_cancelled'
            ),
        ),
    ]
