"""A signed first impression, the answer's impression beside it, and what the AI said meanwhile."""

import django.contrib.postgres.fields
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('cases', '0039_held_corrections'),
    ]

    operations = [
        migrations.AddField(
            model_name='firstimpression',
            name='ai_said',
            field=django.contrib.postgres.fields.ArrayField(base_field=models.CharField(choices=[('AD', 'atopic dermatitis'), ('HI', 'herpesvirus infection'), ('IM', 'impetigo'), ('MF', 'mycosis fungoides suspected'), ('other', 'another condition'), ('unclear', 'cannot be judged from photos')], max_length=10), blank=True, db_default=models.Value([], django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=10), size=None)), default=list, size=None, verbose_name='what the AI named or could not rule out'),
        ),
        migrations.AddField(
            model_name='firstimpression',
            name='confidence',
            field=models.CharField(blank=True, choices=[('low', 'low'), ('mid', 'medium'), ('high', 'high')], db_default='', default='', max_length=4, verbose_name='confidence'),
        ),
        migrations.AddField(
            model_name='firstimpression',
            name='final',
            field=models.CharField(blank=True, choices=[('AD', 'atopic dermatitis'), ('HI', 'herpesvirus infection'), ('IM', 'impetigo'), ('MF', 'mycosis fungoides suspected'), ('other', 'another condition'), ('unclear', 'cannot be judged from photos')], db_default='', default='', max_length=10, verbose_name='impression of the answer'),
        ),
        migrations.AddField(
            model_name='firstimpression',
            name='looked_before',
            field=models.BooleanField(db_default=False, default=False, help_text="fewer photos, or perhaps the AI's opinion, before signing"),
        ),
        migrations.AddField(
            model_name='firstimpression',
            name='signed_at',
            field=models.DateTimeField(blank=True, null=True, verbose_name='signed'),
        ),
    ]
