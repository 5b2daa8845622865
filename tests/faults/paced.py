"""The app's defaults, for a pixel whose rate limit makes a backlog last."""

from __future__ import annotations

import os

from tests.settings import *  # noqa: F403 -- settings are made this way
from tests.settings import TIKTOK_ATTRIBUTION as OTHERS

TIKTOK_ATTRIBUTION = OTHERS | {"API_URL": os.environ["FAULT_API_URL"], "EVENTS_PER_SECOND": 200}
