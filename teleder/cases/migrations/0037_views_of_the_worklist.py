"""Two views of the worklist are read in the order of an index: what the AI says nothing about, and what was put off."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models

RANK = models.F('urgency') * models.Value(-3) - models.F('ai_precedence')


class Migration(migrations.Migration):
    atomic = False
    dependencies = [('cases', '0036_snooze')]
    operations = [
        AddIndexConcurrently(
            'submission',
            models.Index(
                models.F('clinic'),
                RANK,
                models.F('due_at'),
                models.F('id'),
                condition=models.Q(
                    ('ai_precedence', 1),
                    ('ai_status__in', ('done', 'partly')),
                    ('status__in', ('submitted', 'in_review')),
                ),
                name='inconclusive_of_clinic',
            ),
        ),
        AddIndexConcurrently(
            'submission',
            models.Index(
                models.F('clinic'),
                models.F('snoozed_until'),
                models.F('id'),
                condition=models.Q(('snoozed_until__isnull', False)),
                name='snoozed_of_clinic',
            ),
        ),
    ]
