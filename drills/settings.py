"""The product's settings plus the drills' faults. No product code refers to the drills."""

import os
from datetime import timedelta

from teleder.settings import *  # noqa: F403
from teleder.settings import INSTALLED_APPS as PRODUCT

INSTALLED_APPS = [*PRODUCT, "drills.apps.Drills"]
# A few patients send as much as hundreds would, so these limits are off; tests/accounts tests them.
API_REQUESTS_PER_ADDRESS_PER_MINUTE = API_REQUESTS_PER_PERSON_PER_MINUTE = 10**9
TOKENS_PER_ADDRESS_PER_MINUTE = UPLOADS_PER_PATIENT_PER_MINUTE = SUBMISSIONS_PER_PATIENT_PER_HOUR = 10**9
PHOTOS_PER_PATIENT_PER_DAY = BYTES_PER_PATIENT_PER_DAY = 10**15
TIME_ZONE = os.environ.get("TZ", "Europe/Berlin")  # one with daylight saving (drill R16)
REST_KNOX = {"TOKEN_TTL": timedelta(days=3650), "AUTO_REFRESH": False}  # R16 moves clocks by years
