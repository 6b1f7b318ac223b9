"""The door a WSGI server opens: `granian --interface wsgi teleder.wsgi:application`."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "teleder.settings")
application = get_wsgi_application()
