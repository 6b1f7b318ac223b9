"""Messages of workers that were refused: each leaves a line in the log and is counted in the database.

Neither records its content. The job that it named is not changed and times out.
"""

from __future__ import annotations

import logging
from datetime import timedelta

from django.db.models import BigIntegerField, F, QuerySet, Subquery, Sum, Value
from django.db.models.functions import Coalesce, Now
from django.utils import timezone

from contract.messages import InvalidMessageError
from teleder.cases.models import RefusedMessage

log = logging.getLogger(__name__)


def note(kind: str, error: InvalidMessageError) -> None:
    """Log and count one refusal; `kind` is the name of the task that the message was for."""
    log.warning("refused: %s: %s", kind, error)
    row, _made = RefusedMessage.objects.get_or_create(day=timezone.now().date(), kind=kind)
    RefusedMessage.objects.filter(pk=row.pk).update(count=F("count") + 1, last_at=Now())


def lately(hours: int = 24) -> int:
    """Return how many were refused, of the days on which any was within so many hours."""
    return _recent(hours).aggregate(n=Sum("count"))["n"] or 0


def number_lately(hours: int = 24) -> Coalesce:
    """Return the same number as an expression, for a query that asks more."""
    total = _recent(hours).values(everything=Value(1)).annotate(n=Sum("count")).values("n")
    return Coalesce(Subquery(total), Value(0), output_field=BigIntegerField())


def _recent(hours: int) -> QuerySet[RefusedMessage]:
    return RefusedMessage.objects.filter(last_at__gte=Now() - timedelta(hours=hours))
