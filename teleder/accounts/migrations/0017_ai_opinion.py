"""Each clinic may choose when its dermatologists see the AI's opinion."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0016_on_call'),
    ]

    operations = [
        migrations.AddField(
            model_name='clinic',
            name='ai_opinion',
            field=models.CharField(blank=True, choices=[('after_look', 'After Look'), ('always', 'Always'), ('blind', 'Blind'), ('study', 'Study')], db_default='', default='', help_text='empty: as the installation is set (TELEDER_AI_OPINION)', max_length=10, verbose_name="when dermatologists see the AI's opinion"),
        ),
    ]
