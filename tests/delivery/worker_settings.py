"""The tests' settings for the processes of test_worker: a shop that tells the stand-in of each paid order."""

from __future__ import annotations

import os

from tests.settings import *  # noqa: F403 -- settings are made this way
from tests.settings import TIKTOK_ATTRIBUTION as OTHERS

TIKTOK_ATTRIBUTION = OTHERS | {
    "API_URL": os.environ["TEST_STANDIN_URL"],
    "SITE_URL": "https://shop.example",
    "TIMEOUT_SECONDS": 3,
    "LEASE_SECONDS": 1,
    "CONVERSIONS": {
        "shop.Order": {
            "event": "Purchase",
            "when": {"status": "paid"},
            "value": "total",
            "currency": "currency",
            "user": {"email": "email"},
        }
    },
}
