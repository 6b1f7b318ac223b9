from django.apps import AppConfig


class AuditConfig(AppConfig):
    name = "teleder.audit"

    def ready(self) -> None:
        from teleder.audit import seen

        seen.watch()
