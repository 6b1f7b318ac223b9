from __future__ import annotations

from django.apps import AppConfig


class SecurityConfig(AppConfig):
    name = "teleder.security"

    def ready(self) -> None:
        from teleder.security import attempt_counters, devices  # noqa: F401 - connects its receiver

        attempt_counters.install_counters()
