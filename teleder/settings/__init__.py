"""Settings of the web: `framework.py` configures Django and its libraries, `limits.py` holds the product's own limits,
`work.py` what the sweeper does."""

from teleder.settings.framework import *  # noqa: F403
from teleder.settings.limits import *  # noqa: F403
from teleder.settings.work import *  # noqa: F403
