"""The product's settings with the drills' faults beside them; no code of the product knows of either."""

from teleder.settings import *  # noqa: F403
from teleder.settings import INSTALLED_APPS as PRODUCT

INSTALLED_APPS = [*PRODUCT, "drills.apps.Drills"]
