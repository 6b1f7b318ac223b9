"""A call that was acknowledged is told again while nobody has claimed the case: the index of unacknowledged ones is not read."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [('notifications', '0004_urgent_calls')]
    operations = [migrations.RemoveIndex('urgentcall', 'urgent_call_to_tell')]
