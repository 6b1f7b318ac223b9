"""Installs the faults that a drill needs in each Django process."""

from __future__ import annotations

import os

from django.apps import AppConfig


class Drills(AppConfig):
    name = "drills"

    def ready(self) -> None:
        from drills import clock, crashes, guards, newer, slow_disk

        crashes.install(crashes.OF_THE_WEB)
        clock.install()
        newer.become_newer_if_asked()
        slow_disk.install()
        guards.remove(os.environ.get("DRILLS_WITHOUT", ""))
