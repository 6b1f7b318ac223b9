"""Who is called for urgent cases, and who answers for the dermatologists."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [('accounts', '0015_licences')]
    operations = [
        migrations.AddField(
            'dermatologistprofile',
            'on_call',
            models.BooleanField(db_default=False, default=False, verbose_name='on call'),
        ),
        migrations.AddField(
            'dermatologistprofile',
            'is_lead',
            models.BooleanField(
                db_default=False, default=False, verbose_name='answers for the dermatologists'
            ),
        ),
    ]
