from django.apps import AppConfig
from django.contrib.auth.signals import user_logged_in


class WebConfig(AppConfig):
    name = "teleder.web"

    def ready(self) -> None:
        from teleder.web.clinician import licence_notice

        user_logged_in.connect(licence_notice.tell, dispatch_uid="teleder.web.licence_notice")
