"""Alerts: faults that the board showed, since when, when they were told, and who sees to them."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ('accounts', '0019_staff_of_clinic'),
        ('notifications', '0005_acknowledged_calls_ring_again'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]
    operations = [
        migrations.CreateModel(
            name='Alert',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(max_length=30)),
                ('opened_at', models.DateTimeField()),
                ('times', models.PositiveIntegerField(default=1)),
                ('told_at', models.DateTimeField(blank=True, null=True)),
                ('last_told_at', models.DateTimeField(blank=True, null=True)),
                ('tell_at', models.DateTimeField(blank=True, null=True)),
                ('mailed', models.PositiveIntegerField(default=0)),
                ('called', models.PositiveIntegerField(default=0)),
                ('acknowledged_at', models.DateTimeField(blank=True, null=True)),
                ('closed_at', models.DateTimeField(blank=True, null=True)),
                ('acknowledged_by', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('clinic', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='accounts.clinic')),
            ],
            options={
                'ordering': ('-opened_at',),
                'indexes': [
                    models.Index(models.F('tell_at'), condition=models.Q(('tell_at__isnull', False)), name='alert_to_tell'),
                    models.Index(models.OrderBy(models.F('closed_at'), descending=True, nulls_first=True), name='alert_newest_end'),
                ],
                'constraints': [
                    models.UniqueConstraint(condition=models.Q(('closed_at', None)), fields=('kind', 'clinic'), name='alert_open_once', nulls_distinct=False),
                    models.UniqueConstraint(fields=('kind', 'clinic', 'opened_at'), name='alert_opens_once_at_a_time', nulls_distinct=False),
                ],
            },
        ),
    ]
