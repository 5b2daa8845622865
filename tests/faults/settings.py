"""The tests' settings for the processes of the fault suite: impatient, so that seconds stand for hours.

A machine that stalls for as long as TIMEOUT_SECONDS costs an answer, and what was sent is sent again; a test that
counts how often something was sent takes FAULT_TIMEOUT_SECONDS, see `site.PATIENT`.
"""

from __future__ import annotations

import os

from tests.settings import *  # noqa: F403 -- settings are made this way
from tests.settings import TIKTOK_ATTRIBUTION as OTHERS

TIKTOK_ATTRIBUTION = OTHERS | {
    "API_URL": os.environ["FAULT_API_URL"],
    "ACCESS_TOKEN": os.environ.get("FAULT_TOKEN") or OTHERS["ACCESS_TOKEN"],
    "SITE_URL": "https://shop.example",
    "BATCH_SIZE": int(os.environ.get("FAULT_BATCH_SIZE") or 100),
    "TIMEOUT_SECONDS": float(os.environ.get("FAULT_TIMEOUT_SECONDS") or 0.7),
    "LEASE_SECONDS": 1,  # but never less than three time-outs
    "RETRY_SECONDS": 0.05,
    "RETRY_MAX_SECONDS": float(os.environ.get("FAULT_RETRY_MAX_SECONDS") or 0.5),
    "EVENTS_PER_SECOND": float(os.environ.get("FAULT_EVENTS_PER_SECOND") or 0),
    "LANES": int(os.environ.get("FAULT_LANES") or 4),
    "CONVERSIONS": {
        "shop.Order": {
            "event": "Purchase",
            "when": {"status": "paid"},
            "value": "total",
            "currency": "currency",
            "time": "created_at",
            "user": {"email": "email"},
        }
    },
}
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"plain": {"format": "%(asctime)s %(process)d %(name)s %(message)s"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "plain"}},
    "root": {"handlers": ["console"], "level": "WARNING"},
}
