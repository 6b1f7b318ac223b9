"""The staff of a clinic, of whom the operations board counts those whose licence nobody has checked."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False
    dependencies = [('accounts', '0018_part_of_a_name')]
    operations = [
        AddIndexConcurrently(
            'user',
            models.Index(
                models.F('clinic'),
                condition=models.Q(('role__in', ['dermatologist', 'admin'])),
                name='staff_of_clinic',
            ),
        )
    ]
