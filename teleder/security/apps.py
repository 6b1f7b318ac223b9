from __future__ import annotations

from django.apps import AppConfig


class SecurityConfig(AppConfig):
    name = "teleder.security"

    def ready(self) -> None:
        from teleder.security import attempt_counters

        attempt_counters.install_counters()
