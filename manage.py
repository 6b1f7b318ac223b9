#!/usr/bin/env python3
"""Django's command line for teleder."""

import os
import sys

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "teleder.settings")
    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import execute_from_command_line

    try:
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:  # says what to do; where in our code it was found helps nobody
        sys.exit(f"a setting is wrong: {error}")
