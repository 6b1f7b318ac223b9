"""`manage.py init_storage`: take the storage of photos into use, once for each installation."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from contract.storage import StorageError
from teleder.cases import storage_mark
from teleder.cases.invariants import photos_have_their_files
from teleder.cases.models import StorageMark


class Command(BaseCommand):
    help = "Marks the storage as this database's: without the mark no photo is taken. Refuses one that lacks photos."

    @transaction.atomic
    def handle(self, **_options: Any) -> None:
        """A storage that lacks files which rows name, or belongs to another database, is left as it is."""
        storage = settings.PHOTO_STORAGE
        row, _is_new = StorageMark.objects.get_or_create(only=True)
        try:
            storage.check()  # makes the folder of a new installation
            if storage.mark() == str(row):
                self.stdout.write(f"{storage} holds the mark of this database already.")
                return
            # First of all: files that are missing are another disk's, and looking for them changes nothing.
            if missing := next(photos_have_their_files(), None):
                raise CommandError(
                    f"{storage} lacks files that the database names, such as {missing}. Mount the right disk, or bring the "
                    "photos back from the backup; `manage.py check_record` lists what is missing."
                )
            storage_mark.mark(storage, row)
        except storage_mark.NotOursError as error:
            raise CommandError(str(error)) from None
        except StorageError as error:
            raise CommandError(f"{storage}: {type(error).__name__} ({error})") from None
        self.stdout.write(f"{storage} now holds the mark of this database.")
