import django.db.models.deletion
from django.db import migrations, models

from teleder.accounts.models import FIRST_CLINIC


class Migration(migrations.Migration):
    dependencies = [("accounts", "0002_clinic"), ("cases", "0003_attribution")]

    operations = [
        migrations.AddField(
            model_name="case",
            name="clinic",
            field=models.ForeignKey(
                default=FIRST_CLINIC,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="cases",
                to="accounts.clinic",
                verbose_name="clinic",
            ),
            preserve_default=False,
        ),
    ]
