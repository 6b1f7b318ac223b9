"""The door a WSGI server opens: `granian --interface wsgi teleder.wsgi:application`."""

import os

from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.db import connection

from teleder import database, responding, slow_bodies

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "teleder.settings")
# Threads of the web end when idle, and each would keep a connection of its own until the garbage is collected.
settings.DATABASES["default"] = database.pooled(settings.DATABASES["default"])
application = slow_bodies.bounded(responding.watched(get_wsgi_application()))
database.replace_all_when_one_is_broken(connection.pool)
