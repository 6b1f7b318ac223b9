"""`manage.py check_files`: read stored files, compare them with their hashes, and give a hash to those that have none."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from contract.storage import StorageError
from teleder.cases import file_checks
from teleder.cases.models import DamagedFile, Photo


class Command(BaseCommand):
    help = "Reads photos that were not read for a month or have no hash yet, or --all. May be stopped and run again."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--all", action="store_true", help="read every photo")

    def handle(self, **options: Any) -> None:
        photos = file_checks.unread()
        if options["all"]:
            photos = Photo.objects.order_by("pk").prefetch_related("analyses")
        try:
            found = file_checks.check_photos(photos.iterator(chunk_size=200))
        except StorageError as error:
            raise CommandError(f"{type(error).__name__} ({error})") from None
        self.stdout.write(f"{found['photos']} photos read, {found['hashes']} files got their hash.")
        open_ones = DamagedFile.objects.filter(mended_at=None).order_by("found_at")
        for damage in open_ones:
            self.stdout.write(f"damaged: photo {damage.photo_id}, {damage.get_name_display()}")
        if open_ones:
            raise CommandError(
                "Copies are made again from their original within seconds. An original has to come from the backup: "
                "put its file back in its place; the alarm then ends within half an hour."
            )
