from django.db import migrations
from django.db.models import F

INCONCLUSIVE = 1


def place_unread(apps, _schema_editor):
    """Open cases that the AI has not read stand with the inconclusive ones, no longer behind them."""
    open_cases = apps.get_model("cases", "Submission").objects.filter(
        status__in=("submitted", "in_review", "needs_photos"), urgency=F("rule_urgency")
    )
    unread = open_cases.filter(ai_status__in=("not_used", "waiting", "unavailable"), ai_precedence=0)
    unread.update(ai_precedence=INCONCLUSIVE)


class Migration(migrations.Migration):

    dependencies = [("cases", "0019_newer_photos")]

    operations = [migrations.RunPython(place_unread, migrations.RunPython.noop)]
