from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False
    dependencies = [('notifications', '0002_due_by_the_databases_clock')]
    operations = [
        AddIndexConcurrently(
            'message',
            models.Index(models.F('id'), condition=models.Q(('state', 'failed')), name='message_failed'),
        )
    ]
