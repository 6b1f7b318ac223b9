"""What the check of a draft's photo says; it is news for whoever asks again by `updated_at`."""

from django.db import migrations, models

TRIGGER = """
DROP TRIGGER touch_submission ON public.cases_photo;
CREATE TRIGGER touch_submission AFTER INSERT OR UPDATE OF {columns}
    ON public.cases_photo FOR EACH ROW EXECUTE FUNCTION public.cases_touch_submission();
"""
BEFORE = "state, reason, fault, sent_anyway, removed_at, display_key"


class Migration(migrations.Migration):

    dependencies = [('cases', '0010_verdict')]

    operations = [
        migrations.AddField(
            model_name='photo',
            name='advice',
            field=models.CharField(
                blank=True,
                choices=[(a, a) for a in ('no_skin', 'too_far', 'too_near', 'lesion_not_found')],
                db_default='',
                max_length=30,
                verbose_name='advice',
            ),
        ),
        migrations.AddField(
            model_name='photo',
            name='check_result',
            field=models.JSONField(blank=True, null=True, verbose_name='check'),
        ),
        migrations.AlterField(
            model_name='job',
            name='stage',
            field=models.CharField(
                choices=[(s, s) for s in ('prepare', 'segment', 'classify', 'check')],
                max_length=10,
                verbose_name='stage',
            ),
        ),
        migrations.RunSQL(
            TRIGGER.format(columns=f"{BEFORE}, advice, check_result"), TRIGGER.format(columns=BEFORE)
        ),
    ]
