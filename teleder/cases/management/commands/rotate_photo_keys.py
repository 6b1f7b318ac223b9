"""Seal every original with the newest key: those of older keys, and those from before there were any."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from contract.encryption import LockedOriginalError
from teleder.cases import originals
from teleder.cases.models import Photo

TELL_EVERY = 100


class Command(BaseCommand):
    help = "Seals every original with the first key of TELEDER_PHOTO_KEYS. May be stopped and run again."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="say how many, change nothing")

    def handle(self, *, dry_run: bool, **_options: Any) -> None:
        waiting = Photo.objects.exclude(sealed_by=settings.PHOTO_KEYS.newest).order_by("pk")
        total, failed = waiting.count(), 0
        if dry_run:
            self.stdout.write(f"{total} originals would be sealed with key {settings.PHOTO_KEYS.newest}")
            return
        for done, photo in enumerate(waiting.iterator(), start=1):
            failed += not self._sealed_anew(photo)
            if done % TELL_EVERY == 0:
                self.stdout.write(f"{done} of {total}")
        self.stdout.write(
            f"{total - failed} of {total} originals sealed with key {settings.PHOTO_KEYS.newest}"
        )
        if failed:
            raise CommandError(f"{failed} originals were left as they are; an older key is still needed")

    def _sealed_anew(self, photo: Photo) -> bool:
        """Seal one original; whatever is wrong with it, its file stays as it was."""
        try:
            content = originals.read(photo.pk, photo.original_key)
        except (OSError, LockedOriginalError) as error:
            self.stderr.write(
                f"photo {photo.pk}: {type(error).__name__}, sealed by {photo.sealed_by or 'none'}"
            )
            return False
        sealed = settings.PHOTO_KEYS.seal(content, photo.original_key)
        originals.write(photo.pk, photo.original_key, sealed)
        Photo.objects.filter(pk=photo.pk).update(sealed_by=settings.PHOTO_KEYS.newest)
        return True
