"""Which storage holds the photos of this database."""

from __future__ import annotations

import uuid

from django.db import models
from django.db.models import Q

from teleder.accounts.models import User


class StorageMarkQuerySet(models.QuerySet):
    def visible_to(self, user: User) -> StorageMarkQuerySet:
        return self.none()


class StorageMark(models.Model):
    """One row at most. The storage holds its id in a file (`contract.storage.MARK`)."""

    only = models.BooleanField(primary_key=True, default=True)
    id = models.UUIDField(unique=True, default=uuid.uuid4)
    made_at = models.DateTimeField(auto_now_add=True)

    objects = StorageMarkQuerySet.as_manager()

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(only=True), name="there_is_one_storage")]

    def __str__(self) -> str:
        return str(self.id)
