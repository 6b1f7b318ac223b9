"""The product's settings with the drills' faults beside them; no code of the product knows of either."""

from teleder.settings import *  # noqa: F403
from teleder.settings import INSTALLED_APPS as PRODUCT

INSTALLED_APPS = [*PRODUCT, "drills.apps.Drills"]
# A handful of patients sends what hundreds would; what the limits hold is a matter of tests/accounts.
API_REQUESTS_PER_ADDRESS_PER_MINUTE = API_REQUESTS_PER_PERSON_PER_MINUTE = 10**9
TOKENS_PER_ADDRESS_PER_MINUTE = UPLOADS_PER_PATIENT_PER_MINUTE = SUBMISSIONS_PER_PATIENT_PER_HOUR = 10**9
PHOTOS_PER_PATIENT_PER_DAY = BYTES_PER_PATIENT_PER_DAY = 10**15
